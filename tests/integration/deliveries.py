"""Deliveries as Intuit writes and signs them."""

import base64
import hashlib
import hmac
from typing import Any

from tests.integration.runs import REALM

TOKEN = "a-verifier-token"


def signed(body: bytes, token: str = TOKEN) -> str:
    """The signature that belongs to exactly these bytes."""
    return base64.b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()


def cloud_event(number: int = 1, **changed: Any) -> dict[str, Any]:
    """One event in the new form."""
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "intuit.abc=",
        "type": "qbo.customer.updated.v1",
        "time": "2026-03-17T16:19:17.179851517Z",
        "intuitentityid": str(number),
        "intuitaccountid": REALM,
        **changed,
    }


def old_entity(**changed: Any) -> dict[str, Any]:
    """One entity in the old form."""
    return {
        "name": "Customer",
        "id": "1",
        "operation": "Update",
        "lastUpdated": "2026-03-17T09:19:17-07:00",
        **changed,
    }


def old_form(*entities: Any, realm: Any = REALM) -> dict[str, Any]:
    """A delivery in the old form."""
    told = {"realmId": realm, "dataChangeEvent": {"entities": list(entities)}}
    return {"eventNotifications": [told]}
