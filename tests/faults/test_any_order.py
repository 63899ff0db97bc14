"""Whatever happens, in any order: once QuickBooks is quiet, one more run makes the mirror equal to
it.

Hypothesis makes up stories: records change between runs and between the pages of a run, answers go
wrong, the process is killed, clocks move on. SEQUENCES=5000 tells so many instead of a few hundred.
"""

import itertools
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.postgres import Server
from quickbooks_crm import runs
from quickbooks_crm.breakers import Threshold, Thresholds
from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.extract import due, extract
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.login import log_in
from quickbooks_crm.quickbooks.records import Changes, Page, Span
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.runs import Run
from simulator import Company, Simulator
from tests.faults.happenings import HAPPENINGS, happen, small_company
from tests.integration.connected import FIRST, NoLimits
from tests.integration.connected import settings as settings_for
from tests.stories import so_many, soon_told, telling

pytestmark = pytest.mark.slow

STORIES = so_many(50)
ENTITIES = ("Customer", "Invoice", "Item")
A_DAY = 25 * 60  # minutes, and an hour more
MOST = 12  # objects that QuickBooks tells in one answer of what changed
NO_BREAKERS = Thresholds(mass_delete=Threshold(percent=100, at_least=1_000_000))
CLOCK = """
    CREATE SCHEMA clock;
    CREATE TABLE clock.ahead (by interval NOT NULL);
    INSERT INTO clock.ahead VALUES ('0');
    CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT pg_catalog.now() + by FROM clock.ahead';
    ALTER TABLE sync.page_read ALTER read_at SET DEFAULT clock.now();
"""
"""The database's clock, which can be moved as the simulator's: its now() comes before Postgres'."""


# What a story is made of


@dataclass(frozen=True)
class Happens:
    """Something happens to the record of that number, counted round."""

    what: str
    entity: str
    number: int


@dataclass(frozen=True)
class Passes:
    """Time goes by, for QuickBooks and for the database."""

    minutes: int


Meanwhile = Happens | Passes


@dataclass(frozen=True)
class Fault:
    """What the calls of a kind are answered with, after so many that go well."""

    kind: str
    answers: tuple[Any, ...]
    after: int


@dataclass(frozen=True)
class Syncs:
    """A run: what happens after each of its pages, which answers are spoiled, and before which of
    its statements the process is killed."""

    meanwhile: tuple[tuple[Meanwhile, ...], ...] = ()
    faults: tuple[Fault, ...] = ()
    killed_before: int | None = None
    everything: bool = False


@dataclass(frozen=True)
class Story:
    """How QuickBooks is, how it is read, and what happens. Where records vanish without a word,
    which only a read of everything can notice, the last run is one, on another day: what was read
    of one that failed is no longer remembered then."""

    how: str
    vanishing: bool
    late: int
    page: int
    threads: int
    steps: tuple[Meanwhile | Syncs, ...]


HOW = {
    "usual": {},
    "each": {"cdc_cap": "each", "cdc_order": "shuffled"},
    "bare": {"cdc_stubs": "bare", "cdc_order": "asked"},
}

happenings = st.builds(
    Happens, st.sampled_from(sorted(HAPPENINGS)), st.sampled_from(ENTITIES), st.integers(0, 40)
)
minutes = st.builds(Passes, st.sampled_from((1, 8, 15, 40)))
days = st.builds(Passes, st.sampled_from((60 * 24 * 3, 60 * 24 * 28, 60 * 24 * 31)))
answers = st.sampled_from(
    (429, 500, 503, "html", "cut", "lost", "empty", "fault", "text", "short", "long", "again", 400)
)
faults = st.builds(
    Fault,
    st.sampled_from(("query", "cdc", "*")),
    st.lists(answers, min_size=1, max_size=3).map(tuple)
    | st.sampled_from(((503,) * 7, ("html",) * 20)),
    st.integers(0, 12),
)
syncs = st.builds(
    Syncs,
    st.lists(st.lists(happenings | minutes, min_size=1, max_size=3).map(tuple), max_size=20).map(
        tuple
    ),
    st.lists(faults, max_size=2).map(tuple),
    st.none() | st.integers(1, 90),
    st.sampled_from((False, False, False, True)),
)
stories = st.builds(
    Story,
    st.sampled_from(sorted(HOW)),
    st.sampled_from((False, False, False, True)),
    st.sampled_from((0, 0, 240)),
    st.integers(4, 14),
    st.sampled_from((1, 4)),
    st.lists(syncs | syncs | happenings | minutes | days, min_size=1, max_size=9).map(tuple),
)


