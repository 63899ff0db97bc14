"""How the pages look: templates filled in, every value escaped, every link relative."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.filters import do_striptags

from quickbooks_crm import reasons, wording
from quickbooks_crm.activity import Change
from quickbooks_crm.images import LINES
from quickbooks_crm.reconcile import report

NAVIGATION = (
    ("Start", ("",)),
    ("Import", ("import", "started")),
    ("Records", ("records",)),
    ("Mappings", ("mappings",)),
    ("Activity", ("activity", "runs", "charts", "corrections", "airflow")),
    ("Health", ("health",)),
    ("Connections", ("connections", "callback")),
)
"""The pages that every page leads to: the name, the way from the first one, and then the first
parts of other ways that belong to it."""


@dataclass(frozen=True)
class Page:
    """A template and the status with which it is answered."""

    template: str
    status: int = 200


@dataclass(frozen=True)
class Problem:
    """Why a page cannot be shown or a change not be made: what kind of problem, and words for what
    only these can tell. `fields` are sentences about parts of what was sent, by their names."""

    status: int
    kind: str
    message: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def page(request: Request, what: Page, **shown: Any) -> HTMLResponse:
    """The answer that shows some values in a template."""
    here = request.url.path.removeprefix(request.scope.get("root_path", ""))
    known = {
        "root": root_of(request),
        "area": here.strip("/").split("/")[0],
        "whose": getattr(request.state, "whose", ""),
    }
    return HTMLResponse(_templates.get_template(what.template).render(known | shown), what.status)


def go(path: str, said: str = "") -> Response:
    """The answer to a change that was made: the page to show next, as the way to it from the first
    one, and what to say there."""
    return JSONResponse({"go": path, "said": said})


def leave(address: str) -> Response:
    """The answer to a change that goes on elsewhere: the window is to leave Airflow for there."""
    return JSONResponse({"leave": address})


def begin(dag: str, conf: dict[str, Any], then: str) -> Response:
    """The answer when a run may begin: the browser starts it as its user, by Airflow's own API, and
    shows the page `then` of the run."""
    return JSONResponse({"begin": dag, "conf": conf, "then": then})


def refusal(request: Request, problem: Problem) -> Response:
    """The answer that says why not: a page to who looks, its words as JSON to who changes or asks
    for JSON."""
    asks_for_json = "application/json" in request.headers.get("accept", "")
    if request.method in ("GET", "HEAD") and not asks_for_json:
        # Without a session no script leads out of Airflow's frame: a link would open Airflow in it.
        framed = request.headers.get("sec-fetch-dest") == "iframe"
        shown = {"problem": problem.kind, "message": problem.message, "framed": framed}
        return page(request, Page("problem.html", problem.status), **shown)
    words = {"message": _in_words(request, problem), "fields": dict(problem.fields)}
    return JSONResponse(words, problem.status)


def _in_words(request: Request, problem: Problem) -> str:
    """A message of its own as it is, line by line."""
    if problem.kind == "settings":
        return problem.message
    words = _templates.get_template("problem_words.html")
    told = {"problem": problem.kind, "message": problem.message, "root": root_of(request)}
    return do_striptags(words.render(told, framed=False))


def root_of(request: Request) -> str:
    """The way from the page back to the first one: it holds behind any proxy."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return "../" * (path.count("/") - 1) or "./"


def when(moment: datetime) -> str:
    """A moment as people write it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def value(something: Any) -> str:
    """A CRM value as people write it."""
    if isinstance(something, bool):
        return "yes" if something else "no"
    if isinstance(something, Decimal):
        return _number(something)
    if isinstance(something, datetime):
        return when(something) if something.tzinfo else f"{something:%Y-%m-%d %H:%M:%S}"
    if isinstance(something, dict | list):
        return wording.as_json(something)
    return str(something)


def _number(number: Decimal) -> str:
    """Without the zeros that only the column's type adds; two places stay, as for money."""
    whole, point, places = f"{number:f}".partition(".")
    return whole + point + places.rstrip("0").ljust(2, "0") if point else whole


def sentence(text: str) -> str:
    """A text that begins with a capital letter, the others as they are."""
    return text[:1].upper() + text[1:]


def part(text: str) -> str:
    """A text as one part of a path.

    Colon and plus, as in run ids, stay as they are: Airflow's frame mirrors the path decoded, and
    loads a page a second time whose address it would have written differently.
    """
    return quote(text, safe=":+")


def given(text: str) -> str:
    """A text as the value of a parameter in an address."""
    return quote(text, safe="")


def query(asked: Mapping[str, Any], **more: str) -> str:
    """What follows the path of an address: parameters that have a value."""
    said = {name: value for name, value in {**asked, **more}.items() if value}
    return "?" + urlencode(said, quote_via=quote, safe="") if said else ""


def lines_told(change: Change, outcome: str) -> str:
    """What became of a document's lines."""
    return (wording.changed if outcome == "updated" else wording.filled)(change)


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    when=when,
    value=value,
    sentence=sentence,
    part=part,
    given=given,
    words=wording.words,
    took=wording.took,
    query=query,
    in_words=reasons.sentence,
    lines_told=lines_told,
)
_templates.globals.update(
    NAVIGATION=NAVIGATION,
    LINES=LINES,
    TABS=("not_added", "duplicate", "excluded", "updated", "added", "unchanged"),
    called=wording.called,
    notes=wording.notes,
    numbers=report.numbers,
    verdict=report.verdict,
)
