"""Whatever a company holds, whatever people do, however its mappings are set: after every run the
CRM and what is said of each row are what the import semantics say.

Hypothesis makes up stories, and `model.py` tells them a second time in plain Python. SEQUENCES=5000
tells so many instead of a few.
"""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from demo.postgres import Server
from quickbooks_crm import stage
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import Record, load_rows, mirror, probe, rows, stage_rows
from tests.integration.model import (
    COLUMNS,
    REFERS,
    REFUSED,
    SOURCES,
    Customer,
    End,
    Key,
    Model,
    Settings,
    Who,
)

pytestmark = pytest.mark.slow

SEQUENCES = int(os.environ.get("SEQUENCES", "100"))
TABLE = """
    CREATE TABLE own.{module} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, company text, quickbooks_id text,
        name varchar(10) NOT NULL CHECK (name <> '{refused}'), code text, note text,
        active boolean, deleted boolean,
        {column} bigint REFERENCES own.accounts ON DELETE SET NULL)"""
EMPTY = "DELETE FROM own.contacts; DELETE FROM own.accounts"


# What a story is made of


@dataclass(frozen=True)
class Changes:
    """QuickBooks says something new of a customer."""

    customer: Customer


@dataclass(frozen=True)
class Makes:
    """A person makes a record."""

    module: str
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Edits:
    """A person changes a column of a record, counted round."""

    module: str
    number: int
    column: str
    value: str | None


@dataclass(frozen=True)
class Removes:
    """A person deletes a record, counted round."""

    module: str
    number: int


@dataclass(frozen=True)
class Sets:
    """A person changes the mapping of a module."""

    module: str
    says: Settings


@dataclass(frozen=True)
class Syncs:
    """A run: how many rows are staged at a time, whether records arrive backwards, and each of them
    in a generation of its own; whether all customers are sent again, and the tasks repeated."""

    batch: int
    backwards: bool
    apart: bool
    everything: bool
    twice: bool


Step = Changes | Makes | Edits | Removes | Sets | Syncs

ids = st.sampled_from(("2", "10", "12sync"))
NAMES = ("Pump", "PUMP ", "Ｐu\u00admp", "Hose", " hose", "Valve")
hand_names = st.sampled_from(NAMES)
names = st.sampled_from((*NAMES * 6, None, "\u200b ", "Name too long", REFUSED, REFUSED))
codes = st.sampled_from((None, None, "", "A", " a", "B", "C"))
notes = st.sampled_from((None, None, None, "x"))
customers = st.builds(
    Customer,
    ids,
    st.fixed_dictionaries(
        {
            "DisplayName": names,
            "FamilyName": names,
            "Code": codes,
            "Note": notes,
            "ParentRef": st.sampled_from((None, None, "2", "10", "12sync", "99")),
        }
    ),
    st.sampled_from((True, True, True, False)),
    st.sampled_from((False,) * 11 + (True,)),
)
modules = st.sampled_from(sorted(REFERS))
checks = {
    "accounts": st.sampled_from(((), ("name",), ("name",), ("name", "code"), ("code",))),
    "contacts": st.sampled_from(((), ("name", "account_id"), ("name",), ("code", "name"))),
}


def says(module: str) -> st.SearchStrategy[Settings]:
    modes = st.sampled_from(
        (
            *[("merge", "quickbooks_id")] * 4,
            ("merge", "code"),
            ("merge", "code"),
            ("merge", "name"),
            ("ignore", "code"),
            ("ignore", "quickbooks_id"),
            ("create", None),
        )
    )
    return st.builds(
        lambda mode, check, typed, blank, exclude: Settings(
            mode[0], mode[1], check, typed or mode[1] == "quickbooks_id", blank, exclude
        ),
        modes,
        checks[module],
        st.sampled_from((True, True, False)),
        st.sampled_from((False, False, True)),
        st.sampled_from((False, False, True)),
    )


made = st.builds(
    lambda module, company, typed, name, code, note: Makes(
        module,
        (
            ("company", company),
            ("quickbooks_id", typed),
            ("name", name),
            ("code", code),
            ("note", note),
        ),
    ),
    modules,
    st.sampled_from(("own", "own", None, "another")),
    st.sampled_from((None, None, "2", "10", "99")),
    hand_names,
    st.sampled_from((None, "A", "B", "a")),
    notes,
)
edited = st.builds(
    lambda module, number, what: Edits(module, number, *what),
    modules,
    st.integers(0, 9),
    st.tuples(st.just("name"), hand_names)
    | st.tuples(st.sampled_from(("code", "note")), st.sampled_from((None, "A", "x", "y")))
    | st.tuples(st.just("quickbooks_id"), st.sampled_from((None, "2", "99"))),
)
removed = st.builds(Removes, modules, st.integers(0, 9))
changed = st.builds(Changes, customers)
syncs = st.builds(
    Syncs,
    st.sampled_from((2, 5000, 5000)),
    st.booleans(),
    st.booleans(),
    st.sampled_from((False, False, True)),
    st.sampled_from((False, False, True)),
)
settled = modules.flatmap(lambda module: st.builds(Sets, st.just(module), says(module)))
people = st.sampled_from((made, made, *[edited] * 6, removed)).flatmap(lambda act: act)
periods = st.builds(
    lambda news, acts, sync: [*news, *acts, sync],
    st.lists(changed, min_size=1, max_size=6),
    st.lists(st.sampled_from((people,) * 6 + (settled,)).flatmap(lambda act: act), max_size=4),
    syncs,
)


