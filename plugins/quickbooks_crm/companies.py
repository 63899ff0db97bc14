"""The companies that are kept in step: a file each in include/companies/, named after it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast, get_args

from pydantic import BeforeValidator

from quickbooks_crm.breakers import Threshold, Thresholds
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping.document import Document, of_file, read
from quickbooks_crm.mapping.model import ChildAccounts
from quickbooks_crm.mapping.problems import Problem, quoted, report, suggestion
from quickbooks_crm.mapping.shape import (
    Module,
    Sentence,
    Strict,
    is_module_name,
    listed,
    one_of,
    problems_of,
    refuse,
    text,
    whole,
)
from quickbooks_crm.mapping.together import files, misnamed
from quickbooks_crm.mapping.words import COMPANY, Vocabulary
from quickbooks_crm.retention import Retention

INCLUDE = Path(__file__).parents[2] / "include"
"""Where the project keeps its mappings and companies."""

WEEKLY = "41 2 * * 0"
"""When a company with a schedule is reconciled if its file does not say: Sunday night."""

_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_CONNECTION = re.compile(r"[A-Za-z0-9_.-]{1,200}", re.ASCII)
_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_DAYS = "sun mon tue wed thu fri sat"
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_CRON = ((0, 59, ""), (0, 23, ""), (1, 31, ""), (1, 12, _MONTHS), (0, 7, _DAYS))
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MANY = 1_000_000_000
_OWN_FILE = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*\.yaml", re.ASCII)
_CRON_PART = re.compile(r"(\*|\w+(-\w+)?)(/[1-9]\d{0,2})?", re.ASCII)


@dataclass(frozen=True)
class Notifier:
    """Which of Airflow's notifiers tells people of a company: a class by its dotted name, and what
    it is made with."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Company:
    """A company of QuickBooks, and what of it goes where.

    `name` is the file's, `title` what people call it. `quickbooks` is the Airflow connection to it,
    `schedule` a cron expression in UTC or None when it runs by hand only, `crm_company` what stands
    in the company column of its CRM records, `breakers` when it is too much at once, `retention`
    how long what is kept, `reconcile` the schedule of its comparisons, `default_owner` the External
    User Id of who owns records that nobody else does, `child_accounts` what becomes of
    sub-customers, `start_date` the day before which documents stay out, `mappings` the files below
    include/mappings/ that it uses in the place of modules' usual ones, `notify` who tells people
    what needs them.
    """

    name: str
    title: str
    quickbooks: str
    schedule: str | None
    modules: tuple[str, ...] | None
    crm_company: str
    breakers: Thresholds = field(default_factory=Thresholds)
    retention: Retention = field(default_factory=Retention)
    reconcile: str | None = None
    default_owner: str | None = None
    child_accounts: ChildAccounts = "child_account"
    start_date: str | None = None
    mappings: Mapping[str, str] = field(default_factory=dict)
    notify: Notifier | None = None

    @property
    def for_loads(self) -> dict[str, str | None]:
        """What the loads of a run depend on, stored with the run."""
        return {
            "crm_company": self.crm_company,
            "default_owner": self.default_owner,
            "child_accounts": self.child_accounts,
            "start_date": self.start_date,
        }

    def settled(self, settings: Mapping[str, str | None]) -> "Company":
        """The company as a run has settled on it, whatever became of its file since."""
        known = {name: settings[name] for name in self.for_loads if name in settings}
        return replace(self, **known)  # type: ignore[arg-type]  # by name, each of its own type

    def takes(self, module: str, by_name: bool = False) -> bool:
        """Whether the module is brought in for this company. One that is had `by_name` is, only
        when the company names it."""
        return not by_name if self.modules is None else module in self.modules


def load(directory: Path, modules: Collection[str] | None = None) -> dict[str, Company]:
    """Every company that has a file in the directory, by its name.

    Given the modules there are, those that a company names must be among them. One SettingsError
    names all problems of all files.
    """
    known, problems = looked_at(directory, modules)
    if any(problems.values()):
        raise SettingsError(report(problems, "company"))
    return known


def looked_at(
    directory: Path, modules: Collection[str] | None
) -> tuple[dict[str, Company], dict[str, list[Problem]]]:
    """The companies that are right, and all that is wrong, by file. Raises a `SettingsError` when
    there are no files."""
    found = {file.name: _attempt(file, modules) for file in files(directory)}
    if not found:
        raise SettingsError(
            f"There are no companies: {directory} holds no files that end in .yaml. Add one for "
            "each company (docs/mappings.md, The file of a company), and connect it "
            "(docs/connecting.md)."
        )
    problems = {file: list(said) for file, (_, _, said) in found.items()}
    for file, problem in _shared(found):
        problems[file].append(problem)
    return {company.name: company for company, _, _ in found.values() if company}, problems


