"""What a simulator can be told at its start."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

COUNTS = (
    *("customers", "items", "invoices", "estimates", "sales_receipts", "credit_memos"),
    *("refund_receipts", "vendors", "employees", "purchase_orders", "bills"),
)
"""The settings that say how many rows there are; payments follow from the invoices."""


@dataclass(frozen=True)
class Settings:
    """One company's size and character, who may call, and how strictly."""

    customers: int = 200
    items: int = 60
    invoices: int = 150
    estimates: int = 30
    sales_receipts: int = 20
    credit_memos: int = 10
    refund_receipts: int = 5
    vendors: int = 20
    employees: int = 6
    purchase_orders: int = 10
    bills: int = 30
    seed: int = 1
    as_of: date | None = None
    load: Path | str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    realm: str = "9341452000000001"
    client_id: str = "simulator-client"
    client_secret: str = "simulator-secret"
    refresh_token: str = "simulator-refresh-token"
    rotation: str = "daily"
    reuse: str = "reject"
    grace_seconds: float = 0
    webhook: str | None = None
    verifier_token: str = "simulator-verifier-token"
    latency_ms: float = 0
    throttle: bool = True
    throttle_form: str = "upper"
    quota: int | None = None
    cdc_most: int = 1000
    cdc_cap: str = "shared"
    cdc_order: str = "reversed"
    cdc_stubs: str = "times"
    cdc_old: str = "cut"
