"""Tells changes to whoever subscribed: gathered, signed, and again until they are acknowledged."""

import heapq
import http.client
import itertools
import queue
import threading
import time
import uuid
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

from simulator.company import Event
from simulator.notices import FORMS, TOLD, signature

RETRY_AFTER = (10.0, 20.0, 30.0, 300.0, 1200.0, 7200.0, 14400.0, 21600.0)
ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class Subscription:
    """Where changes are told, how they are signed and written, and how badly they arrive.

    Changes within `gather_seconds` are told together. What was not acknowledged is told again
    `retry_after` so many seconds, then given up. Every notice comes `copies` times. In `disorder`
    each change is told by itself, in an order that depends on the seed.
    """

    url: str
    verifier_token: str
    form: str = "cloudevents"
    gather_seconds: float = 0.05
    retry_after: tuple[float, ...] = RETRY_AFTER
    copies: int = 1
    disorder: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"form cannot be {self.form!r}. It is one of: {', '.join(FORMS)}")


@dataclass(frozen=True)
class Delivery:
    """One attempt to tell something: status 0 means that no answer came."""

    url: str
    body: bytes
    attempt: int
    status: int

    def as_dict(self) -> dict[str, Any]:
        """For the control API."""
        body = self.body.decode()
        return {"url": self.url, "body": body, "attempt": self.attempt, "status": self.status}


class Webhooks:
    """All subscriptions to one company, each with a thread of its own."""

    def __init__(self, realm: str) -> None:
        self._realm = realm
        self._tellers: list[_Teller] = []

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt so far."""
        return [each for teller in self._tellers for each in list(teller.deliveries)]

    def subscribe(self, subscription: Subscription) -> None:
        """Tell of changes from now on."""
        self._tellers.append(_Teller(subscription, self._realm))

    def hear(self, event: Event) -> None:
        """Pass a change on, if it is of an entity that Intuit has webhooks for."""
        if event.entity in TOLD:
            for teller in self._tellers:
                teller.hear(event)

    def settled(self, timeout: float) -> bool:
        """Wait until all is told or given up; False when it takes longer than so many seconds."""
        end = time.monotonic() + timeout
        return all(teller.settled(end - time.monotonic()) for teller in self._tellers)

    def stop(self) -> None:
        """Tell nothing any more."""
        for teller in self._tellers:
            teller.stop()


@dataclass(frozen=True, order=True)
class _Notice:
    """A body to be sent at a moment of the monotonic clock."""

    due: float
    number: int
    attempt: int
    body: bytes


class _Teller:
    """Gathers, sends and repeats for one subscription."""

    def __init__(self, subscription: Subscription, realm: str) -> None:
        self.deliveries: list[Delivery] = []
        self._about = subscription
        self._realm = realm
        self._random = Random(f"{subscription.seed} disorder")
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._waiting: list[_Notice] = []
        self._numbers = itertools.count()
        self._open = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hear(self, event: Event) -> None:
        self._count(1)
        self._events.put(event)

    def settled(self, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, timeout)

    def stop(self) -> None:
        self._events.put(None)
        self._thread.join(2 * ANSWER_SECONDS)

    def _count(self, more: int) -> None:
        """How much is still to be told: changes not yet gathered, and notices not yet settled."""
        with self._changed:
            self._open += more
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            left = self._waiting[0].due - time.monotonic() if self._waiting else None
            try:
                event = self._events.get(timeout=left and max(left, 0.0))
            except queue.Empty:
                self._send(heapq.heappop(self._waiting))
                continue
            if event is None or not self._gather(event):
                return

    def _gather(self, first: Event) -> bool:
        """Make notices of this change and those that follow at once; False to stop."""
        events, end = [first], time.monotonic() + self._about.gather_seconds
        while (left := end - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            if event is None:
                return False
            events.append(event)
        bodies = [body for body in self._bodies(events) for _ in range(self._about.copies)]
        for body in bodies:
            heapq.heappush(self._waiting, _Notice(end, next(self._numbers), 1, body))
        self._count(len(bodies) - len(events))
        return True

    def _bodies(self, events: list[Event]) -> list[bytes]:
        write = FORMS[self._about.form]
        if not self._about.disorder:
            return [write(events, self._realm)]
        self._random.shuffle(events)
        return [write([event], self._realm) for event in events]

    def _send(self, notice: _Notice) -> None:
        status = _post(self._about, notice.body)
        self.deliveries.append(Delivery(self._about.url, notice.body, notice.attempt, status))
        again = self._about.retry_after[notice.attempt - 1 : notice.attempt]
        if status == 200 or not again:
            self._count(-1)
            return
        due = time.monotonic() + again[0]
        later = _Notice(due, next(self._numbers), notice.attempt + 1, notice.body)
        heapq.heappush(self._waiting, later)


def _post(about: Subscription, body: bytes) -> int:
    """The status of the answer; 0 where none came in time."""
    address = urlsplit(about.url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=ANSWER_SECONDS)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "intuit-signature": signature(about.verifier_token, body),
        "intuit-created-time": str(int(time.time())),
        "intuit-t-id": str(uuid.uuid4()),
        "intuit-notification-schema-version": "0.1",
    }
    try:
        connection.request("POST", address.path or "/", body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
