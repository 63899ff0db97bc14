"""What a person is shown before they say Yes to a sync: what it would do, and by which settings."""

from collections.abc import Collection, Iterator
from collections.abc import Mapping as ReadOnly

from quickbooks_crm import activity, answers, database, runs, versions, wording
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.running import run_of, settled


def worth_asking(company: str, run_id: str, work: Collection[str] | None) -> bool:
    """Whether a Yes would change anything: records, or only which mapping is in force. `work` is
    what the preview has found to load, None where it did not come so far."""
    if work is None:
        return False
    with database.connect() as connection:
        drafts, _ = versions.drafts(connection, run_of(company, run_id))
    return bool(work or drafts)


def question(company: str, run_id: str) -> str:
    """What a preview found, counted, and the settings of the import that a Yes would start."""
    run = run_of(company, run_id)
    with database.connect() as connection:
        found = activity.run(connection, run.realm, run.run_id)
        known = runs.asked(connection, run)
        of_company = settled(connection, run)
        drafts, _ = versions.drafts(connection, run)
    new = [versions.called(module, draft.version) for module, draft in drafts.items()]
    first = (
        f"A Yes puts in force: {'; '.join(new)}. It imports with" if new else "A Yes imports with"
    )
    counts = wording.summary(found) if found else f"Run {run_id} has not started."
    return "\n".join([counts, "", f"{first} these settings:", *_of(known, of_company)])


def answered(company: str, run_id: str, said: str, told: ReadOnly[str, str | None]) -> None:
    """Write down what a person has said to a preview: `told` is what Airflow knows of it. After a
    No the versions it has shown are not offered any more. Raises `SettingsError` when that is not
    what was `said`, or something else was said before."""
    if told.get("said") != said:
        raise SettingsError(
            f"Airflow knows of no {said} to preview {run_id}: its question was not answered, but "
            "its task set to an end by hand. Nothing was changed. Preview it anew, and answer that."
        )
    run = run_of(company, run_id)
    with database.connect() as connection:
        answers.write_down(connection, run, said, told.get("by"))
        drafts, _ = versions.drafts(connection, run)
        for module, draft in drafts.items() if said == "No" else ():
            versions.withdraw(connection, company, module, draft.version)


def _of(known: dict[str, Mapping], company: Company) -> Iterator[str]:
    for module, mapping in known.items():
        yield f"{module}: {settings(mapping)}"
    yield (
        f"all: default owner {company.default_owner or 'nobody'}, sub-customers "
        f"{company.child_accounts}, documents from {company.start_date or 'any day'} on"
    )


def settings(mapping: Mapping) -> str:
    """How a module is imported, in the words of its mapping."""
    key = f"{mapping.key} within {mapping.within}" if mapping.within else mapping.key
    told = {
        "mode": mapping.mode,
        "key": key or "none",
        "check fields": " + ".join(mapping.check) or "none",
        "separator": mapping.separator,
        "unknown keywords": ", ".join([mapping.unknown_keywords, *_other_policies(mapping)]),
        "unknown owner": mapping.unknown_owner,
        "default owner": mapping.default_owner,
        "sub-customers": mapping.child_accounts,
    }
    return "; ".join(f"{word} {value}" for word, value in told.items() if value)


def _other_policies(mapping: Mapping) -> Iterator[str]:
    """What becomes of unknown keywords in fields with a policy of their own."""
    others: dict[str, list[str]] = {}
    for part in mapping.parts:
        for name, field in part.fields.items():
            own = field.keywords.unknown if field.keywords else None
            if own and own != mapping.unknown_keywords:
                others.setdefault(own, []).append(part.at + name)
    for policy, names in others.items():
        yield f"{policy} for {', '.join(names)}"
