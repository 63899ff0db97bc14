"""What a person is told when QuickBooks does not answer, and who of them can do something."""

import logging

import requests

from quickbooks_crm.errors import (
    QuickBooksAsksToWait,
    QuickBooksClosed,
    QuickBooksError,
    QuickBooksForbidden,
    QuickBooksLoginExpired,
    QuickBooksRefused,
    QuickBooksUnavailable,
)
from quickbooks_crm.quantity import many
from quickbooks_crm.quickbooks.faults import Verdict, explain, fault_of, verdict_on
from quickbooks_crm.quickbooks.retry_after import seconds_of
from quickbooks_crm.quickbooks.settings import Settings

LONGEST_PAUSE = 60.0
"""Seconds a request may wait before it is sent again. A task that has to wait longer gives its
place to others."""

_GOES_ON = "Nothing is lost: the next try goes on from here."

log = logging.getLogger(__name__)


class TryAgain(QuickBooksUnavailable):
    """A failure that passes; `retry_after` is QuickBooks' own word for when, in seconds."""

    def __init__(
        self, message: str, throttled: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.throttled = throttled
        self.retry_after = retry_after


class AnswerTooLong(TryAgain):
    """The answer did not come in time, or broke off: perhaps less can be had."""


def unanswered(kind: str, cause: str) -> TryAgain:
    """No answer came, or only a part of one."""
    log.warning("QuickBooks %s failed: %s", kind, cause)
    late = cause in ("ReadTimeout", "ChunkedEncodingError")
    return (AnswerTooLong if late else TryAgain)(
        f"QuickBooks could not be reached for a {kind} ({cause}). {_GOES_ON} "
        "If it stays so, check the network and status.developer.intuit.com."
    )


def asked_to_wait(why: str, seconds: float) -> QuickBooksAsksToWait:
    """Nothing may be called for so long."""
    return QuickBooksAsksToWait(
        f"{why} Nothing is called for {many(round(seconds), 'second')}. Nothing is lost: a task "
        "that Airflow runs is tried again after that and goes on from here; what a person started, "
        "they start again then.",
        seconds,
    )


def problem_of(
    response: requests.Response, kind: str, settings: Settings, token: str
) -> QuickBooksError:
    """What an answer that is not the one asked for means; the token sent is kept out of it."""
    fault = fault_of(response.content)
    verdict = verdict_on(response.status_code, fault)
    code, tid = fault.code if fault else "none", tid_of(response)
    log.warning(
        "QuickBooks %s failed: %s, status %s, code %s, intuit_tid %s",
        *(kind, verdict.value, response.status_code, code, tid),
    )
    text = explain(fault, verdict, (token, settings.client_secret))
    told = ", ".join(filter(None, (f"status {response.status_code}", text, f"intuit_tid {tid}")))
    retry_after = seconds_of(response.headers.get("Retry-After"))
    company = f"company {settings.realm} ({settings.environment})"
    match verdict:
        case Verdict.THROTTLED | Verdict.DOWN if retry_after and retry_after > LONGEST_PAUSE:
            return asked_to_wait(f"QuickBooks asks {company} to wait: {told}.", retry_after)
        case Verdict.THROTTLED:
            return TryAgain(
                f"QuickBooks is limiting the requests to {company}: {told}. {_GOES_ON}",
                throttled=True,
                retry_after=retry_after,
            )
        case Verdict.DOWN:
            late = response.status_code == 504
            return (AnswerTooLong if late else TryAgain)(
                f"QuickBooks gave no usable answer to a {kind} for {company}: {told}. {_GOES_ON}",
                retry_after=retry_after,
            )
        case Verdict.LOGIN:
            return QuickBooksLoginExpired(
                f"QuickBooks does not accept our login to {company}: {told}. "
                "Connect the company again: QuickBooks > Connections > Reconnect in Airflow."
            )
        case Verdict.FORBIDDEN:
            return QuickBooksForbidden(
                f"QuickBooks does not let this app read {company}: {told}. Check that company id, "
                "environment and keys of the connection belong together (sandbox companies need "
                "development keys), and that the company has not disconnected the app."
            )
        case Verdict.LAPSED:
            return QuickBooksClosed(
                f"QuickBooks has closed {company} to apps: {told}. Its subscription has probably "
                "lapsed; once it is renewed, the next run goes on where the last one stopped."
            )
        case Verdict.REFUSED:
            return QuickBooksRefused(
                f"QuickBooks refused a {kind} for {company}: {told}. Trying again will not help."
            )


def tid_of(response: requests.Response) -> str:
    """Intuit's number of the exchange, which its support asks for."""
    return str(response.headers.get("intuit_tid", "none"))
