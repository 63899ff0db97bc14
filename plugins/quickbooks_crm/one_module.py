"""One module of a run on its way from the mirror to the CRM: shaped, checked and staged, then
loaded onto its target. Every kind of run brings its records in through here."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from psycopg import Connection

from quickbooks_crm import catalog, causes, dedupe, fitting, runs, stage
from quickbooks_crm.check import check
from quickbooks_crm.companies import Company
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import SettingsError, StageIncomplete
from quickbooks_crm.json_types import whole
from quickbooks_crm.judge import STRICT, TO_A_MAPPING, Lenience
from quickbooks_crm.load import Load
from quickbooks_crm.load import load as load_staged
from quickbooks_crm.mapping import Mapping, referred_by
from quickbooks_crm.runs import Run
from quickbooks_crm.stage import Whole, Window
from quickbooks_crm.transform import columns, transform

log = logging.getLogger(__name__)


Apart = Callable[[], AbstractContextManager[None]]
"""What makes a load a transaction of its own."""


@dataclass(frozen=True)
class Bringing:
    """What brings a run's modules in: the run, its company, the mappings of all modules, since
    records refer to each other, and what does not stop it. Of the `whole` modules it brings all
    records, since their mapping has changed."""

    run: Run
    company: Company
    known: dict[str, Mapping]
    lenience: Lenience = STRICT
    whole: frozenset[str] = frozenset()

    def lenience_for(self, module: str) -> Lenience:
        """What does not stop the load of a module."""
        if module not in self.whole:
            return self.lenience
        return replace(self.lenience, expected=self.lenience.expected | TO_A_MAPPING)

    def referring(self, connection: Connection[Any], module: str) -> list[Target]:
        """The targets whose records may point to records of a module. One whose table is gone, or
        not as its mapping needs it, is none of this module's business: its references stay open."""
        return list(_there(connection, self, _referring(self.known, module)))

    def referred(self, connection: Connection[Any], module: str) -> tuple[Target, ...]:
        """The targets that a module's records may point to, as far as their tables are there."""
        wanted = [self.known[name] for name in sorted(referred_by(self.known[module]))]
        return tuple(_there(connection, self, wanted))

    def targets(self, connection: Connection[Any], modules: Iterable[str]) -> list[Target]:
        """Those of these modules whose tables are there."""
        return list(_there(connection, self, [self.known[module] for module in modules]))

    def beside(self, module: str) -> list[Mapping]:
        """The mappings of all whose tables a load of the module looks at, its own included."""
        referred = [self.known[name] for name in sorted(referred_by(self.known[module]))]
        return [self.known[module], *referred, *_referring(self.known, module)]

    def sharing(self, module: str) -> tuple[str, ...]:
        """The modules that load the same table, this one included."""
        table = self.known[module].table
        return tuple(other.module for other in self.known.values() if other.table == table)


def pending(connection: Connection[Any], realm: str, module: str) -> Window:
    """What a module still has to load."""
    return Window(runs.position(connection, realm, module), runs.sealed(connection, realm))


def wanted(connection: Connection[Any], bringing: Bringing, module: str) -> Window:
    """What the run is to load of a module."""
    window = pending(connection, bringing.run.realm, module)
    return Whole(**asdict(window)) if module in bringing.whole else window


def with_work(
    connection: Connection[Any], bringing: Bringing, modules: Collection[str]
) -> list[str]:
    """Those of these modules that have something to load: also what was held back for a cause that
    has changed, what waits for a record that a person has made, and of whole modules all. A module
    whose table is gone stops no other: its own tasks say so."""
    run, known = bringing.run, bringing.known
    with catalog.once(connection, [known[module] for module in modules]):
        for module in modules:
            with suppress(SettingsError):
                there = target(connection, known[module], bringing.company)
                causes.probe(connection, run.realm, there, bringing.sharing(module))
                causes.let_in(connection, run.realm, run.run_id, module)
                dedupe.link_typed(connection, run.realm, there)
    _link_those_beside(connection, bringing, modules)
    taken, whole = [known[module] for module in modules], bringing.whole
    arrived = {
        each.module
        for each in taken
        if causes.note_arrived(connection, run.realm, run.run_id, each, taken, whole)
    }
    at_once = arrived | whole
    return [
        m
        for m in modules
        if m in at_once or runs.has_work(connection, run.realm, known[m], known.values(), modules)
    ]


