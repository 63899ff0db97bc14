"""One company's QuickBooks: a request comes back as an answer, or as an error that says why."""

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from quickbooks import QuickBooks
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from quickbooks_crm.errors import QuickBooksLoginExpired, QuickBooksRefused, QuickBooksUnavailable
from quickbooks_crm.quickbooks.faults import Verdict, explain, fault_of, verdict_on
from quickbooks_crm.quickbooks.limiter import Limiter, limiter
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
from quickbooks_crm.quickbooks.transport import BoundedSession

MINOR_VERSION = 75
TRIES = 6
PATIENCE = 20 * 60.0  # seconds one request may take with all its tries
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 15 * 60.0  # seconds that a Retry-After is taken at its word

_ALLOWED = {
    ("POST", "query"): "QueryResponse",
    ("GET", "cdc"): "CDCResponse",
    ("GET", "companyinfo"): "CompanyInfo",
}
_backoff = wait_random_exponential(multiplier=1, max=60)
_throttled_backoff = wait_random_exponential(multiplier=8, max=60)

log = logging.getLogger(__name__)


class Tokens(Protocol):
    """Where access tokens come from."""

    def access_token(self) -> str:
        """A token that is valid as far as we know."""

    def renewed(self, rejected: str) -> str:
        """Another token than the one QuickBooks has just rejected."""


class TryAgain(QuickBooksUnavailable):
    """A failure that passes; `after` is QuickBooks' own word for when, in seconds."""

    def __init__(
        self, message: str, verdict: Verdict = Verdict.DOWN, after: float | None = None
    ) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.after = after


@dataclass(frozen=True)
class Request:
    """One call, of a kind that only reads."""

    kind: str
    method: str
    url: str
    params: dict[str, Any]
    content_type: str
    body: bytes | None


class QuickBooksClient(QuickBooks):
    """Answers in QuickBooks' own bytes. Up to ten threads may use one client at a time.

    The library builds the addresses and requests. Its objects are not used: they make floats of
    amounts and invent values. Only `query`, `cdc` and `companyinfo` can be called, since Intuit
    has no permission that only reads.
    """

    def __new__(cls, settings: Settings, tokens: Tokens, **_: Any) -> "QuickBooksClient":
        """The library reads its own settings here."""
        return super().__new__(cls, company_id=settings.realm, minorversion=MINOR_VERSION)

    def __init__(
        self,
        settings: Settings,
        tokens: Tokens,
        limits: Limiter | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.api_url_v3 = f"{settings.api_url}/v3"
        self._settings = settings
        self._tokens = tokens
        self._limits = limits or limiter(settings.api_url, settings.realm)
        self._pause = pause
        self._threads = threading.local()
        self._calls = 0
        self._counting = threading.Lock()

    @property
    def calls(self) -> int:
        """How many requests of this client have reached QuickBooks' API, answered well or not."""
        return self._calls

    def query(self, statement: str) -> Page:
        """The records that a `SELECT` finds: one page."""
        return page_of(super().query(statement))

    def count(self, entity: str, where: str = "") -> int:
        """How many records of an entity there are."""
        statement = " ".join(
            filter(None, ("SELECT COUNT(*) FROM", entity, where and f"WHERE {where}"))
        )
        return count_of(super().query(statement))

    def changed(self, entities: list[str], since: datetime) -> Changes:
        """What change data capture tells of these entities: up to 1000 records, and not if more."""
        moment = since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return changes_of(self.change_data_capture(",".join(entities), moment))

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
        retrying = Retrying(
            retry=retry_if_exception_type(TryAgain),
            stop=stop_after_attempt(TRIES) | stop_before_delay(PATIENCE),
            wait=_wait,
            sleep=self._pause,
            reraise=True,
        )
        envelope: Envelope = retrying(self._logged_in, request)
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
            return self._answered(request, token)
        except QuickBooksLoginExpired:
            return self._answered(request, self._tokens.renewed(token))

    def _answered(self, request: Request, token: str) -> Envelope:
        response = self._sent(request, token)
        envelope = envelope_of(response.content) if response.status_code == 200 else None
        if envelope and envelope.answers(_ALLOWED[request.method, request.kind]):
            return envelope
        raise self._failure(request, response, token)

    def _sent(self, request: Request, token: str) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Content-Type": request.content_type,
            "User-Agent": "quickbooks-crm",
        }
        with self._limits.turn():
            try:
                response = self._session().request(
                    request.method,
                    request.url,
                    params=request.params,
                    data=request.body,
                    headers=headers,
                )
            except requests.RequestException as error:
                cause = type(error).__name__
                self._count(
                    isinstance(
                        error, requests.ReadTimeout | requests.exceptions.ChunkedEncodingError
                    )
                )
            else:
                self._count(True)
                return response
        log.warning("QuickBooks %s failed: %s", request.kind, cause)
        raise TryAgain(
            f"QuickBooks could not be reached for a {request.kind} ({cause}). "
            "Nothing is lost: the next try goes on from here. If it stays so, check the network "
            "and status.developer.intuit.com."
        )

    def _failure(self, request: Request, response: requests.Response, token: str) -> Exception:
        fault = fault_of(response.content)
        verdict = verdict_on(response.status_code, fault)
        tid = response.headers.get("intuit_tid", "none")
        log.warning(
            "QuickBooks %s failed: %s, status %s, code %s, intuit_tid %s",
            request.kind, verdict.value, response.status_code, fault.code if fault else "none", tid,
        )  # fmt: skip
        if verdict in (Verdict.LOGIN, Verdict.FORBIDDEN) and fault:
            fault = type(fault)(fault.code, fault.message)
        told = ", ".join(filter(None, (
            f"status {response.status_code}",
            explain(fault, (token, self._settings.client_secret)),
            f"intuit_tid {tid}",
        )))  # fmt: skip
        return _error(
            verdict, request.kind, self._settings, told, response.headers.get("Retry-After")
        )

    def _session(self) -> BoundedSession:
        """This thread's own session: `requests` promises nothing for a shared one."""
        if not hasattr(self._threads, "session"):
            self._threads.session = BoundedSession()
        session: BoundedSession = self._threads.session
        return session

    def _count(self, reached: bool) -> None:
        with self._counting:
            self._calls += reached