# How a story is told


class Killed(BaseException):
    """The process is gone: nothing that it began is committed."""


@dataclass
class Killer:
    """Kills before a statement, and whatever else of the process would still run."""

    left: int | None = None

    def before_a_statement(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            raise Killed


class Tokens:
    """Access tokens for several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = ""
        self._lock = threading.Lock()

    def access_token(self) -> str:
        return self._token or self.renewed("")

    def renewed(self, rejected: str) -> str:
        with self._lock:
            if self._token == rejected:
                self._token = log_in(self._settings, FIRST).access_token
            return self._token

    def refused(self) -> None:
        """Nothing is counted."""

    def accepted(self) -> None:
        """Nothing was counted."""


@dataclass
class Books:
    """What extract reads from: small pages, and few changes at once."""

    client: QuickBooksClient
    page: int

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        return reading.changes(self.client, entities, since, MOST)

    def updated(self, entity: str, since: datetime) -> Iterator[Page]:
        return reading.updated(self.client, entity, since, self.page)

    def everything(self, entity: str, done: Sequence[Span] = ()) -> Iterator[Page]:
        return reading.everything(self.client, entity, self.page, done)

    def count(self, entity: str, created_until: datetime) -> int:
        return reading.count(self.client, entity, created_until)

    def named(self, entity: str, ids: Sequence[str]) -> Iterator[Page]:
        return reading.named(self.client, entity, ids)


@dataclass
class Stage:
    """Where stories are told: simulators, one for each way that QuickBooks may be, and a database
    with a clock that can be moved."""

    quickbooks: dict[str, Simulator]
    clients: dict[str, QuickBooksClient]
    connections: list[psycopg.Connection[Any]]
    clock: psycopg.Connection[Any]
    killer: Killer
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class Play:
    """One story, with a company and a mirror of its own."""

    def __init__(self, stage: Stage, story: Story) -> None:
        self.stage, self.story = stage, story
        self.quickbooks = stage.quickbooks[story.how]
        self.quickbooks.switch_company(small_company())
        self.quickbooks.change_late(story.late)
        self.books = Books(stage.clients[story.how], story.page)
        self.run = Run("sample", f"company {next(stage.numbers)}", "run-1")
        self.ahead = 0
        self.vanished = False
        self.failures: list[Exception] = []
        runs.start(self.connection, self.run, "manual", None)
        runs.take_lease(self.connection, self.run)

    @property
    def connection(self) -> psycopg.Connection[Any]:
        return self.stage.connections[0]

    def tell(self) -> None:
        """All steps, and then one more run in peace."""
        for step in self.story.steps:
            if isinstance(step, Syncs):
                self.sync(step)
            else:
                self.let(step)
                log_in(settings_for(self.quickbooks), FIRST)  # or it would lie idle for too long
        if self.vanished:
            self.pass_minutes(A_DAY)
        self.sync(Syncs(everything=self.vanished), must_go_well=True)

    def let(self, step: Meanwhile) -> None:
        """Let something happen."""
        if isinstance(step, Passes):
            self.pass_minutes(step.minutes)
        elif step.what != "vanish" or self.story.vanishing:
            happen(self.quickbooks, step.what, step.entity, step.number)
            self.vanished = self.vanished or step.what == "vanish"

    def pass_minutes(self, minutes: int) -> None:
        self.quickbooks.advance(60 * minutes)
        self.ahead += minutes
        ahead = "UPDATE clock.ahead SET by = make_interval(mins => %s)"
        self.stage.clock.execute(ahead, [self.ahead])

    def sync(self, how: Syncs, must_go_well: bool = False) -> None:
        """A try of extract, as the pipeline does it."""
        left = list(how.meanwhile)
        self.quickbooks.between_pages(
            lambda: [self.let(each) for each in left.pop(0)] if left else 0
        )
        for fault in how.faults:
            self.quickbooks.script(fault.kind, list(fault.answers), after=fault.after)
        self.stage.killer.left = how.killed_before
        try:
            failed = self._extract(how.everything)
        except (QuickBooksCrmError, Killed):
            if must_go_well:
                raise
            failed = {}
        finally:
            self.stage.killer.left = None
            self.quickbooks.calm()
            self.quickbooks.clear_faults()
            _until_nothing_is_under_way()
        assert not (must_go_well and failed), failed

    def _extract(self, everything: bool) -> dict[str, QuickBooksCrmError]:
        attempt = runs.attempt(self.connection, self.run, "extract")
        ask = due(self.connection, self.run.realm, ENTITIES, everything)
        writing = self.stage.connections[: 2 if ask.everything else 1]
        return extract(writing, self.books, attempt, ask, NO_BREAKERS).failed

    def differences(self) -> dict[str, Any]:
        """What the mirror has otherwise than QuickBooks: entity and id, then both."""
        there = {
            (entity, row["Id"]): row for entity in ENTITIES for row in self.quickbooks.rows(entity)
        }
        held = self._mirrored()
        return {
            f"{entity} {id}": (there.get((entity, id)), held.get((entity, id)))
            for entity, id in there.keys() | held.keys()
            if there.get((entity, id)) != held.get((entity, id))
        }

    def _mirrored(self) -> dict[tuple[str, str], Any]:
        rows = self.connection.execute(
            "SELECT entity, id, payload::text FROM quickbooks.record"
            " WHERE realm = %s AND NOT deleted",
            [self.run.realm],
        )
        return {(entity, id): json.loads(text, parse_float=Decimal) for entity, id, text in rows}

    def end(self) -> None:
        """Turn the clocks back."""
        self.pass_minutes(-self.ahead)


def _until_nothing_is_under_way() -> None:
    """A run that ends early leaves requests behind."""
    for thread in threading.enumerate():
        if thread.name.startswith("quickbooks"):
            thread.join()


@pytest.fixture(scope="module")
def stage(server: Server, template: str) -> Iterator[Stage]:
    name = f"any_order_{os.getpid()}"
    url = server.create_database(name, template)
    with ExitStack() as stack:
        stack.callback(server.drop_database, name)
        clock = stack.enter_context(psycopg.connect(url, autocommit=True))
        clock.execute(CLOCK)
        killer = Killer()
        connections = [stack.enter_context(_watched(url, killer)) for _ in range(2)]
        quickbooks = {
            how: stack.enter_context(
                Simulator(Company(), throttle=False, rotation="never", cdc_most=MOST, **settings)
            )
            for how, settings in HOW.items()
        }
        clients = {how: _client_of(simulator) for how, simulator in quickbooks.items()}
        yield Stage(quickbooks, clients, connections, clock, killer)


def _client_of(quickbooks: Simulator) -> QuickBooksClient:
    known = settings_for(quickbooks)
    return QuickBooksClient(known, Tokens(known), NoLimits(), lambda _: None)


def _watched(url: str, killer: Killer) -> psycopg.Connection[Any]:
    class Watched(psycopg.Cursor[Any]):
        def execute(self, *what: Any, **how: Any) -> Any:
            killer.before_a_statement()
            return super().execute(*what, **how)

        def copy(self, *what: Any, **how: Any) -> Any:
            killer.before_a_statement()
            return super().copy(*what, **how)

    path = "-c search_path=clock,pg_catalog,public"
    return psycopg.connect(url, autocommit=True, options=path, cursor_factory=Watched)


@pytest.mark.timeout(0)
def test_one_more_run_in_peace_makes_the_mirror_equal_to_quickbooks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    @telling(STORIES)
    @given(stories)
    @soon_told
    def told(story: Story) -> None:
        monkeypatch.setattr(reading, "CONNECTIONS", story.threads)
        play = Play(stage, story)
        try:
            play.tell()
            assert play.differences() == {}
        finally:
            play.end()

    told()
