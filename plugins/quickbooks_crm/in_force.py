"""Which mapping a company uses for each module: a stored version that a person has put in force,
else the company's own file, else the module's usual file. All that runs and shows asks here."""

from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from quickbooks_crm import companies, fitting, mapping, versions
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingOutdated, SettingsError
from quickbooks_crm.mapping import Mapping, Written
from quickbooks_crm.mapping.problems import CHECK_AGAIN
from quickbooks_crm.mapping.reading import attempt
from quickbooks_crm.runs import Run
from quickbooks_crm.versions import Choice, Draft, New, Version, moment

NOT_STORED = "Nothing was stored. Correct the text, and store it again."


@dataclass(frozen=True)
class Origin:
    """Where the mapping of a module is from: its `file` below include/mappings/, which is the
    company's `own` or that of all, or the stored `version`; `choice` is the last that was made."""

    module: str
    file: str
    file_hash: str
    own: bool
    version: Version | None = None
    choice: Choice | None = None

    @property
    def file_changed(self) -> bool:
        """Whether the file is another one than when the stored version was put in force."""
        return bool(self.version and self.choice and self.choice.file_hash != self.file_hash)

    @property
    def same_as_file(self) -> bool:
        """Whether the mapping is what the file says."""
        return self.version is None or self.version.hash == self.file_hash

    @property
    def words(self) -> str:
        """It for a person."""
        if self.version is None:
            return f"{'own' if self.own else 'shared'} file {self.file}"
        since = f", {self.choice.words}" if self.choice else ""
        changed = f"; {self.file} has changed since" if self.file_changed else ""
        differs = "the same as" if self.same_as_file else "not the same as"
        return f"version {self.version.version}{since}; {differs} {self.file}{changed}"

    @property
    def warning(self) -> str | None:
        """What a person should know when the file was changed and is not used."""
        if not self.file_changed or self.same_as_file or self.version is None:
            return None
        return (
            f"include/mappings/{self.file} has changed since version {self.version.version} of "
            f"{self.module} was put in force. The version is used, the file is not: compare them "
            f"with mapping-compare {self.module} in-force file, and choose one with mapping-use."
        )