@dataclass(frozen=True)
class Story:
    """How the mappings are set at first, and what happens then."""

    accounts: Settings
    contacts: Settings
    steps: tuple[Step, ...]


stories = st.builds(
    lambda accounts, contacts, periods: Story(
        accounts, contacts, tuple(step for period in periods for step in period)
    ),
    says("accounts"),
    says("contacts"),
    st.lists(periods, min_size=2, max_size=6),
)


# How a story is told


def mapping_text(module: str, says: Settings) -> str:
    """The mapping that says so."""
    name, target = SOURCES[module]
    typed = "quickbooks_id: {from: Id}, " if says.typed_ids else ""
    key = f"key: {says.key}, " if says.key else ""
    exclude = "[{where: {Code: B}, because: so it is}]" if says.exclude else "[]"
    if module == "contacts":
        exclude = exclude[:-1] + f"{', ' if says.exclude else ''}{NOBODY}]"
    reference = f"{target}.value" if target == "ParentRef" else target
    return f"""\
entities: [Customer]
table: own.{module}
company: company
exclude: {exclude}
import: {{mode: {says.mode}, {key}check: [{", ".join(says.check)}],
          blank_overwrites: {str(says.blank_overwrites).lower()}}}
fields: {{{typed}name: {{from: {name}}}, code: {{from: Code}}, note: {{from: Note}},
         active: {{from: Active}}, deleted: {{value: false}},
         {REFERS[module]}: {{from: {reference}, refers: accounts}}}}
when_deleted: {{deleted: true, active: false}}
"""


NOBODY = "{where: {FamilyName: {blank: true}}, because: nobody is named}"


def record(customer: Customer) -> Record:
    """The customer as QuickBooks sends it."""
    said: dict[str, Any] = {name: value for name, value in customer.said.items() if value}
    if "ParentRef" in said:
        said["ParentRef"] = {"value": said["ParentRef"]}
    payload = {"Id": customer.id, "Active": customer.active} | said
    return Record("Customer", customer.id, payload, customer.deleted)


