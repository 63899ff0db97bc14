"""`python -m simulator`: serves a sample company until it is interrupted."""

import argparse
import sys
from dataclasses import fields
from datetime import date
from pathlib import Path

from simulator.cdc import CHOICES
from simulator.oauth import REUSES, ROTATIONS
from simulator.server import Simulator
from simulator.settings import COUNTS, Settings

PORT = 8765


def main(arguments: list[str] | None = None) -> int:
    """Run the simulator; 2 where it cannot start."""
    options = vars(command_line().parse_args(arguments))
    options["throttle"] = not options.pop("no_throttle")
    try:
        simulator = Simulator(**options)
        simulator.bind()
    except (OSError, ValueError) as problem:
        print(f"The simulator cannot start: {problem}", file=sys.stderr)
        return 2
    rows = {name: len(table.rows) for name, table in simulator.company.tables.items() if table.rows}
    counts = ", ".join(f"{count} {name}" for name, count in rows.items())
    print(f"QuickBooks simulator on {simulator.url}, realm {simulator.realm}: {counts}", flush=True)
    simulator.run()
    return 0


def command_line() -> argparse.ArgumentParser:
    """Every flag there is."""
    usual = {field.name: field.default for field in fields(Settings)}
    parser = argparse.ArgumentParser("python -m simulator", description=main.__doc__)
    company = parser.add_argument_group("the company")
    for name in COUNTS:
        flag = f"--{name.replace('_', '-')}"
        company.add_argument(flag, type=int, default=usual[name], metavar="N")
    company.add_argument("--seed", type=int, default=usual["seed"], metavar="S")
    company.add_argument(
        "--as-of", type=date.fromisoformat, metavar="DATE", help="today, unless given"
    )
    company.add_argument(
        "--load", type=Path, metavar="DIR", help="serve rows from JSON files instead"
    )
    server = parser.add_argument_group("the server")
    server.add_argument("--host", default=usual["host"])
    server.add_argument("--port", type=int, default=PORT, metavar="P")
    server.add_argument("--latency-ms", type=float, default=usual["latency_ms"], metavar="L")
    server.add_argument("--no-throttle", action="store_true", help="no limits, for measurements")
    server.add_argument(
        "--throttle-form", choices=["upper", "lower", "xml", "empty"], default="upper"
    )
    server.add_argument(
        "--quota", type=int, metavar="N", help="metered calls until all are refused"
    )
    changes = parser.add_argument_group("change data capture, where nobody knows")
    changes.add_argument("--cdc-most", type=int, default=usual["cdc_most"], metavar="N")
    for name, choices in CHOICES.items():
        flag = f"--{name.replace('_', '-')}"
        changes.add_argument(flag, choices=choices, default=usual[name])
    login = parser.add_argument_group("the login")
    for name in ("realm", "client_id", "client_secret", "refresh_token"):
        login.add_argument(f"--{name.replace('_', '-')}", default=usual[name])
    login.add_argument("--rotation", choices=ROTATIONS, default=usual["rotation"])
    login.add_argument("--reuse", choices=REUSES, default=usual["reuse"])
    login.add_argument(
        "--grace-seconds",
        type=float,
        default=usual["grace_seconds"],
        metavar="S",
        help="how long the refresh token before the newest still works",
    )
    webhooks = parser.add_argument_group("webhooks")
    webhooks.add_argument("--webhook", metavar="URL", help="where changes are told from the start")
    webhooks.add_argument("--verifier-token", default=usual["verifier_token"])
    return parser


if __name__ == "__main__":
    sys.exit(main())
