"""One company's QuickBooks: a request comes back as an answer, or as an error that says why."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from quickbooks import QuickBooks

from quickbooks_crm.errors import (
    QuickBooksAsksToWait,
    QuickBooksLoginExpired,
    QuickBooksRefused,
)
from quickbooks_crm.quickbooks.limiter import Limits, Outcome
from quickbooks_crm.quickbooks.patience import patient
from quickbooks_crm.quickbooks.problems import asked_to_wait, problem_of, tid_of, unanswered
from quickbooks_crm.quickbooks.records import (
    Changes,
    Envelope,
    Page,
    changes_of,
    company_of,
    count_of,
    envelope_of,
    page_of,
)
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.transport import BoundedSession, never_sent

MINOR_VERSION = 75

_ALLOWED = {
    ("POST", "query"): "QueryResponse",
    ("GET", "cdc"): "CDCResponse",
    ("GET", "companyinfo"): "CompanyInfo",
}
_ASKED = re.compile(rb"(?i)^SELECT (COUNT\(\*\))?.*? FROM ([A-Za-z]{1,40})\b")


class Tokens(Protocol):
    """Where access tokens come from."""

    def access_token(self) -> str:
        """A token that is valid as far as we know."""

    def renewed(self, rejected: str) -> str:
        """Another token than the one QuickBooks has just rejected."""

    def refused(self) -> None:
        """QuickBooks has rejected that one too. May raise what ends all calls."""

    def accepted(self) -> None:
        """QuickBooks has let us in."""


@dataclass(frozen=True)
class Request:
    """One call, of a kind that only reads."""

    kind: str
    method: str
    url: str
    params: dict[str, Any]
    content_type: str
    body: bytes | None

    @property
    def purpose(self) -> str:
        """What the call is for, in the ledger: an entity's name, count, changes or companyinfo."""
        if self.kind != "query":
            return "changes" if self.kind == "cdc" else self.kind
        asked = _ASKED.search(self.body or b"")
        if asked is None:
            return self.kind
        return "count" if asked[1] else asked[2].decode()


class QuickBooksClient(QuickBooks):
    """Answers in QuickBooks' own bytes. Up to ten threads may use one client at a time.

    The library builds the addresses and requests. Its objects are not used: they make floats of
    amounts and invent values. Only `query`, `cdc` and `companyinfo` can be called, since Intuit
    has no permission that only reads.
    """

    session_type = BoundedSession

    def __new__(cls, settings: Settings, *_: Any, **__: Any) -> "QuickBooksClient":
        """The library reads its own settings here."""
        return super().__new__(cls, company_id=settings.realm, minorversion=MINOR_VERSION)

    def __init__(
        self,
        settings: Settings,
        tokens: Tokens,
        limits: Limits,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.api_url_v3 = f"{settings.api_url}/v3"
        self._settings = settings
        self._tokens = tokens
        self._limits = limits
        self._pause = pause
        self._idle: list[BoundedSession] = []
        self._quiet_until = 0.0

    def query(self, statement: str) -> Page:
        """The records that a `SELECT` finds: one page."""
        return page_of(super().query(statement))

    def count(self, entity: str, where: str = "") -> int:
        """How many records of an entity there are."""
        statement = " ".join(
            filter(None, ("SELECT COUNT(*) FROM", entity, where and f"WHERE {where}"))
        )
        return count_of(super().query(statement))

    def changed(self, entities: Sequence[str], since: datetime) -> Changes:
        """What change data capture tells of these entities: up to 1000 records, and not if more."""
        moment = since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return changes_of(self.change_data_capture(",".join(entities), moment), entities)

    def company_info(self) -> dict[str, Any]:
        """The company's own record: its name, country, and what it has subscribed to."""
        return company_of(self.get_single_object("CompanyInfo", self.company_id))

    def make_request(
        self,
        request_type: str,
        url: str,
        request_body: Any = None,
        content_type: str = "application/json",
        params: dict[str, Any] | None = None,
        **_: Any,
    ) -> Envelope:
        """What every method of the library ends in: send, and try again while that can help."""
        request = Request(
            kind=self._allowed(request_type, url),
            method=request_type,
            url=url,
            params={**(params or {}), "minorversion": self.minorversion},
            content_type=content_type,
            body=request_body.encode() if request_body else None,
        )
        envelope: Envelope = patient(self._pause)(self._logged_in, request)
        return envelope

    def _allowed(self, method: str, url: str) -> str:
        """The kind of a request that reads our own company; all others are never sent."""
        prefix = f"{self.api_url}/company/{self.company_id}/"
        kind = url.removeprefix(prefix).split("/")[0] if url.startswith(prefix) else ""
        if (method, kind) not in _ALLOWED:
            raise QuickBooksRefused(
                f"Not sent to QuickBooks: {method} {urlsplit(url).path}. This project only reads."
            )
        return kind

    def _logged_in(self, request: Request) -> Envelope:
        """Send; on 401 refresh once and send again."""
        token = self._tokens.access_token()
        try:
            envelope = self._answered(request, token)
        except QuickBooksLoginExpired:
            envelope = self._anew(request, self._tokens.renewed(token))
        self._tokens.accepted()
        return envelope

    def _anew(self, request: Request, token: str) -> Envelope:
        try:
            return self._answered(request, token)
        except QuickBooksLoginExpired:
            self._tokens.refused()
            raise

    def _answered(self, request: Request, token: str) -> Envelope:
        response = self._sent(request, token)
        envelope = envelope_of(response.content) if response.status_code == 200 else None
        if envelope and envelope.answers(_ALLOWED[request.method, request.kind]):
            envelope.intuit_tid = tid_of(response)
            return envelope
        problem = problem_of(response, request.kind, self._settings, token)
        if isinstance(problem, QuickBooksAsksToWait):
            self._quiet_until = time.monotonic() + problem.seconds
        raise problem

    def _require_not_quiet(self) -> None:
        """What one thread was told holds for all, also for requests that waited for their turn."""
        left = self._quiet_until - time.monotonic()
        if left > 0:
            company = f"company {self._settings.realm} ({self._settings.environment})"
            raise asked_to_wait(f"QuickBooks has asked {company} to wait.", left)

    def _sent(self, request: Request, token: str) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Content-Type": request.content_type,
            "User-Agent": "quickbooks-crm",
        }
        cause: requests.RequestException
        with self._limits.turn(request.purpose) as turn, self._own_session() as session:
            turn.outcome = Outcome.UNSENT
            self._require_not_quiet()
            turn.outcome = Outcome.BILLED
            try:
                response = session.request(
                    request.method,
                    request.url,
                    params=request.params,
                    data=request.body,
                    headers=headers,
                )
            except requests.RequestException as error:
                cause = error
                if never_sent(error):
                    turn.outcome = Outcome.UNSENT
            else:
                if response.status_code != 200:
                    turn.outcome = Outcome.FREE
                return response
        # Outside the handler: a traceback through it would keep the request with its token.
        raise unanswered(request.kind, type(cause).__name__)

    @contextmanager
    def _own_session(self) -> Iterator[BoundedSession]:
        """A session for one request at a time: `requests` promises nothing for a shared one."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = self.session_type()
        yield session
        self._idle.append(session)