@dataclass
class Play:
    """One story, in the CRM and in the model."""

    connection: psycopg.Connection[Any]
    realm: str
    settings: dict[str, Settings]
    model: Model = field(default_factory=lambda: Model({name: {} for name in REFERS}))
    arriving: dict[str, Customer] = field(default_factory=dict)
    runs: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    untouched: bool = False

    def act(self, step: Step) -> None:
        """Let something happen, on both sides."""
        match step:
            case Changes(customer):
                self.arriving[customer.id] = customer
            case Makes(module, values):
                self._make(module, dict(values))
            case Edits(module, number, column, value):
                for key in self._chosen(module, number):
                    self.model.records[module][key][column] = value
                    self._write("edit", module, {"column": column}, [value, key])
            case Removes(module, number):
                for key in self._chosen(module, number):
                    self.model.remove(module, key)
                    self._write("remove", module, {}, [key])
            case Sets(module, says):
                self.settings[module] = says
            case Syncs():
                self.sync(step)

    def _chosen(self, module: str, number: int) -> list[Key]:
        keys = sorted(self.model.records[module])
        return [keys[number % len(keys)]] if keys else []

    def _make(self, module: str, values: dict[str, Any]) -> None:
        statement = BY_HAND.format(
            sql.Identifier("own", module),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        found = self.connection.execute(statement, list(values.values())).fetchone()
        assert found
        blank = dict.fromkeys((*COLUMNS, REFERS[module]))
        self.model.records[module][found[0]] = {**blank, **values}

    def _write(self, what: str, module: str, names: dict[str, str], values: list[Any]) -> None:
        quoted = {name: sql.Identifier(text) for name, text in names.items()}
        statement = PEOPLE[what].format(table=sql.Identifier("own", module), **quoted)
        self.connection.execute(statement, values)

    def sync(self, how: Syncs) -> None:
        """A run of the product, then of the model, and whether both have come to the same."""
        if how.everything:
            self.arriving = {**self.model.mirror, **self.arriving}
        run = Run("own", self.realm, f"run-{next(self.runs)}")
        self._mirror(run, how)
        self._load(run, how.batch)
        for customer in self.arriving.values():
            self.model.arrive(customer)
        self.arriving = {}
        self.model.run(self.settings, self._new_keys(run))
        self.compare(run)
        if how.twice:
            self._load(run, how.batch)
            self.compare(run)

    def _mirror(self, run: Run, how: Syncs) -> None:
        arriving = [record(customer) for customer in self.arriving.values()]
        arriving = arriving[::-1] if how.backwards else arriving
        together = [[one] for one in arriving] if how.apart else [arriving]
        for records in together or [[]]:
            mirror(self.connection, run, *records)
        probe(self.connection, run, self.known())

    def _load(self, run: Run, batch: int) -> None:
        known = self.known()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage, "BATCH", batch)
            for module in REFERS:
                stage_rows(self.connection, run, known[module])
                load_rows(self.connection, run, known, module)

    def known(self) -> dict[str, Mapping]:
        """The mappings as they are set now."""
        return parse_all({name: mapping_text(name, says) for name, says in self.settings.items()})

    def _new_keys(self, run: Run) -> dict[Who, Key]:
        found = self.connection.execute(ADDED, [run.realm, run.run_id]).fetchall()
        return {(module, id): int(key) for module, id, key in found}

    def compare(self, run: Run) -> None:
        """The CRM and the ledger are what the model says."""
        model, where = self.model, [run.realm]
        assert self.ends(run) == model.ends
        assert self.records() == model.records
        links = {
            (module, id): (int(key), state)
            for module, id, key, state in self._all(LINKS, where)
            if int(key) in model.records[module]
        }
        assert links == {
            who: (link.key, link.state)
            for who, link in model.links.items()
            if link.key in model.records[who[0]]
        }
        held = {(module, id): (outcome, why) for module, id, outcome, why in self._all(HELD, where)}
        assert held == {who: (end.outcome, end.reason) for who, end in model.held.items()}
        parked = {(module, id): target for module, id, target in self._all(PARKED, where)}
        assert parked == model.parked

    def ends(self, run: Run) -> dict[Who, End]:
        """How each row of a run ended, as the ledger has it."""
        return {
            (module, id): End(outcome, reason, int(key) if key and outcome == "duplicate" else None)
            for module, id, outcome, reason, key in self._all(ENDS, [run.realm, run.run_id])
        }

    def records(self) -> dict[str, dict[Key, dict[str, Any]]]:
        """All records of the CRM."""
        return {
            module: {
                key: row
                for (row,) in rows(self.connection, f"SELECT to_jsonb(c) FROM own.{module} AS c")  # noqa: S608
                if (key := row.pop("id"))
            }
            for module in REFERS
        }

    def _all(self, query: str, values: list[str]) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), values).fetchall()


BY_HAND = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id")
PEOPLE = {
    "edit": sql.SQL("UPDATE {table} SET {column} = %s WHERE id = %s"),
    "remove": sql.SQL("DELETE FROM {table} WHERE id = %s"),
}
ADDED = """
    SELECT module, id, record_key FROM sync.outcome
     WHERE (realm, run_id, outcome) = (%s, %s, 'added')"""
ENDS = """
    SELECT module, id, outcome, reason, collides_with FROM sync.outcome
     WHERE (realm, run_id) = (%s, %s)"""
LINKS = "SELECT module, id, record_key, state FROM sync.link WHERE realm = %s"
HELD = "SELECT module, id, outcome, reason FROM sync.held WHERE realm = %s"
PARKED = "SELECT module, id, target_id FROM sync.parked WHERE realm = %s"


@pytest.fixture(scope="module")
def crm_of_any_company(server: Server, template: str) -> Iterator[psycopg.Connection[Any]]:
    name = f"any_company_{os.getpid()}"
    with psycopg.connect(server.create_database(name, template), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA own")
        for module, column in REFERS.items():
            table = TABLE.format(module=module, column=column, refused=REFUSED)
            connection.execute(table.encode())
        yield connection
    server.drop_database(name)


@pytest.mark.timeout(0)
def test_crm_and_ledger_are_what_the_import_semantics_say(
    crm_of_any_company: psycopg.Connection[Any],
) -> None:
    numbers = itertools.count(1)

    @settings(
        max_examples=SEQUENCES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(stories)
    def told(story: Story) -> None:
        crm_of_any_company.execute(EMPTY)
        realm = f"company {next(numbers)}"
        first = {"accounts": story.accounts, "contacts": story.contacts}
        play = Play(crm_of_any_company, realm, first)
        for step in story.steps:
            play.act(step)

    told()