def _link_those_beside(
    connection: Connection[Any], bringing: Bringing, modules: Collection[str]
) -> None:
    """Link what people made for references to modules that are not among these: no load of these
    modules comes to do it."""
    known, realm = bringing.known, bringing.run.realm
    beside = {to for module in modules for to in referred_by(known[module])} - set(modules)
    waited_for = sorted(dedupe.waited_for(connection, realm, beside & known.keys()))
    with catalog.once(connection, [known[module] for module in waited_for]):
        for there in bringing.targets(connection, waited_for):
            dedupe.link_typed(connection, realm, there)


def stage_rows(
    connection: Connection[Any], run: Run, known: Mapping, window: Window
) -> dict[str, int]:
    """Stage a module's rows, checked, and seal them; how many are `staged` in all, `excluded` and
    `not_added`."""
    table = catalog.of(connection, known)
    known = whole(known, table)
    counts = {"staged": 0, "excluded": 0, "not_added": 0}
    for batch in stage.batches(connection, run, known, table, window):
        kept, excluded = transform(batch, known)
        fit, refused = check(kept, known, table)
        stage.write(connection, run, known, table, fit, excluded, refused, kept)
        counts["excluded"] += len(excluded)
        counts["not_added"] += len(refused)
        log.info("%s: %d rows shaped", known.module, len(batch))
    counts["staged"] = stage.seal(connection, run, known, table, window)
    return counts


def bring(
    connection: Connection[Any], bringing: Bringing, module: str, part: Window | None = None
) -> dict[str, int]:
    """Stage and load what a module still has to load, or a `part` of its records, at once; the
    counts of the run and module by outcome. Be inside a transaction."""
    run, known = bringing.run, bringing.known[module]
    stage.clear_own(connection, run, known)
    if part is None:
        causes.note_arrived(connection, run.realm, run.run_id, known)
    stage_rows(connection, run, known, part or pending(connection, run.realm, module))
    return load_rows(connection, bringing, module, part is not None)


def load_rows(
    connection: Connection[Any], bringing: Bringing, module: str, part: bool = False
) -> dict[str, int]:
    """Load what is staged of a module, or of a `part` of its records, which leaves the module's
    position where it is; the counts of the run and module by outcome.

    Be inside a transaction. Raises `StageIncomplete` when the staged rows are no longer whole.
    """
    catalog.hold(connection, bringing.known[module])
    with catalog.once(connection, bringing.beside(module)):
        return _load(connection, bringing, module, part)


def _load(
    connection: Connection[Any], bringing: Bringing, module: str, part: bool
) -> dict[str, int]:
    run, known = bringing.run, bringing.known
    onto = target(connection, known[module], bringing.company)
    generation = stage.sealed(connection, run, known[module], onto.table)
    if generation is None:
        raise StageIncomplete(
            f"The staged rows of {module} are no longer whole, or {onto.table.name} has "
            "changed since they were checked. Nothing was loaded; the next "
            "try stages them again."
        )
    work = Load(
        run,
        onto,
        runs.position(connection, run.realm, module),
        generation,
        bringing.sharing(module),
        bringing.referred(connection, module),
        bringing.company.breakers,
        bringing.lenience_for(module),
        part,
    )
    return load_staged(connection, work, bringing.referring(connection, module))


def target(connection: Connection[Any], known: Mapping, company: Company) -> Target:
    """A mapping with its table, for a company."""
    return Target(known, catalog.of(connection, known), company.crm_company, tuple(columns(known)))


def words(counts: dict[str, int]) -> str:
    """Counts as a log says them."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def _referring(known: dict[str, Mapping], module: str) -> Iterator[Mapping]:
    for other in known.values():
        if module in referred_by(other):
            yield other


def _there(
    connection: Connection[Any], bringing: Bringing, wanted: Iterable[Mapping]
) -> Iterator[Target]:
    for known in wanted:
        with suppress(SettingsError):
            found = target(connection, known, bringing.company)
            if fitting.fits(found.table, known):
                yield found
