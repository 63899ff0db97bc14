"""What a webhook says: the old form and CloudEvents, and the signature that goes with a body."""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from simulator.company import Event
from simulator.rows import Data, encode

TOLD = frozenset(
    {
        *("Account", "Bill", "BillPayment", "Budget", "Class", "CreditMemo", "Currency"),
        *("Customer", "Department", "Deposit", "Employee", "Estimate", "Invoice", "Item"),
        *("JournalCode", "JournalEntry", "Payment", "PaymentMethod", "Preferences", "Purchase"),
        *("PurchaseOrder", "RefundReceipt", "SalesReceipt", "TaxAgency", "Term", "TimeActivity"),
        *("Transfer", "Vendor", "VendorCredit"),
    }
)
"""The entities Intuit has webhooks for."""

_PARTICIPLES = {
    "Create": "created",
    "Update": "updated",
    "Delete": "deleted",
    "Merge": "merged",
    "Void": "voided",
}


def signature(verifier_token: str, body: bytes) -> str:
    """The value of the header `intuit-signature` for exactly these bytes."""
    digest = hmac.new(verifier_token.encode(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def old_form(events: Iterable[Event], realm: str) -> bytes:
    """One notification of the company, with all its entities; it names no event."""
    entities = [_old(event) for event in events]
    notification = {"realmId": realm, "dataChangeEvent": {"entities": entities}}
    return encode({"eventNotifications": [notification]})


def _old(event: Event) -> Data:
    entity = {"name": event.entity, "id": event.id, "operation": event.operation}
    lost = {"deletedId": event.lost} if event.lost else {}
    return {**entity, "lastUpdated": _time(event.when), **lost}


def cloud_events(events: Iterable[Event], realm: str) -> bytes:
    """A list of events, each with an id of its own."""
    source = base64.b64encode(hashlib.sha256(realm.encode()).digest()).decode()
    return encode([_cloud_event(event, realm, source) for event in events])


def _cloud_event(event: Event, realm: str, source: str) -> Data:
    return {
        "specversion": "1.0",
        "id": f"{uuid.uuid4()}-{event.entity}-{event.id}",
        "source": f"intuit.{source}",
        "type": f"qbo.{event.entity.lower()}.{_PARTICIPLES[event.operation]}.v1",
        "datacontenttype": "application/json",
        "time": _time(event.when),
        "intuitentityid": event.id,
        "intuitaccountid": realm,
        "data": {"deletedid": event.lost} if event.lost else {},
    }


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


FORMS: dict[str, Callable[[Iterable[Event], str], bytes]] = {
    "cloudevents": cloud_events,
    "old": old_form,
}
