"""How a company stands now: its login, how fresh its records are, and what waits for a person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from quickbooks_crm import breakers, calls, runs
from quickbooks_crm.breakers import Breaker
from quickbooks_crm.calls import Use
from quickbooks_crm.mapping import Mapping as ModuleMapping
from quickbooks_crm.quickbooks.identity import Identity
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

_RECONNECT = (
    "Connect the company again before: QuickBooks > Connections > Reconnect in Airflow, or a new "
    "refresh token from Intuit in the company's connection (Admin > Connections)."
)
CONNECT = (
    "To connect it again, use QuickBooks > Connections > Reconnect in Airflow, or put a new "
    "refresh token from Intuit into the company's connection (Admin > Connections)."
)
_STATES = {
    "connected": "connected",
    "reconnect_needed": "has ended: connect the company again",
}


@dataclass(frozen=True)
class Login:
    """A company's login. It ends when it is not used until `unused_until`, and at `hard_until`
    whatever happens; `good_until` is the sooner one. `since` is when its state was written."""

    state: str
    since: datetime
    connected_at: datetime | None
    unused_until: datetime | None
    hard_until: datetime | None
    good_until: datetime | None
    ends_soon: bool | None

    @property
    def words(self) -> str:
        """The state for a person."""
        if self.state == "disconnected":
            return f"was disconnected here on {_when(self.since)}. {CONNECT}"
        return _STATES[self.state]

    @property
    def warning(self) -> str | None:
        """What to do about a login that ends within 14 days."""
        if self.state != "connected" or not self.ends_soon or not self.good_until:
            return None
        ends = f"The login to QuickBooks ends on {self.good_until.astimezone(UTC):%Y-%m-%d}"
        if self.good_until == self.hard_until:
            return f"{ends}: Intuit lets none last longer than five years. {_RECONNECT}"
        return (
            f"{ends} unless it is used until then: Intuit ends one that is not used for 100 days. "
            "Any sync uses it."
        )


@dataclass(frozen=True)
class Loaded:
    """How far a module has come in the CRM: what QuickBooks had `until` then is loaded, unless
    something `waits`. A replay is due when records are there that an earlier mapping made."""

    waits: bool
    until: datetime | None
    last_load: datetime | None
    replay_due: bool

    @property
    def words(self) -> str:
        """It for a person."""
        if self.waits:
            return f"not all that was read is loaded yet; last loaded {_when(self.last_load)}"
        return f"loaded up to {_when(self.until)}" if self.until else "not read yet"


@dataclass(frozen=True)
class Status:
    """How a company stands. `read` says of each entity until when all that QuickBooks had is in the
    mirror, `loaded` the same of each module and the CRM; `problem` why it cannot run."""

    company: str
    bound: Identity | None
    login: Login | None
    last_sync: datetime | None
    read: dict[str, datetime]
    loaded: dict[str, Loaded]
    month: Use | None
    breakers: tuple[Breaker, ...]
    problem: str | None


def status(
    connection: Connection[Any],
    company: str,
    realm: str | None,
    modules: Sequence[ModuleMapping] = (),
    problem: str | None = None,
) -> Status:
    """How a company with these modules stands, as far as the database knows; `realm` is what its
    connection says, None when that has a `problem`."""
    bound = _bound(connection, company)
    where = {"realm": realm or (bound.realm if bound else "")}
    read = dict(connection.execute(statements("status")["read"], where).fetchall())
    last = connection.execute(statements("status")["last_sync"], where).fetchone()
    return Status(
        company=company,
        bound=bound,
        login=_login_of(connection, where["realm"]),
        last_sync=last[0] if last else None,
        read=read,
        loaded=_loaded(connection, where["realm"], modules, read),
        month=calls.use(connection, where["realm"]),
        breakers=tuple(breakers.open_ones(connection, company)),
        problem=problem,
    )


def _loaded(
    connection: Connection[Any],
    realm: str,
    modules: Sequence[ModuleMapping],
    read: Mapping[str, datetime],
) -> dict[str, Loaded]:
    """A module is as fresh as the entity of its that was read longest ago."""
    if not modules:
        return {}
    last = _last_loads(connection, realm, modules)
    due = replays_due(connection, realm, modules)
    found = {}
    for each in modules:
        whole = all(entity in read for entity in each.entities)
        found[each.module] = Loaded(
            waits=runs.has_work(connection, realm, each, modules, [m.module for m in modules]),
            until=min(read[entity] for entity in each.entities) if whole else None,
            last_load=last[each.module][0] if each.module in last else None,
            replay_due=each.module in due,
        )
    return found


def replays_due(
    connection: Connection[Any], realm: str, modules: Sequence[ModuleMapping]
) -> list[str]:
    """The modules with records in the CRM that another mapping than the one in force has made."""
    hashes = {each.module: each.hash for each in modules}
    last = _last_loads(connection, realm, modules)
    return [
        module
        for module, (_, mapping_hash, noted, in_crm) in last.items()
        if module in hashes and (noted or (in_crm and mapping_hash != hashes[module]))
    ]


def _last_loads(
    connection: Connection[Any], realm: str, modules: Sequence[ModuleMapping]
) -> dict[str, tuple[Any, ...]]:
    made_of = [(each.module, entity) for each in modules for entity in each.entities]
    named = {"modules": [module for module, _ in made_of], "entities": [e for _, e in made_of]}
    rows = connection.execute(statements("status")["loaded"], {"realm": realm} | named).fetchall()
    return {module: tuple(loaded) for module, *loaded in rows}


def warn_when_login_ends(connection: Connection[Any], run: Run) -> None:
    """Tell on the run when its company has to be connected again soon."""
    login = _login_of(connection, run.realm)
    if login and login.warning:
        runs.warn(connection, run, "login_ends", login.warning)


def warn_of_replays_due(
    connection: Connection[Any], run: Run, modules: Sequence[ModuleMapping]
) -> None:
    """Tell on the run, which compares, that what an earlier mapping made may differ."""
    for module in replays_due(connection, run.realm, modules):
        said = (
            f"{module}: {_replay(run.company, module)}. Control totals may differ for that, and no "
            "repair mends it."
        )
        runs.warn(connection, run, f"{module}.replay", said)


def told(found: Status) -> Iterator[str]:
    """The lines that tell a person of it."""
    yield f"{found.company}: {_company(found.bound)}"
    if found.problem:
        yield from (f"  {line}" for line in found.problem.splitlines())
    login = found.login
    yield f"  login: {_login(login)}"
    if login and login.warning:
        yield f"  {login.warning}"
    yield f"  last sync that went well: {_when(found.last_sync)}"
    for entity, until in found.read.items():
        yield f"  {entity}: read from QuickBooks up to {_when(until)}"
    for module, loaded in found.loaded.items() if found.read else ():
        yield f"  {module}: {loaded.words}"
        if loaded.replay_due:
            yield f"  {module}: {_replay(found.company, module)}"
    if found.month:
        yield f"  {found.month.sentence} {found.month.outlook}".rstrip()
    for breaker in found.breakers:
        yield f"  breaker {breaker.name}, {breaker.state}: {breaker.message}"


def _replay(company: str, module: str) -> str:
    return (
        "a replay is due, since its mapping has changed and records in the CRM are as an earlier "
        f"one made them: python -m quickbooks_crm replay --company {company} --module {module} "
        "(with --plan: how many would change)"
    )


def _company(bound: Identity | None) -> str:
    if bound is None:
        return "no run has seen its company in QuickBooks yet"
    return f"{bound.name or 'no name'} ({bound.environment}, company id {bound.realm})"


def _login(login: Login | None) -> str:
    if login is None:
        return "never connected"
    if login.state != "connected":
        return login.words
    return f"since {_when(login.connected_at)}, good until {_when(login.good_until)}"


def _when(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "never"


def _bound(connection: Connection[Any], company: str) -> Identity | None:
    with connection.cursor(row_factory=class_row(Identity)) as cursor:
        return cursor.execute(statements("status")["bound"], {"company": company}).fetchone()


def _login_of(connection: Connection[Any], realm: str) -> Login | None:
    with connection.cursor(row_factory=class_row(Login)) as cursor:
        return cursor.execute(statements("status")["login"], {"realm": realm}).fetchone()
