"""Intuit's OAuth: the address of its consent page; and its token endpoint, where a code or a token
goes in and a grant comes out, or the reason why not."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError

from quickbooks_crm.errors import QuickBooksClosed, QuickBooksUnavailable
from quickbooks_crm.quickbooks.settings import SIMULATOR, Settings
from quickbooks_crm.quickbooks.transport import BoundedSession

ACCESS_LIFETIME = 3600  # seconds, should Intuit not say

T = TypeVar("T")

log = logging.getLogger(__name__)
_discovered: dict[str, requests.Response] = {}


class InvalidGrant(Exception):
    """Intuit does not know this code or refresh token (any more)."""


@dataclass(frozen=True)
class Grant:
    """What Intuit answered; lifetimes are in seconds.

    Without a new refresh token the old one stays good.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    refresh_expires_in: int | None
    hard_expires_in: int | None


class _AuthClient(BoundedSession, AuthClient):
    """Intuit's own client with an end to every request, and discovery read once per process."""

    connect_timeout = 5.0
    read_timeout = 10.0
    deadline = 15.0

    discovery: requests.Response

    def request(
        self, method: str | bytes, url: str | bytes, *args: Any, **options: Any
    ) -> requests.Response:
        """As in `BoundedSession`; discovery, which Intuit's client reads at its making, is kept."""
        if url != self.environment:
            return super().request(method, url, *args, **options)
        known = _discovered.get(self.environment)
        self.discovery = known or super().request(method, url, *args, **options)
        return self.discovery


def log_in(settings: Settings, refresh_token: str) -> Grant:
    """Exchange a refresh token. It may be worth nothing afterwards: store the grant, then use it.

    Raises `InvalidGrant`, `QuickBooksClosed` when the app's keys are wrong, and
    `QuickBooksUnavailable` when it is unknown whether Intuit has processed the request.
    """

    def refresh() -> Grant:
        client = _client(settings)
        client.refresh(refresh_token=refresh_token)
        return _grant(client)

    return _asked(settings, refresh)


def consent_page(settings: Settings, redirect_uri: str, state: str) -> str:
    """The address at Intuit where a person lets the app read their company, and from where they
    come back to the redirect URI with this state. Raises as `log_in` does."""

    def address() -> str:
        client = _client(settings, redirect_uri)
        return str(client.get_authorization_url([Scopes.ACCOUNTING], state))

    return _asked(settings, address)


def exchange(settings: Settings, redirect_uri: str, code: str) -> Grant:
    """What Intuit gives, once, for the code that a person came back with. Raises as `log_in`
    does."""

    def take() -> Grant:
        client = _client(settings, redirect_uri)
        client.get_bearer_token(code)
        grant = _grant(client)
        if grant.refresh_token is None:
            raise ValueError("no refresh token")
        return grant

    return _asked(settings, take)


def revoke(settings: Settings, refresh_token: str) -> None:
    """End the login that a refresh token belongs to, if Intuit still knows it. Raises as `log_in`
    does."""

    def end() -> None:
        try:
            _client(settings).revoke(token=refresh_token)
        except AuthClientError as error:
            if error.status_code != 400:
                raise

    _asked(settings, end)


def _asked(settings: Settings, ask: Callable[[], T]) -> T:
    """What Intuit's client answers; what it raises, in our words."""
    try:
        return ask()
    except AuthClientError as error:
        failure = _refusal(settings, error)
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        failure = _unavailable(f"no usable answer, {type(error).__name__}")
    # Outside the handler: Intuit's client keeps the answer's body, and so would a traceback.
    raise failure


def _client(settings: Settings, redirect_uri: str = "") -> _AuthClient:
    client = _AuthClient(  # type: ignore[call-arg]  # its base ships without types
        settings.client_id, settings.client_secret, redirect_uri, settings.discovery_url
    )
    endpoints = (client.auth_endpoint, client.token_endpoint, client.revoke_endpoint)
    if settings.environment != SIMULATOR and not all(map(_is_intuits, endpoints)):
        raise QuickBooksClosed(
            "Intuit's discovery document names an endpoint for logins that is not Intuit's. "
            "Nothing was sent to it."
        )
    _discovered[settings.discovery_url] = client.discovery
    client.headers["x-include-refresh-token-hard-expires-in"] = "true"
    return client


def _is_intuits(address: str) -> bool:
    endpoint = urlsplit(address)
    return endpoint.scheme == "https" and f".{endpoint.hostname}".endswith(".intuit.com")


def _grant(client: _AuthClient) -> Grant:
    """Lenient: a lifetime that cannot be read must not cost the refresh token beside it."""
    if not isinstance(client.access_token, str) or not client.access_token:
        raise ValueError("no access token")
    return Grant(
        access_token=client.access_token,
        refresh_token=client.refresh_token if isinstance(client.refresh_token, str) else None,
        expires_in=_seconds(client.expires_in) or ACCESS_LIFETIME,
        refresh_expires_in=_seconds(client.x_refresh_token_expires_in),
        hard_expires_in=_seconds(getattr(client, "x_refresh_token_hard_expires_in", None)),
    )


def _seconds(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _refusal(settings: Settings, error: AuthClientError) -> Exception:
    status, tid = error.status_code, error.intuit_tid or "none"
    reason = _reason(error.response)
    log.warning(
        "QuickBooks login failed: status %s, %s, intuit_tid %s", status, reason or "no reason", tid
    )
    if status >= 500 or status in (408, 429):
        return _unavailable(f"status {status}, intuit_tid {tid}")
    if reason == "invalid_grant":
        return InvalidGrant()
    if reason == "invalid_client":
        return QuickBooksClosed(
            f"Intuit does not know the app's keys (invalid_client, status {status}, intuit_tid "
            f"{tid}). "
            f"Check client id and client secret of the connection for company {settings.realm}: "
            "production companies need "
            "production keys, sandbox companies development keys."
        )
    return QuickBooksClosed(
        f"Intuit refused the login to company {settings.realm} "
        f"(status {status}, {reason or 'no reason given'}, intuit_tid {tid})."
    )


def _reason(response: requests.Response) -> str:
    """OAuth's word for what is wrong, when the answer has one that looks like one."""
    try:
        answer = response.json()
    except ValueError:
        return ""
    reason = answer.get("error") if isinstance(answer, dict) else None
    return (
        reason
        if isinstance(reason, str) and reason.replace("_", "").isalpha() and len(reason) < 40
        else ""
    )


def _unavailable(why: str) -> QuickBooksUnavailable:
    return QuickBooksUnavailable(
        f"Intuit's login cannot be used now ({why}). No token was given up; the next try logs in "
        "again."
    )