def _error(
    verdict: Verdict, kind: str, settings: Settings, told: str, retry_after: str | None
) -> Exception:
    company = f"company {settings.realm} ({settings.environment})"
    match verdict:
        case Verdict.THROTTLED:
            return TryAgain(
                f"QuickBooks is limiting the requests to {company}: {told}. Nothing is lost: the "
                "next try goes on from here.",
                verdict,
                _seconds(retry_after),
            )
        case Verdict.DOWN:
            return TryAgain(
                f"QuickBooks gave no usable answer to a {kind} for {company}: {told}. "
                "Nothing is lost: the next try goes on from here.",
                verdict,
                _seconds(retry_after),
            )
        case Verdict.LOGIN:
            return QuickBooksLoginExpired(
                f"QuickBooks does not accept our login to {company}: {told}. "
                "Connect the company again: put a new refresh token into its connection."
            )
        case Verdict.FORBIDDEN:
            return QuickBooksRefused(
                f"QuickBooks does not let this app read {company}: {told}. "
                "Check that the connection's company id, environment and keys belong together "
                "(sandbox companies need development keys), and that the company has not "
                "disconnected the app."
            )
        case Verdict.REFUSED:
            return QuickBooksRefused(
                f"QuickBooks refused a {kind} for {company}: {told}. Trying again will not help."
            )


def _wait(state: RetryCallState) -> float:
    """QuickBooks' own word when it gives one, else a random time under a doubling limit.

    Intuit's throttle lasts a minute, so after it the limit starts higher.
    """
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TryAgain) and error.after is not None:
        return error.after
    throttled = isinstance(error, TryAgain) and error.verdict is Verdict.THROTTLED
    return max(SHORTEST_WAIT, (_throttled_backoff if throttled else _backoff)(state))


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After in either of its forms, within reason."""
    if not retry_after:
        return None
    try:
        if re.fullmatch(r"\s*-?\d+(\.\d*)?\s*", retry_after):
            seconds = float(retry_after)
        else:
            seconds = (parsedate_to_datetime(retry_after) - datetime.now(UTC)) / timedelta(
                seconds=1
            )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)