def load_one(directory: Path, name: str) -> Company:
    """The company of that name, looking at no other one's file."""
    known = names(directory)
    if name not in known:
        raise SettingsError(
            f"There is no company {quoted(name)}: {directory} has no file of that name. "
            f"{suggestion(name, known) if known else 'Add one.'}"
        )
    company, _, problems = _attempt(directory / f"{name}.yaml", None)
    if company is None:
        raise SettingsError(report({f"{name}.yaml": problems}, "company"))
    return company


def place(directory: Path, name: str, word: str) -> str:
    """Where a word of a company's file is, for a message."""
    written, _ = of_file(directory / f"{name}.yaml")
    return f"{name}.yaml line {read(written).line((word,))}"


def names(directory: Path) -> list[str]:
    """The names of the companies that have a file, whatever is in it."""
    return [f.stem for f in files(directory) if f.suffix == ".yaml" and is_module_name(f.stem)]


def _connection(written: Any) -> str:
    word = text(written)
    if not _CONNECTION.fullmatch(word):
        refuse(f"is not a connection: {quoted(word)}. Write its id, such as quickbooks_sample.")
    return word


def _day(written: Any) -> str:
    word = text(written)
    try:
        return date.fromisoformat(word if _DAY.fullmatch(word) else "").isoformat()
    except ValueError:
        refuse(f"is not a day: {quoted(word)}. Write year-month-day, such as 2024-01-01.")


def _own_file(written: Any) -> str:
    word = text(written)
    if not _OWN_FILE.fullmatch(word):
        refuse(
            f"is not a file in a folder of include/mappings: {quoted(word)}. Write folder and "
            "file, in small letters, such as sample/accounts.yaml."
        )
    return word


def _schedule(written: Any) -> str:
    word = text(written)
    if word not in _PRESETS and not _is_cron(word):
        refuse(
            f"is not a schedule: {quoted(word)}. Write minute, hour, day, month and weekday, "
            f"such as '7 * * * *', or one of {', '.join(_PRESETS)}, or null to run by hand only."
        )
    return word


def _is_cron(expression: str) -> bool:
    fields = expression.split()
    return len(fields) == len(_CRON) and all(
        _CRON_PART.fullmatch(part) and all(_within(number, *limits) for number in _numbers(part))
        for field, limits in zip(fields, _CRON, strict=True)
        for part in field.split(",")
    )


def _numbers(part: str) -> list[str]:
    span = part.partition("/")[0]
    return [] if span == "*" else span.split("-")


def _within(written: str, low: int, high: int, spelled: str) -> bool:
    if written.lower() in spelled.split():
        return True
    return written.isdigit() and low <= int(written[:9]) <= high


class _ThresholdShape(Strict):
    words: ClassVar[Vocabulary] = COMPANY
    percent: Annotated[int, BeforeValidator(whole(1, 100))] | None = None
    at_least: Annotated[int, BeforeValidator(whole(1, _MANY))] | None = None


class _DeleteShape(_ThresholdShape):
    always_above: Annotated[int, BeforeValidator(whole(1, _MANY))] | None = None


class _BreakersShape(Strict):
    words: ClassVar[Vocabulary] = COMPANY
    mass_delete: _DeleteShape = _DeleteShape()
    mass_change: _ThresholdShape = _ThresholdShape()
    mass_clear: _ThresholdShape = _ThresholdShape()
    too_many_rejects: _ThresholdShape = _ThresholdShape()


def _days(written: Any) -> int:
    word = text(written)
    number, _, unit = word.partition(" ")
    if unit not in ("day", "days") or not re.fullmatch(r"[1-9][0-9]{0,4}", number):
        refuse(f"is no number of days: {quoted(word)}. Write, for example, 90 days.")
    return int(number)


Days = Annotated[int, BeforeValidator(_days)]


class _RetentionShape(Strict):
    words: ClassVar[Vocabulary] = COMPANY
    unchanged: Days | None = None
    images: Days | None = None
    outcomes: Days | None = None
    calls: Days | None = None


def _class(written: Any) -> str:
    word = text(written)
    if not _CLASS.fullmatch(word):
        refuse(
            f"is no class: {quoted(word)}. Write its module and name with dots, such as "
            "airflow.providers.smtp.notifications.smtp.SmtpNotifier."
        )
    return word


