"""The command line: `python -m quickbooks_crm COMMAND`. Exit code 0: fine, 1: the run failed, 2:
settings or usage wrong."""

import argparse
import getpass
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.errors import InvalidSchemaName, UndefinedColumn, UndefinedTable

# Airflow's own commands find connections in its metadata database too; this makes it do the same
# for ours.
os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")

from quickbooks_crm import activity, companies, database, pipeline
from quickbooks_crm.errors import QuickBooksCrmError, SchemaOutdated, SettingsError

NOT_MIGRATED = "The CRM database is not ready. Run: python -m quickbooks_crm migrate"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    asked = _parser().parse_args(arguments)
    logging.getLogger("quickbooks_crm").setLevel(logging.INFO)
    try:
        return int(asked.run(asked) or 0)
    except SettingsError as error:
        _say(asked, error)
        return 2
    except QuickBooksCrmError as error:
        _say(asked, error)
        return 1
    except (UndefinedTable, UndefinedColumn, InvalidSchemaName):
        _say(asked, SchemaOutdated(NOT_MIGRATED))
        return 2


def _migrate(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        applied = database.migrate(connection)
    said = "Applied: " + ", ".join(applied) if applied else "The database is up to date."
    print(json.dumps({"applied": applied}) if asked.json else said)


def _install_crm(asked: argparse.Namespace) -> None:
    found = companies.load(pipeline.INCLUDE / "companies")
    with database.connect() as connection:
        database.install_crm(connection, pipeline.INCLUDE / "crm")
        names = {company.crm_company: company.title for company in found.values()}
        database.add_companies(connection, pipeline.INCLUDE / "crm", names)
    said = "The reference CRM is in place, with companies: " + ", ".join(sorted(found))
    print(json.dumps({"companies": sorted(found)}) if asked.json else said)


def _check(asked: argparse.Namespace) -> None:
    pipeline.check_files(asked.company)
    said = "Mappings, companies and tables fit together."
    print(json.dumps({"problems": 0}) if asked.json else said)


def _sync(asked: argparse.Namespace) -> int:
    names = asked.company or companies.names(pipeline.INCLUDE / "companies")
    request = pipeline.Request("command line", getpass.getuser(), tuple(asked.module))
    code = 0
    for name in names:
        run_id = f"command-line__{datetime.now(UTC).isoformat(timespec='milliseconds')}"
        try:
            pipeline.sync(name, run_id, request, asked.everything)
        except SettingsError as error:
            code = 2
            _say(asked, error)
        except QuickBooksCrmError as error:
            code = max(code, 1)
            print(f"{name}: {error}", file=sys.stderr)
        _show(asked, name, limit=1)
    return code


def _activity(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        names = asked.company or activity.companies(connection)
    for name in names:
        _show(asked, name, asked.limit)


def _show(asked: argparse.Namespace, company: str, limit: int) -> None:
    with database.connect() as connection:
        for listed in activity.runs(connection, [company], limit):
            run = activity.run(connection, listed.realm, listed.run_id)
            if run:
                print(
                    json.dumps(activity.as_json(run))
                    if asked.json
                    else activity.summary(run) + "\n"
                )
                if getattr(asked, "rows", False):
                    _show_rows(connection, run, asked.json)


def _show_rows(connection: Connection[Any], run: activity.Run, as_json: bool) -> None:
    """The rows that are not in the CRM, each on a line of its own."""
    for module in run.counts:
        for outcome in ("not_added", "duplicate", "excluded"):
            for row in _every_row(connection, run, module.module, outcome):
                plain = {"module": module.module, **asdict(row)}
                print(json.dumps(plain, default=str) if as_json else activity.listing([row]))


def _every_row(
    connection: Connection[Any], run: activity.Run, module: str, outcome: str
) -> Iterator[activity.Row]:
    after = ("", "")
    while page := activity.rows(connection, run.realm, run.run_id, module, outcome, after):
        yield from page
        after = (page[-1].id, page[-1].entity)


def _say(asked: argparse.Namespace, error: QuickBooksCrmError) -> None:
    if asked.json:
        print(json.dumps({"error": error.code, "message": str(error)}))
    else:
        print(error, file=sys.stderr)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quickbooks_crm",
        description="Keep a CRM in Postgres true to QuickBooks Online.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, words, options) in _COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(run=run)
        for flag, settings in (_COMMON | options).items():
            command.add_argument(flag, **settings)
    return parser


_SEVERAL = {"action": "append", "default": [], "metavar": "NAME"}
_YES = {"action": "store_true"}
_COMMON: dict[str, dict[str, Any]] = {
    "--json": _YES | {"help": "print JSON, one object a line"},
    "--company": _SEVERAL | {"help": "a file in include/companies/; may be repeated; default: all"},
}
_COMMANDS: dict[str, tuple[Callable[..., int | None], str, dict[str, dict[str, Any]]]] = {
    "migrate": (_migrate, "bring the schemas quickbooks and sync up to date", {}),
    "install-crm": (
        _install_crm,
        "create the reference CRM's tables and the companies in it",
        {},
    ),
    "check": (_check, "check mappings, companies and tables without touching any data", {}),
    "sync": (
        _sync,
        "run a sync now, without Airflow's scheduler",
        {
            "--module": _SEVERAL | {"help": "only this module; may be repeated"},
            "--everything": _YES | {"help": "read QuickBooks wholly, not only what changed"},
        },
    ),
    "activity": (
        _activity,
        "show what the last runs did",
        {
            "--limit": {
                "type": _positive,
                "default": 1,
                "metavar": "N",
                "help": "how many runs of each company; default: 1",
            },
            "--rows": _YES
            | {"help": "also the rows not added, duplicate and excluded (customer data)"},
        },
    ),
}


def _log_to_standard_error() -> None:
    """Airflow logs to standard output, which is for what was asked: scripts read it."""
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(sys.stderr)


if __name__ == "__main__":
    _log_to_standard_error()
    sys.exit(main())
