"""What needs a person: all that stops a company, or will, in words; the most urgent first.

It is looked up in the database, the files and the connections. QuickBooks is not called.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from croniter import croniter
from psycopg import Connection

from quickbooks_crm import activity, at_work, companies, fitting, in_force, mapping, overview
from quickbooks_crm.at_work import AtWork
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.in_force import InForce
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.quantity import many
from quickbooks_crm.quickbooks.first_token import remembered
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.sql import statements
from quickbooks_crm.status import Login, Status, replays_due, status
from quickbooks_crm.webhooks import inbox
from quickbooks_crm.wording import took

MOST = 10_000
"""How many records are counted at most."""

MISSED = 2
"""After so many times that the schedule has named without a sync that ended, something is wrong."""

LATE = timedelta(minutes=15)
"""How long after such a time a sync may begin before it counts as missed."""

TOLD_ELSEWHERE = {"reconnect_needed", "breaker", "budget_spent", "sync_failed"}
"""Errors of a run that are a concern of their own for as long as they last."""

_QUARTERLY = "0 0 1 */3 *"
"""The one of Airflow's words for a schedule that croniter does not know."""

Known = InForce | SettingsError
"""The mappings that a company uses, or why they cannot be used."""


class Urgency(IntEnum):
    """How soon a person is needed."""

    STOPPED = 1
    PARTLY = 2
    SOON = 3
    SOMETIME = 4

    @property
    def words(self) -> str:
        """What is at stake."""
        return _AT_STAKE[self]


_AT_STAKE = {
    Urgency.STOPPED: "nothing is synced",
    Urgency.PARTLY: "something is not synced",
    Urgency.SOON: "will stop soon",
    Urgency.SOMETIME: "when there is time",
}


@dataclass(frozen=True)
class Concern:
    """One thing that needs a person. `code` and `subject` tell it from others of the company; an
    empty `company` means all of them. `title` and `says` are without customer data. `run` is the
    (realm, run id) of a run that shows more."""

    company: str
    code: str
    subject: str
    urgency: Urgency
    title: str
    says: str
    since: datetime | None = None
    run: tuple[str, str] | None = None


def concerns(
    connection: Connection[Any],
    names: Sequence[str],
    now: datetime,
    paused: Collection[str] = (),
) -> list[Concern]:
    """What needs a person in these companies; `paused` are those whose DAG is switched off."""
    found = [each for name in names for each in _of(connection, name, name in paused, now)]
    if names:
        found += _of_webhooks(connection)
    return sorted(found, key=lambda each: (each.urgency, each.company, each.code, each.subject))


def _of(connection: Connection[Any], name: str, paused: bool, now: datetime) -> Iterator[Concern]:
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
    except SettingsError as error:
        title = "The company's file cannot be read"
        yield Concern(name, "settings", "company", Urgency.STOPPED, title, str(error))
        return
    found: list[Concern] = []
    try:
        settings = QuickBooksHook(company.quickbooks).connection_settings()
        overview.require_own(connection, name, settings.realm)
    except SettingsError as error:
        settings = None
        found.append(_not_set_up(company, error))
    known = _in_force(connection, company)
    taken = _taken(known, company)
    stands = status(connection, name, settings.realm if settings else None)
    found += _of_mappings(connection, company, known)
    found += _of_login(connection, company, settings, stands)
    found += _of_breakers(company, stands)
    found += _of_budget(company, stands)
    working = at_work.of(connection, name, settings.realm) if settings else []
    if settings:
        found += _of_runs(connection, company, settings.realm)
        found += _of_late_runs(company, settings.realm, working, paused, now)
        found += _of_records(connection, company, settings.realm, [m.module for m in taken])
        found += _of_replays(connection, company, settings.realm, taken)
    if paused and company.schedule:
        found.append(_switched_off(company))
    yield from found
    known_why = any(each.urgency == Urgency.STOPPED for each in found)
    if settings and not known_why and all(each.is_late(now) for each in working):
        yield from _overdue(connection, company, settings.realm, now)


def _not_set_up(company: Company, error: SettingsError) -> Concern:
    title = "The connection to QuickBooks is not set up"
    return Concern(company.name, "settings", "connection", Urgency.STOPPED, title, str(error))


def _in_force(connection: Connection[Any], company: Company) -> Known:
    try:
        return in_force.of(connection, company)
    except SettingsError as error:
        return error


def _taken(known: Known, company: Company) -> Sequence[Mapping]:
    if isinstance(known, SettingsError):
        return ()
    used = mapping.with_children(known.mappings, company.child_accounts)
    return [used[m] for m in mapping.load_order(used) if company.takes(m, used[m].by_name)]


