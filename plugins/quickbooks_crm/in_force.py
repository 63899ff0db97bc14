"""Which mapping a company uses for each module: a stored version that a person has put in force,
else the company's own file, else the module's usual file. All that runs and shows asks here."""

from collections.abc import Iterable, Iterator
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

NOT_YET = datetime.max.replace(tzinfo=UTC)
"""When a version was stored that is only tried."""

NOT_STORED = "Nothing was stored. Correct the text, and store it again."


@dataclass(frozen=True)
class Origin:
    """Where the mapping of a module is from: what its file says, which is the company's `own` or
    that of all, or the stored `version`; `choice` is the last that was made."""

    module: str
    filed: Written
    own: bool
    version: Version | None = None
    choice: Choice | None = None

    @property
    def file(self) -> str:
        """The file's place below include/mappings/."""
        return self.filed.file

    @property
    def file_hash(self) -> str:
        """What the text of the file is known by, as it is now."""
        return mapping.hashed(self.filed.text)

    @property
    def used(self) -> Written:
        """The words that are in force."""
        return Written(self.version.file, self.version.content) if self.version else self.filed

    @property
    def file_changed(self) -> bool:
        """Whether the file is another one than when the stored version was put in force."""
        return bool(self.version and self.choice and self.choice.file_hash != self.file_hash)

    @property
    def by_name(self) -> bool:
        """Whether only companies that name the module have it, as far as its file can be read."""
        filed, _ = attempt(self.module, self.filed.text, self.filed.file)
        return bool(filed and filed.by_name)

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
            "on the page Mappings, and put one of them in force there."
        )

    def typed(self, company: str) -> Iterator[str]:
        """The same for a terminal: what to type, a line each."""
        if self.version:
            command, of = "python -m quickbooks_crm", f"--company {company} {self.module}"
            yield f"To compare them: {command} mapping-compare {of} in-force file"
            yield f"To put the file in force: {command} mapping-use {of} file"
            yield f"To keep the version: {command} mapping-use {of} {self.version.version}"


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
    wanted = drafts or {}
    there = origins(connection, company)
    _require_modules(company, there, wanted)
    given = {m: versions.version(connection, company.name, m, wanted[m]) for m in wanted}
    return _composed(there, given)


def origins(connection: Connection[Any], company: Company) -> dict[str, Origin]:
    """Where the mapping of each module is from, whatever is wrong with what it says."""
    made = versions.choices(connection, company.name)
    found = {}
    for module, filed in files_of(company).items():
        choice = made.get(module)
        version = None
        if choice and choice.version is not None:
            version = versions.version(connection, company.name, module, choice.version)
        found[module] = Origin(module, filed, module in company.mappings, version, choice)
    return found


def for_loads(connection: Connection[Any], company: Company) -> dict[str, Mapping]:
    """The mappings in force as the company's loads know them, in load order: what becomes of
    sub-customers changes what they say. Raises a `MappingError` as `of` does."""
    known = mapping.with_children(of(connection, company).mappings, company.child_accounts)
    return {module: known[module] for module in mapping.load_order(known)}


def taken(connection: Connection[Any], company: Company) -> dict[str, Mapping]:
    """The same of the modules that a company takes."""
    known = for_loads(connection, company)
    return {m: own for m, own in known.items() if company.takes(m, own.by_name)}


def files_of(company: Company) -> dict[str, Written]:
    """What the files say of every module of a company."""
    return mapping.written(companies.INCLUDE / "mappings", company.mappings)


def store(connection: Connection[Any], company: Company, new: New) -> Version:
    """Store a mapping as the next version of its module; it is not in force by that. The newest
    version again, where it says just this already.

    Raises `MappingOutdated` when a newer version has come than the one it is based on, and, for
    everything that is wrong with it, `MappingError`, or `SettingsError` where it does not fit the
    CRM's table: then nothing is stored.
    """
    with connection.transaction():
        versions.one_writer(connection, company.name)
        there = origins(connection, company)
        _require_modules(company, there, [new.module])
        newest = versions.newest(connection, company.name).get(new.module)
        if new.based_on != (newest.version if newest else 0):
            raise _newer(company, new, newest)
        if newest and newest.hash == versions.hashed(new.content):
            return newest
        found = _composed(there, {new.module: _next(company, new)}, NOT_STORED)
        fitting.require(connection, found.mappings, company, new.module)
        return versions.store(connection, company.name, new)


def said_of(new: New, stored: Version) -> str:
    """What a person is told who has stored a mapping."""
    if stored.version == new.based_on:
        return f"Version {stored.version} of {new.module} says just this. Nothing was stored."
    return f"Stored as version {stored.version} of {new.module}. It is not in force yet."


