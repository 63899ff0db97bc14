"""Commands that take back what a run did."""

import argparse
import json
from collections.abc import Iterator

from quickbooks_crm import activity, undoing, wording
from quickbooks_crm.command_line.command import ONE, SEVERAL, YES, Command, only_company, person
from quickbooks_crm.command_line.starting import new_run_id
from quickbooks_crm.undoing import Report, Wish


def _undo(asked: argparse.Namespace) -> None:
    wish = Wish(asked.run_id, "command line", person(), tuple(asked.module))
    company, run_id = only_company(asked), new_run_id()
    undo = undoing.rehearse if asked.plan else undoing.carry_out
    report = undo(company, run_id, wish)
    if asked.json:
        print(json.dumps(_plain(report, asked.plan), default=str))
        return
    if asked.plan:
        print(f"To undo {asked.run_id} would do this; nothing was done.")
        print(*wording.told(report.run), sep="\n")
    else:
        print(wording.summary(report.run))
    for module, rows in report.kept.items():
        print(f"Kept in {module}:")
        print(wording.listing(rows))
    if not asked.plan and any(module.read > module.kept for module in report.run.counts):
        print(*_afterwards(company, report), sep="\n")


def _afterwards(company: str, report: Report) -> Iterator[str]:
    """What a person may want to do next."""
    command = "python -m quickbooks_crm"
    if not report.again:
        yield (
            "What was undone stays so until it or its mapping changes. To bring it in as the "
            f"mapping is now: {command} retry --company {company} --reason undone"
        )
    back = "To take that back" if report.again else "To do it again"
    yield f"{back}: {command} undo --company {company} {report.run.run_id}"


def _plain(report: Report, plan: bool) -> dict[str, object]:
    names = ("entity", "id", "record_key", "reason", "message", "details")
    kept = [
        {"module": module} | {name: getattr(row, name) for name in names}
        for module, rows in report.kept.items()
        for row in rows
    ]
    return {"plan": plan, **activity.as_json(report.run), "kept": kept}


COMMANDS = {
    "undo": Command(
        _undo,
        "undo what a run did in the CRM, as far as nobody has changed it since",
        {
            "run_id": {"metavar": "RUN_ID", "help": "the run to undo, as `activity` calls it"},
            "--company": ONE,
            "--module": SEVERAL | {"help": "only this module; may be repeated"},
            "--plan": YES | {"help": "only tell what would be done, and what would be kept"},
        },
    ),
}