def _of_mappings(connection: Connection[Any], company: Company, known: Known) -> Iterator[Concern]:
    try:
        if isinstance(known, SettingsError):
            raise known
        unfit = fitting.unfit(connection, known.mappings, company)
    except SettingsError as error:
        title = "The mappings cannot be used"
        yield Concern(company.name, "settings", "mappings", Urgency.STOPPED, title, str(error))
        return
    for module, said in unfit.items():
        title = f"The mapping of {module} does not fit its table any more"
        yield Concern(company.name, "mapping", module, Urgency.PARTLY, title, said)
    for module, origin in known.origins.items():
        if origin.warning:
            title = f"The mapping file of {module} has changed and is not used"
            what = (company.name, "mapping_file", module, Urgency.SOMETIME, title, origin.warning)
            yield Concern(*what)


def _of_login(
    connection: Connection[Any], company: Company, settings: Settings | None, stands: Status
) -> Iterator[Concern]:
    login = stands.login
    if login is None or login.state != "connected":
        if login or not (settings and settings.first_refresh_token):
            yield _no_login(company, login)
        return
    if login.warning:
        title = "The login to QuickBooks ends soon"
        yield Concern(company.name, "login_ends", "", Urgency.SOON, title, login.warning)
    if settings and (said := remembered(connection, settings)):
        title = "The first refresh token in the connection is no good"
        said = f"{said} The stored login goes on. Empty that field, or connect again."
        yield Concern(company.name, "first_token", "", Urgency.SOMETIME, title, said)


def _no_login(company: Company, login: Login | None) -> Concern:
    since = login.since if login else None
    if login and login.state == "reconnect_needed":
        title = "QuickBooks has to be connected again"
        said = (
            "QuickBooks has ended the login, so nothing is read any more. Nothing is lost: once it "
            "is connected again, the next sync catches up."
        )
    elif login:
        title = "QuickBooks is disconnected"
        said = "A person has disconnected it here, so nothing is read any more."
    else:
        title = "QuickBooks was never connected"
        said = "Somebody who may sign in to the company at Intuit has to connect it."
    return Concern(company.name, "reconnect_needed", "", Urgency.STOPPED, title, said, since)


def _of_breakers(company: Company, stands: Status) -> Iterator[Concern]:
    for breaker in stands.breakers:
        if breaker.state == "open":
            urgency = Urgency.STOPPED if breaker.code == "wrong_company" else Urgency.PARTLY
            yield Concern(
                *(company.name, "breaker", breaker.name, urgency),
                "This looks like an accident, so it was not written",
                f"{breaker.message} If it is right, release it: the next sync then goes on with "
                "it. If it is not, put right what caused it; the next sync looks again.",
                breaker.tripped_at,
                (breaker.realm, breaker.run_id),
            )


def _of_budget(company: Company, stands: Status) -> Iterator[Concern]:
    use = stands.month
    if use and use.outlook:
        urgency = Urgency.STOPPED if use.spent else Urgency.SOON
        title = "The month's calls are used up" if use.spent else "The month's calls run out"
        said = f"{use.sentence} {use.outlook}"
        yield Concern(company.name, "budget", "", urgency, title, said)


def _of_runs(connection: Connection[Any], company: Company, realm: str) -> Iterator[Concern]:
    failed = _last_failed(connection, company, realm, "sync")
    if failed and (said := _not_told_yet(failed)):
        title = "The last sync did not end well"
        where = (company.name, "sync_failed", "", Urgency.PARTLY, title, said)
        yield Concern(*where, failed.finished_at, (realm, failed.run_id))
    drifted = _last_failed(connection, company, realm, "reconcile")
    if drifted and any(problem.code == "drift" for problem in drifted.problems):
        title = "QuickBooks and the CRM differ"
        said = "The last reconcile found differences; its page says which, and how to repair them."
        where = (company.name, "drift", "", Urgency.SOMETIME, title, said)
        yield Concern(*where, drifted.finished_at, (realm, drifted.run_id))


def _of_late_runs(
    company: Company, realm: str, working: Sequence[AtWork], paused: bool, now: datetime
) -> Iterator[Concern]:
    """Runs that take longer than is usual; a sync whose DAG is switched off waits for that."""
    for run in working:
        if run.is_late(now) and not (paused and run.kind == "sync"):
            title = f"{'An' if run.kind == 'undo' else 'A'} {run.kind} takes longer than usual"
            what = (company.name, "takes_long", run.run_id, Urgency.PARTLY, title, _late(run))
            yield Concern(*what, run.since, (realm, run.run_id))


