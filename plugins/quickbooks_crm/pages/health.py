"""The page of what needs a person, with the button or link that settles each."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict

from quickbooks_crm import breakers, companies, database, health
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.health import Concern
from quickbooks_crm.pages import airflow_runs
from quickbooks_crm.pages.looks import Page, Problem, go, page, part, refusal
from quickbooks_crm.pages.reaching import reading, writing
from quickbooks_crm.pages.security import Run, User, configured, dag_id, may, readable

router = APIRouter()


@dataclass(frozen=True)
class Way:
    """A link that leads to where a concern is settled; `airflow` when that is a page of Airflow's
    own."""

    path: str
    label: str
    airflow: bool = False


@dataclass(frozen=True)
class Shown:
    """A concern, the company as people call it, where it is settled, and whether the user may
    release it, or see what a replay would change, here."""

    concern: Concern
    title: str
    way: Way | None
    releasable: bool
    replayable: bool
    dag: str


class Release(BaseModel):
    """Which breaker a person lets pass, as which run tripped it, and why."""

    model_config = ConfigDict(extra="forbid")
    breaker: str
    run: str
    because: str


@router.get("/health", response_class=HTMLResponse)
def concerns(request: Request, user: User) -> Response:
    """What needs a person in the user's companies."""
    names = readable(user, configured())
    paused = airflow_runs.switched_off(names)
    with reading() as connection:
        found = health.concerns(connection, names, database.now(connection), paused)
    shown = [_shown(user, concern) for concern in found]
    return page(request, Page("health.html"), shown=shown, companies=names)


@router.post("/health/{company}/release")
def release(request: Request, caller: Run, asked: Release) -> Response:
    """Let the company's next run pass a breaker, once."""
    if not asked.because.strip():
        said = {"because": "Write why: it is kept with your name."}
        return refusal(request, Problem(422, "settings", "Say why this is no accident.", said))
    with writing() as connection:
        what = (caller.company, asked.breaker, caller.name, asked.because.strip())
        breakers.release(connection, *what, seen_in=asked.run)
    return go("health", "Released. The next sync goes on with it.")


def _shown(user: Any, concern: Concern) -> Shown:
    here = concern.code in ("breaker", "replay") and may(user, "run", concern.company)
    return Shown(
        concern,
        _title(concern.company),
        _way(concern),
        releasable=here and concern.code == "breaker",
        replayable=here and concern.code == "replay",
        dag=dag_id(concern.company, "replay"),
    )


def _title(company: str) -> str:
    if not company:
        return "All companies"
    try:
        return companies.load_one(companies.INCLUDE / "companies", company).title
    except SettingsError:
        return company


def _way(concern: Concern) -> Way | None:
    """Where it is settled."""
    match concern.code:
        case "reconnect_needed" | "login_ends" | "first_token" | "budget":
            return Way("connections", "To the connections")
        case "settings" if concern.subject == "connection":
            return Way("connections", "To the connections")
        case "settings" if concern.subject == "mappings":
            return Way("mappings", "To the mappings")
        case "mapping":
            return Way(f"import/{_module(concern)}", f"To the fields of {concern.subject}")
        case "mapping_file" | "replay":
            return Way(f"mappings/{_module(concern)}", f"To the mapping of {concern.subject}")
        case "waiting":
            return Way(f"records/{_module(concern)}?wanted=waiting", "To these records")
        case "paused" | "overdue":
            return Way(f"../dags/{part(dag_id(concern.company))}", "To the DAG", airflow=True)
        case _:
            return _to_run(concern)


def _module(concern: Concern) -> str:
    return f"{part(concern.company)}/{part(concern.subject)}"


def _to_run(concern: Concern) -> Way | None:
    if concern.run is None:
        return None
    path = "runs/" + "/".join(part(each) for each in concern.run)
    if concern.code == "not_added":
        return Way(f"{path}/{part(concern.subject)}?outcome=not_added", "To these records")
    return Way(path, "To the run")
