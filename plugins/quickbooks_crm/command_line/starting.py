"""How commands start a run, and tell what came of it."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from quickbooks_crm.command_line.command import every_company, person, say
from quickbooks_crm.command_line.showing import show_run
from quickbooks_crm.errors import BreakerTripped, QuickBooksCrmError, SettingsError
from quickbooks_crm.running import Request

Start = Callable[[str, str, Request], None]
"""Runs something for a company, by the run's id and what was asked for."""
Show = Callable[..., None]
"""Prints a run as `show_run` does."""


def start_each(asked: argparse.Namespace, start: Start, show: Show = show_run) -> int:
    """Start a run of every company that is asked for, and show what came of it; the exit code."""
    return max(_start(asked, name, start, show) for name in every_company(asked))


def _start(asked: argparse.Namespace, company: str, start: Start, show: Show) -> int:
    request, run_id = Request("command line", person(), tuple(asked.module)), new_run_id()
    try:
        start(company, run_id, request)
    except QuickBooksCrmError as error:
        return tell_stop(asked, company, run_id, error, show)
    show(asked, company, run_id)
    return 0


def tell_stop(
    asked: argparse.Namespace,
    company: str,
    run_id: str,
    error: QuickBooksCrmError,
    show: Show = show_run,
) -> int:
    """Tell what stopped a run, and show what it did before that; the exit code."""
    said = [str(error), *getattr(error, "__notes__", ())]
    told = [error.typed] if isinstance(error, BreakerTripped) else []
    if isinstance(error, SettingsError):
        say(asked, error)
    else:
        print(*(f"{company}: {sentence}" for sentence in [*said, *told]), sep="\n", file=sys.stderr)
    show(asked, company, run_id, said)
    return 2 if isinstance(error, SettingsError) else 1


def new_run_id() -> str:
    """The id of a run that is started now, by hand, outside Airflow."""
    return f"command-line__{datetime.now(UTC).isoformat(timespec='milliseconds')}"
