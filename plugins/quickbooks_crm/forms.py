"""What Airflow asks a person who starts a run, and what is known of a run from their answers."""

from typing import Any

from airflow.sdk import Param

from quickbooks_crm.correcting import WHATS, Correction
from quickbooks_crm.reasons import HELD
from quickbooks_crm.running import Request

PLAIN = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$", "maxLength": 250}
"""A run id or a module's name: what neither is may not even be a text that a database holds."""

TRIGGERS = {"asset_triggered": "webhook"}
"""What we call a trigger, where Airflow calls it otherwise."""


def answered(context: Any) -> Request:
    """Who or what has started the run of a task, and what they ask for; each form has its own
    questions."""
    run, answers = context["dag_run"], context["params"]
    trigger = str(run.run_type.value)
    return Request(
        TRIGGERS.get(trigger, trigger),
        run.triggering_user_name,
        tuple(answers.get("modules", ())),
        answers.get("previewed", ""),
        answers.get("versions", {}),
        answers.get("older", False),
    )


def correction(context: Any) -> Correction:
    """What a person asks for who wants the CRM put right."""
    answers = context["params"]
    what, reasons = answers["what"], tuple(answers["reasons"])
    return Correction(what, answered(context), reasons, answers["run"])


def sync(modules: list[str]) -> dict[str, Param]:
    """What a person who starts a sync by hand is asked."""
    return {
        "modules": _which(
            modules, "What to bring up to date. A module's references load before it."
        ),
        "everything": Param(
            False,
            type="boolean",
            title="Read everything again",
            description="Reads QuickBooks wholly instead of only what changed. Costs about one "
            "call for every 1,000 records, and finds deletes that QuickBooks never told of.",
        ),
        "previewed": Param(
            "",
            **PLAIN,
            title="Preview",
            description="The run id of a preview, whose mappings and modules are used instead.",
        ),
    }


def _which(modules: list[str], description: str) -> Param:
    return Param(
        modules,
        type="array",
        items={"type": "string", "enum": modules},
        examples=modules,
        title="Modules",
        description=description,
    )


def preview(modules: list[str]) -> dict[str, Param]:
    """What a person who starts a preview is asked."""
    return {
        "modules": _which(modules, "What to preview, and to bring up to date after a Yes."),
        "read": Param(
            True,
            type="boolean",
            title="Read what changed in QuickBooks first",
            description="Costs what a sync's reading costs, usually one call. Without it the "
            "preview begins with what was read last.",
        ),
        "older": Param(
            True,
            type="boolean",
            title="Bring older records to a changed mapping, too",
            description="Where a mapping has changed, a Yes brings all records to it, also those "
            "that have not changed in QuickBooks. Costs no call.",
        ),
        "versions": Param(
            {},
            type="object",
            additionalProperties={"type": "integer", "minimum": 1},
            title="Stored mappings",
            description="Versions to preview instead of the mappings in force, such as "
            '{"accounts": 3}. A Yes puts them in force.',
        ),
    }


def reconcile() -> dict[str, Param]:
    """What a person who starts a reconcile is asked."""
    return {
        "everything": Param(
            False,
            type="boolean",
            title="Compare every record",
            description="Reads QuickBooks wholly instead of only where counts differ. Costs "
            "about one call for every 1,000 records, and finds fields that QuickBooks changes "
            "without saying so. Done every four weeks without being asked for.",
        ),
        "repair": Param(
            False,
            type="boolean",
            title="Repair what differs",
            description="Makes the mirror right, and starts a sync that brings the CRM in step. It "
            "overwrites what people have changed in columns that QuickBooks fills.",
        ),
    }


def correct(modules: list[str]) -> dict[str, Param]:
    """What a person who starts a retry, a replay or an undo is asked."""
    whats = {
        "retry": "Try again what is held back",
        "replay": "Bring all records to the mappings as they are now (replay)",
        "undo": "Undo a run",
    }
    return {
        "what": Param(
            "retry",
            type="string",
            enum=list(WHATS),
            values_display=whats,
            title="What to do",
            description="None of these calls QuickBooks.",
        ),
        "modules": Param(
            [],
            type="array",
            items=PLAIN,
            examples=modules,
            title="Modules",
            description="Which ones; none chosen means all.",
        ),
        "reasons": Param(
            [],
            type="array",
            items={"type": "string", "enum": list(HELD)},
            examples=list(HELD),
            title="Reasons, of a retry",
            description="Only what is held back for one of these. None chosen means all but what "
            "is excluded, undone or unlinked.",
        ),
        "run": Param(
            "",
            **PLAIN,
            title="Run, of an undo",
            description="The run id of the run to undo.",
        ),
        "ask_first": Param(
            True,
            type="boolean",
            title="Ask first",
            description="Show what would be done, and do it after a Yes.",
        ),
        "previewed": Param(
            "",
            **PLAIN,
            title="Preview",
            description="The run id of a preview whose question was answered with Yes; it says all "
            "else.",
        ),
    }
