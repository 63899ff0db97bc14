"""What begins runs, in words."""

WORDS = {
    "manual": "by hand",
    "scheduled": "the schedule",
    "webhook": "a webhook",
    "command line": "in a terminal",
    "operator_triggered": "a Yes",
    "backfill": "a backfill",
}
AFTER_ANOTHER = "another run"
"""What has begun a run by itself, such as the repair of a reconcile."""


def words(trigger: str, previewed: str | None) -> str:
    """What has begun a run; `previewed` is the preview that a person has said Yes to."""
    if trigger == "operator_triggered" and not previewed:
        return AFTER_ANOTHER
    return WORDS.get(trigger, trigger)


def called(text: str) -> list[str]:
    """The triggers in whose words a text is; none for no text."""
    wanted = text.lower()
    told = [*WORDS.items(), ("operator_triggered", AFTER_ANOTHER)]
    return sorted({trigger for trigger, said in told if wanted and wanted in said.lower()})