class _NotifyShape(Strict):
    words: ClassVar[Vocabulary] = COMPANY
    notifier: Annotated[str, BeforeValidator(_class)]
    arguments: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it


class _CompanyShape(Strict):
    words: ClassVar[Vocabulary] = COMPANY
    name: Sentence
    quickbooks: Annotated[str, BeforeValidator(_connection)]
    schedule: Annotated[str, BeforeValidator(_schedule)] | None = None
    modules: Annotated[list[Module], BeforeValidator(listed)] | None = None
    crm_company: Sentence | None = None
    breakers: _BreakersShape = _BreakersShape()
    reconcile: Annotated[str, BeforeValidator(_schedule)] | None = None
    retention: _RetentionShape = _RetentionShape()
    default_owner: Sentence | None = None
    child_accounts: Annotated[str, BeforeValidator(one_of(*get_args(ChildAccounts)))] = (
        "child_account"
    )
    start_date: Annotated[str, BeforeValidator(_day)] | None = None
    mappings: dict[Module, Annotated[str, BeforeValidator(_own_file)]] | None = None
    notify: _NotifyShape | None = None


_Read = tuple[Company | None, Document, list[Problem]]


def _attempt(file: Path, modules: Collection[str] | None) -> _Read:
    """The company of a file, or None and what is wrong with it."""
    written, problems = of_file(file)
    document = Document() if problems else read(written)
    problems += [*misnamed(file), *document.problems]
    if document.readable:
        problems += problems_of(
            _CompanyShape, document, nothing_allowed=[("schedule",), ("reconcile",)]
        )
        problems += _modules(document, modules)
    return (None if problems else _company(file.stem, document)), document, problems


def _modules(document: Document, known: Collection[str] | None) -> Iterator[Problem]:
    written, own = document.tree.get("modules"), document.tree.get("mappings")
    there = [*(known or ()), *(own if isinstance(own, dict) else ())]
    for index, module in enumerate(written if isinstance(written, list) else []):
        if known is not None and _names_another(module, there):
            said = f"has no mapping: {quoted(module)}. {suggestion(module, there)}"
            yield document.says(("modules", index), said)


def _names_another(module: Any, known: Collection[str]) -> bool:
    return isinstance(module, str) and is_module_name(module) and module not in known


def _company(name: str, document: Document) -> Company:
    shape = _CompanyShape.model_validate(document.tree)
    return Company(
        name=name,
        title=shape.name,
        quickbooks=shape.quickbooks,
        schedule=shape.schedule,
        modules=None if shape.modules is None else tuple(shape.modules),
        crm_company=shape.crm_company or name,
        breakers=_thresholds(shape.breakers),
        retention=replace(Retention(), **shape.retention.model_dump(exclude_none=True)),
        reconcile=_reconcile(shape),
        default_owner=shape.default_owner,
        child_accounts=cast(ChildAccounts, shape.child_accounts),
        start_date=shape.start_date,
        mappings=shape.mappings or {},
        notify=Notifier(shape.notify.notifier, shape.notify.arguments) if shape.notify else None,
    )


def _thresholds(shape: _BreakersShape) -> Thresholds:
    usual = Thresholds()
    return Thresholds(
        mass_delete=_threshold(usual.mass_delete, shape.mass_delete),
        mass_change=_threshold(usual.mass_change, shape.mass_change),
        mass_clear=_threshold(usual.mass_clear, shape.mass_clear),
        too_many_rejects=_threshold(usual.too_many_rejects, shape.too_many_rejects),
    )


def _threshold(usual: Threshold, written: _ThresholdShape) -> Threshold:
    """The usual threshold, with what is written of it."""
    return replace(usual, **written.model_dump(exclude_none=True))


def _reconcile(shape: _CompanyShape) -> str | None:
    if "reconcile" in shape.model_fields_set:
        return shape.reconcile
    return WEEKLY if shape.schedule else None


def _shared(found: dict[str, _Read]) -> Iterator[tuple[str, Problem]]:
    """What two companies may not share: their ids would meet in the same CRM records."""
    values: dict[str, Callable[[Company], str]] = {
        "quickbooks": lambda company: company.quickbooks,
        "crm_company": lambda company: company.crm_company,
    }
    for word, value in values.items():
        first: dict[str, str] = {}
        for file, (company, document, _) in found.items():
            other = first.setdefault(value(company), file) if company else file
            if company and other != file:
                said = f"is the same as in {other}: {quoted(value(company))}. Write another one."
                yield file, document.says((word,), said)