def use(
    connection: Connection[Any], company: Company, module: str, number: int | None, who: str
) -> None:
    """Put a version in force, or a module's file again: the next run takes it. Raises a
    `SettingsError` that names everything that is wrong, also with what it says of other modules."""
    with connection.transaction():
        versions.one_writer(connection, company.name)
        there = origins(connection, company)
        _require_modules(company, there, [module])
        given: dict[str, Version | None] = {module: None}
        if number is not None:
            given[module] = versions.version(connection, company.name, module, number)
        found = _composed(there, given)
        fitting.require(connection, found.mappings, company, module)
        file_hash = there[module].file_hash
        versions.choose(connection, company.name, module, number, file_hash, who)


def restore(
    connection: Connection[Any], company: Company, module: str, number: int, based_on: int, who: str
) -> Version:
    """Store the text of an earlier version as the next one, and put that in force. Raises what
    `store` and `use` do; then nothing is stored."""
    with connection.transaction():
        old = versions.version(connection, company.name, module, number)
        note = f"version {number} again"
        new = New(module, old.content, based_on, who, "restore", note)
        stored = store(connection, company, new)
        use(connection, company, module, stored.version, who)
    return stored


def require_last_choice(
    connection: Connection[Any], company: Company, module: str, seen: int
) -> None:
    """Raise `MappingOutdated` when something else was put in force since the choice that a person
    has seen as the last one; 0 is none. Nobody chooses until the transaction ends."""
    versions.one_writer(connection, company.name)
    last = versions.choices(connection, company.name).get(module)
    if last and last.choice != seen:
        raise MappingOutdated(
            f"{last.chosen_by} has put {last.what} of {module} in force for company "
            f"{company.name} ({moment(last.chosen_at)}) since you looked. Nothing was put in "
            "force. Look again, and choose then."
        )


def drafts(
    connection: Connection[Any], company: Company, wanted: ReadOnly[str, int]
) -> dict[str, Draft]:
    """These versions, each with the last choice that was made for its module until now."""
    made = versions.choices(connection, company.name)
    return {m: Draft(wanted[m], made[m].choice if m in made else 0) for m in wanted}


def offer(
    connection: Connection[Any], company: Company, wanted: ReadOnly[str, int], who: str
) -> None:
    """Let a preview show these versions, and its Yes put them in force: a person with the right to
    put mappings in force wants it. Raises `SettingsError` for one that is not there."""
    with connection.transaction():
        versions.one_writer(connection, company.name)
        _require_modules(company, files_of(company), wanted)
        for module, number in wanted.items():
            found = versions.version(connection, company.name, module, number)
            versions.offer(connection, company.name, module, found.version, who)


def require_offered(
    connection: Connection[Any], company: Company, wanted: ReadOnly[str, int]
) -> None:
    """Raise `SettingsError` for versions that are neither in force nor offered: who may start runs
    chooses no mapping by that."""
    offers, made = versions.offered(connection, company.name), {}
    if wanted:
        made = versions.choices(connection, company.name)
    for module, number in wanted.items():
        if offers.get(module) != number and not _is(made.get(module), number):
            raise SettingsError(
                f"Version {number} of {module} is not in force for company {company.name}, and "
                "was not offered for an import. Nothing was read and nothing was changed. Whoever "
                "may change the company's connection offers it: with Start import on the page "
                "Import, or Preview on the page Mappings; that holds for a day."
            )


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
        found = of(connection, company, {module: draft.version for module, draft in due.items()})
        for module, draft in due.items():
            by, file_hash = who or asked_by or "nobody", found.origins[module].file_hash
            versions.choose(connection, company.name, module, draft.version, file_hash, by)


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
    there: ReadOnly[str, Origin],
    given: ReadOnly[str, Version | None],
    then: str = CHECK_AGAIN,
) -> InForce:
    """What is in force, but for modules of which a version is `given` here, or None for the
    file."""
    found = {
        m: replace(origin, version=given[m], choice=None) if m in given else origin
        for m, origin in there.items()
    }
    known = mapping.parse_written({m: origin.used for m, origin in found.items()}, then)
    return InForce(_as_filed(known, {m: origin.filed for m, origin in found.items()}), found)


def _require_modules(company: Company, known: Iterable[str], modules: Iterable[str]) -> None:
    """A module is one by its file: Airflow makes its tasks from that."""
    files = sorted(known)
    unknown = sorted(set(modules) - set(files))
    if unknown:
        raise SettingsError(
            f"There is no mapping for {', '.join(unknown)}. Known to company {company.name} are: "
            f"{', '.join(files)}. A new module begins as a file in include/mappings/."
        )


def _next(company: Company, new: New) -> Version:
    """A mapping as the version that it would be. Its text may be anything yet, also what has no
    hash and what no database takes."""
    made = (new.made_by, NOT_YET, new.origin, new.note)
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
    return MappingOutdated(
        f"{choice.chosen_by} has put {choice.what} of {module} in force for company {company.name} "
        f"({moment(choice.chosen_at)}) since preview {preview.run_id} showed version "
        f"{draft.version}. Nothing was put in force and no row was moved. Preview the version "
        "again, and say Yes to that."
    )