def _late(run: AtWork) -> str:
    usual = "" if run.usual is None else f", and usually takes {took(run.usual)}"
    return (
        f"Run {run.run_id} has been at work since {_when(run.since)}{usual}. Others may wait for "
        "it. While anything moves on its page or in the logs of its tasks, let it go on: there may "
        "be much to do, or QuickBooks may answer slowly. Else end it: mark its run in Airflow as "
        "failed, or stop the command. What it has written stays, and two minutes later another run "
        "may begin and goes on from there."
    )


def _last_failed(
    connection: Connection[Any], company: Company, realm: str, kind: str
) -> activity.Run | None:
    where = {"company": company.name, "realm": realm, "kind": kind}
    row = connection.execute(statements("health")["last_run"], where).fetchone()
    if row is None or row[1] != "failed":
        return None
    return activity.counted(connection, realm, row[0])


def _not_told_yet(run: activity.Run) -> str:
    """What stopped a run, but for what is a concern of its own."""
    said = [p.message for p in run.problems if p.code not in TOLD_ELSEWHERE]
    return "\n".join(dict.fromkeys(said))


def _of_records(
    connection: Connection[Any], company: Company, realm: str, modules: list[str]
) -> Iterator[Concern]:
    where = {"realm": realm, "modules": modules, "most": MOST + 1}
    sql = statements("health")
    for module, count, since, run_id in connection.execute(sql["not_added"], where).fetchall():
        title = f"{module}: {_records(count)} not added"
        said = (
            "The CRM does not have what QuickBooks has. The list says of each record why; most are "
            "put right in QuickBooks, and then come by themselves."
        )
        what = (company.name, "not_added", module, Urgency.SOMETIME, title, said, since)
        yield Concern(*what, (realm, run_id))
    for module, count, since, targets in connection.execute(sql["waiting"], where).fetchall():
        title = f"{module}: {_references(count)} open"
        said = (
            f"Records of {module} refer to records of {', '.join(targets)} that are not in the CRM "
            "yet. Once those are there, the references close by themselves: see why they are not."
        )
        yield Concern(company.name, "waiting", module, Urgency.SOMETIME, title, said, since)


def _records(count: int) -> str:
    return f"more than {MOST:,} records" if count > MOST else many(count, "record")


def _references(count: int) -> str:
    return f"more than {MOST:,} references" if count > MOST else many(count, "reference")


def _of_replays(
    connection: Connection[Any], company: Company, realm: str, taken: Sequence[Mapping]
) -> Iterator[Concern]:
    for module in replays_due(connection, realm, taken):
        title = f"{module}: some records are as an earlier mapping made them"
        said = (
            "The mapping has changed since. Each record follows when it changes in QuickBooks; "
            "a replay brings all of them to it at once, without a call to QuickBooks."
        )
        yield Concern(company.name, "replay", module, Urgency.SOMETIME, title, said)


def _switched_off(company: Company) -> Concern:
    title = "Syncs are switched off in Airflow"
    said = (
        "The DAG of the company is paused, so that nothing is synced by schedule. Switch it on in "
        "Airflow; or write schedule: null into the company's file, if it is meant so."
    )
    return Concern(company.name, "paused", "", Urgency.STOPPED, title, said)


def _overdue(
    connection: Connection[Any], company: Company, realm: str, now: datetime
) -> Iterator[Concern]:
    """No sync that read QuickBooks for longer than the schedule allows, and nothing else that
    explains it."""
    row = connection.execute(statements("health")["last_read"], {"realm": realm}).fetchone()
    since = row[0] if row else None
    if company.schedule is None or since is None:
        return
    cron = _QUARTERLY if company.schedule == "@quarterly" else company.schedule
    due = croniter(cron, since.astimezone(UTC))
    times = [due.get_next(datetime) for _ in range(MISSED)]
    if times[-1] + LATE < now:
        title = "The last sync is too long ago"
        said = (
            f"The last one that read QuickBooks ended on {_when(since)}, and {MISSED} others "
            "should have since. See whether the company's DAG is switched on in Airflow, whether "
            "Airflow's scheduler runs, and what the last runs say."
        )
        yield Concern(company.name, "overdue", "", Urgency.STOPPED, title, said, since)


def _of_webhooks(connection: Connection[Any]) -> Iterator[Concern]:
    if said := inbox.warning(connection):
        yield Concern("", "webhooks", "", Urgency.SOMETIME, "Webhooks do not arrive", said)
    elif row := connection.execute(statements("health")["silent"]).fetchone():
        said = (
            f"QuickBooks has told of no change since {_when(row[0])}, "
            "though there were some. Changes come with the schedule only. See whether the receiver "
            "runs, and what developer.intuit.com says under Webhooks."
        )
        yield Concern("", "webhooks", "", Urgency.SOMETIME, "Webhooks do not arrive", said, row[0])


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