@dataclass(frozen=True)
class InForce:
    """The mappings of a company and where each is from, by module."""

    mappings: dict[str, Mapping]
    origins: dict[str, Origin] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What a person should know of files that are not used."""
        return [said for origin in self.origins.values() if (said := origin.warning)]


def of(
    connection: Connection[Any], company: Company, drafts: ReadOnly[str, int] | None = None
) -> InForce:
    """What is in force for a company, or would be with these versions in the place of that.

    Raises a `MappingError` that names everything that is wrong with it, and `SettingsError` when
    a version is not there.
    """
    files = files_of(company)
    wanted = drafts or {}
    _require_modules(company, files, wanted)
    given = {m: versions.version(connection, company.name, m, wanted[m]) for m in wanted}
    return _composed(connection, company, files, given)


def files_of(company: Company) -> dict[str, Written]:
    """What the files say of every module of a company."""
    return mapping.written(companies.INCLUDE / "mappings", company.mappings)


def of_files(company: Company) -> dict[str, Mapping]:
    """The mappings of the files that a company uses, whatever is stored. Raises a `MappingError`
    that names everything that is wrong with them."""
    return mapping.parse_written(files_of(company))


def store(connection: Connection[Any], company: Company, new: New) -> Version:
    """Store a mapping as the next version of its module; it is not in force by that.

    Raises `MappingOutdated` when a newer version has come than the one it is based on, and, for
    everything that is wrong with it, `MappingError`, or `SettingsError` where it does not fit the
    CRM's table: then nothing is stored.
    """
    files = files_of(company)
    _require_modules(company, files, [new.module])
    with connection.transaction():
        versions.one_writer(connection, company.name)
        newest = versions.newest(connection, company.name).get(new.module)
        if new.based_on != (newest.version if newest else 0):
            raise _newer(company, new, newest)
        given = {new.module: _next(company, new)}
        found = _composed(connection, company, files, given, NOT_STORED)
        fitting.require(connection, found.mappings, company, new.module)
        return versions.store(connection, company.name, new)


def use(
    connection: Connection[Any], company: Company, module: str, number: int | None, who: str
) -> None:
    """Put a version in force, or a module's file again: the next run takes it. Raises a
    `SettingsError` that names everything that is wrong, also with what it says of other modules."""
    with connection.transaction():
        versions.one_writer(connection, company.name)
        files = files_of(company)
        _require_modules(company, files, [module])
        given: dict[str, Version | None] = {module: None}
        if number is not None:
            given[module] = versions.version(connection, company.name, module, number)
        found = _composed(connection, company, files, given)
        fitting.require(connection, found.mappings, company, module)
        _choose(connection, company, files, module, number, who)


def drafts(
    connection: Connection[Any], company: Company, wanted: ReadOnly[str, int]
) -> dict[str, Draft]:
    """These versions, each with the last choice that was made for its module until now."""
    made = versions.choices(connection, company.name)
    return {m: Draft(wanted[m], made[m].choice if m in made else 0) for m in wanted}


def use_previewed(
    connection: Connection[Any], company: Company, preview: Run, who: str | None
) -> None:
    """Put the versions in force that a preview has shown. Raises `MappingOutdated` when another one
    was put in force since; a version that is in force already stays so."""
    shown, asked_by = versions.drafts(connection, preview)
    if not shown:
        return
    with connection.transaction():
        versions.one_writer(connection, company.name)
        made = versions.choices(connection, company.name)
        due = {m: draft for m, draft in shown.items() if not _is(made.get(m), draft.version)}
        for module, draft in due.items():
            if module in made and made[module].choice != draft.choice:
                raise _chosen_since(company, preview, module, draft, made[module])
        of(connection, company, {module: draft.version for module, draft in due.items()})
        files = files_of(company)
        for module, draft in due.items():
            by = who or asked_by or "nobody"
            _choose(connection, company, files, module, draft.version, by)


def as_filed(known: dict[str, Mapping], company: Company) -> dict[str, Mapping]:
    """The mappings, each had by name only where the module's file says so: Airflow's tasks are made
    from the files, and a module without tasks would never load."""
    return _as_filed(known, files_of(company))


def _as_filed(known: dict[str, Mapping], files: ReadOnly[str, Written]) -> dict[str, Mapping]:
    found = dict(known)
    for module in known.keys() & files.keys():
        if files[module].text != known[module].text:
            filed, _ = attempt(module, files[module].text, files[module].file)
            if filed:
                found[module] = replace(known[module], by_name=filed.by_name)
    return found


def _composed(
    connection: Connection[Any],
    company: Company,
    files: ReadOnly[str, Written],
    given: ReadOnly[str, Version | None],
    then: str = CHECK_AGAIN,
) -> InForce:
    """What the files say, but for modules of which a version is in force, or `given` here; of a
    module given as None the file."""
    made = versions.choices(connection, company.name)
    stored = {
        m: versions.version(connection, company.name, m, choice.version)
        for m, choice in made.items()
        if m in files and m not in given and choice.version is not None
    } | {m: version for m, version in given.items() if version}
    texts = dict(files) | {m: Written(v.file, v.content) for m, v in stored.items()}
    known = _as_filed(mapping.parse_written(texts, then), files)
    origins = {
        m: Origin(m, file.file, mapping.hashed(file.text), m in company.mappings, stored.get(m))
        for m, file in files.items()
    }
    chosen = {
        m: replace(origin, choice=made[m])
        for m, origin in origins.items()
        if m in made and m not in given
    }
    return InForce(known, origins | chosen)


def _choose(
    connection: Connection[Any],
    company: Company,
    files: ReadOnly[str, Written],
    module: str,
    number: int | None,
    who: str,
) -> None:
    file_hash = mapping.hashed(files[module].text)
    versions.choose(connection, company.name, module, number, file_hash, who)


def _require_modules(
    company: Company, files: ReadOnly[str, Written], modules: Iterable[str]
) -> None:
    """A module is one by its file: Airflow makes its tasks from that."""
    unknown = sorted(set(modules) - set(files))
    if unknown:
        raise SettingsError(
            f"There is no mapping for {', '.join(unknown)}. Known to company {company.name} are: "
            f"{', '.join(sorted(files))}. A new module begins as a file in include/mappings/."
        )


def _next(company: Company, new: New) -> Version:
    """A mapping as the version that it would be. Its text may be anything yet, also what has no
    hash and what no database takes."""
    made = (new.made_by, datetime.now(UTC), new.origin, new.note)
    return Version(company.name, new.module, new.based_on + 1, new.content, "", *made)


def _is(choice: Choice | None, version: int) -> bool:
    return choice is not None and choice.version == version


def _newer(company: Company, new: New, newest: Version | None) -> MappingOutdated:
    if newest is None:
        there = f"Company {company.name} has no version of {new.module} yet"
    else:
        there = (
            f"{newest.made_by} has stored version {newest.version} of {new.module} for company "
            f"{company.name} ({moment(newest.made_at)})"
        )
    return MappingOutdated(
        f"{there}, and this one is based on {new.based_on or 'none'}. Nothing was stored. Look at "
        f"what that version changed, and store again, based on {newest.version if newest else 0}."
    )


def _chosen_since(
    company: Company, preview: Run, module: str, draft: Draft, choice: Choice
) -> MappingOutdated:
    what = "the file" if choice.version is None else f"version {choice.version}"
    return MappingOutdated(
        f"{choice.chosen_by} has put {what} of {module} in force for company {company.name} "
        f"({moment(choice.chosen_at)}) since preview {preview.run_id} showed version "
        f"{draft.version}. Nothing was put in force and no row was moved. Preview the version "
        "again, and say Yes to that."
    )
