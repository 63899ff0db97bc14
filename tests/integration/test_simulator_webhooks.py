"""The simulator's webhooks, as whoever subscribed to them receives them."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from simulator import Simulator

TOKEN = "a-verifier-token"


class Receiver:
    """Keeps what it is told; answers with these statuses first, and then with 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.told: list[tuple[Message, bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.told.append((self.headers, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.told]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    with Simulator(customers=10, items=3, invoices=5, throttle=False) as quickbooks:
        yield quickbooks


def test_a_notice_is_signed_over_its_very_bytes(quickbooks: Simulator, receiver: Receiver) -> None:
    quickbooks.webhook(receiver.url, TOKEN)
    quickbooks.change("Customer", "1", Notes="new")
    assert quickbooks.webhooks_settled()

    [(headers, body)] = receiver.told

    digest = hmac.new(TOKEN.encode(), body, hashlib.sha256).digest()
    assert headers["intuit-signature"] == base64.b64encode(digest).decode()


def test_every_kind_of_change_is_told_as_cloud_events(
    quickbooks: Simulator, receiver: Receiver
) -> None:
    quickbooks.webhook(receiver.url, TOKEN)
    id = quickbooks.add("Item", Name="New")
    quickbooks.void("Invoice", "1")
    quickbooks.delete("Invoice", "2")
    quickbooks.inactivate("Item", "1")
    quickbooks.add("TaxCode", Name="Not told of")
    assert quickbooks.webhooks_settled()

    events = [event for body in receiver.bodies for event in body]

    assert [(event["type"], event["intuitentityid"]) for event in events] == [
        ("qbo.item.created.v1", id),
        ("qbo.invoice.voided.v1", "1"),
        ("qbo.invoice.deleted.v1", "2"),
        ("qbo.item.deleted.v1", "1"),
    ]
    assert {event["intuitaccountid"] for event in events} == {quickbooks.realm}
    assert len({event["id"] for event in events}) == 4


def test_the_old_form_names_the_realm_and_its_entities(
    quickbooks: Simulator, receiver: Receiver
) -> None:
    quickbooks.webhook(receiver.url, TOKEN, form="old")
    quickbooks.change("Customer", "1", Notes="new")
    assert quickbooks.webhooks_settled()

    [notification] = receiver.bodies[0]["eventNotifications"]

    assert notification["realmId"] == quickbooks.realm
    [entity] = notification["dataChangeEvent"]["entities"]
    assert entity.pop("lastUpdated").endswith("Z")
    assert entity == {"name": "Customer", "id": "1", "operation": "Update"}


@pytest.mark.parametrize("form", ["old", "cloudevents"])
def test_a_merge_tells_which_id_is_gone(
    quickbooks: Simulator, receiver: Receiver, form: str
) -> None:
    quickbooks.webhook(receiver.url, TOKEN, form=form)
    quickbooks.merge("Customer", "2", "3")
    assert quickbooks.webhooks_settled()

    if form == "old":
        told = receiver.bodies[-1]["eventNotifications"][0]["dataChangeEvent"]["entities"][-1]
        assert (told["operation"], told["id"], told["deletedId"]) == ("Merge", "3", "2")
    else:
        told = receiver.bodies[-1][-1]
        assert (told["type"], told["intuitentityid"]) == ("qbo.customer.merged.v1", "3")
        assert told["data"] == {"deletedid": "2"}


def test_what_is_not_acknowledged_is_told_again_with_the_same_bytes(
    quickbooks: Simulator, receiver: Receiver
) -> None:
    receiver.statuses = [500, 503]
    quickbooks.webhook(receiver.url, TOKEN, retry_after=(0.01, 0.01, 0.01))
    quickbooks.change("Customer", "1", Notes="new")
    assert quickbooks.webhooks_settled()

    assert len({body for _, body in receiver.told}) == 1
    attempts = [(each.attempt, each.status) for each in quickbooks.deliveries]
    assert attempts == [(1, 500), (2, 503), (3, 200)]


def test_what_nobody_receives_is_given_up_in_the_end(quickbooks: Simulator) -> None:
    quickbooks.webhook("http://127.0.0.1:9/", TOKEN, retry_after=(0.01,))
    quickbooks.change("Customer", "1", Notes="new")

    assert quickbooks.webhooks_settled()
    assert [each.status for each in quickbooks.deliveries] == [0, 0]


def test_notices_may_come_twice_and_in_disorder(quickbooks: Simulator, receiver: Receiver) -> None:
    quickbooks.webhook(receiver.url, TOKEN, copies=2, disorder=True, gather_seconds=0.5)
    for id in "12345":
        quickbooks.change("Customer", id, Notes="new")
    assert quickbooks.webhooks_settled()

    ids = [event["intuitentityid"] for body in receiver.bodies for event in body]
    assert sorted(ids) == sorted("1122334455")
    assert ids[::2] != list("12345")


def test_a_form_there_is_not_is_refused(quickbooks: Simulator) -> None:
    with pytest.raises(ValueError, match=r"form cannot be 'odd'\. It is one of: cloudevents, old"):
        quickbooks.webhook("http://127.0.0.1:9/", TOKEN, form="odd")


def test_webhooks_can_be_asked_for_over_http(quickbooks: Simulator, receiver: Receiver) -> None:
    body = {"url": receiver.url, "verifier_token": TOKEN}
    assert requests.post(f"{quickbooks.url}/control/webhook", json=body, timeout=5).ok
    quickbooks.change("Customer", "1", Notes="new")
    assert quickbooks.webhooks_settled()

    shown = requests.get(f"{quickbooks.url}/control/deliveries", timeout=5).json()

    assert [(each["attempt"], each["status"]) for each in shown] == [(1, 200)]


def test_changes_may_be_told_from_the_start(receiver: Receiver) -> None:
    counts = {"customers": 2, "items": 0, "invoices": 0}
    with Simulator(webhook=receiver.url, verifier_token=TOKEN, **counts) as quickbooks:
        quickbooks.change("Customer", "1", Notes="new")
        assert quickbooks.webhooks_settled()

    assert len(receiver.told) == 1
