"""Which company of QuickBooks it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quickbooks_crm.quickbooks.settings import Settings


@dataclass(frozen=True)
class Identity:
    """What tells one company of QuickBooks from another. What QuickBooks does not say of itself is
    empty, or None."""

    realm: str
    environment: str
    name: str
    created_at: datetime | None

    def differences(self, other: "Identity") -> tuple[str, ...]:
        """In what the two are not the same, in words; what one of them does not know does not
        count."""
        pairs = {
            "company id": (self.realm, other.realm),
            "environment": (self.environment, other.environment),
            "name": (self.name, other.name),
            "time of creation": (self.created_at, other.created_at),
        }
        return tuple(what for what, (one, two) in pairs.items() if one and two and one != two)


def identity_of(settings: Settings, info: Mapping[str, Any]) -> Identity:
    """The identity of the company whose own record (`CompanyInfo`) this is."""
    name, meta = info.get("CompanyName"), info.get("MetaData")
    created = meta.get("CreateTime") if isinstance(meta, dict) else None
    return Identity(
        settings.realm,
        settings.environment,
        name if isinstance(name, str) else "",
        _moment(created),
    )


def _moment(written: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
