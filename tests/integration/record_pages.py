"""The pages of the accounts' records, and records that they show."""

import html
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import companies, mapping, one_module
from quickbooks_crm.dedupe import Target
from quickbooks_crm.mapping import Mapping
from tests.integration.crm import Record, by_hand, one, ready, sync
from tests.integration.undo import company

PAGES = "/quickbooks-crm"
ACCOUNTS = f"{PAGES}/records/sample/accounts"
FROM_A_PAGE = {"sec-fetch-site": "same-origin"}
HOSTILE = "\u202e<script>alert(1)</script>"


@pytest.fixture
def clerk(anonymous: httpx.Client, signed_in_as: Callable[[str], None]) -> httpx.Client:
    """A browser in which somebody is signed in who may run."""
    signed_in_as("user")
    return anonymous


def known(*modules: str) -> dict[str, Mapping]:
    """The mappings that the pages read."""
    found = mapping.load(companies.INCLUDE / "mappings")
    return {name: found[name] for name in modules or found}


def bring(connection: Connection[Any], *records: Record, run_id: str | None = None) -> None:
    """A sync of the accounts, and of other modules where one of the records is theirs."""
    entities = {record.entity for record in records} - {"Customer"}
    others = {"Item": ["products"], "Invoice": ["quotes", "invoices"]}
    modules = ["accounts", *(name for entity in entities for name in others[entity])]
    sync(connection, known(*modules), *records, run_id=run_id)


def target(connection: Connection[Any]) -> Target:
    return one_module.target(connection, known("accounts")["accounts"], company())


def account(connection: Connection[Any], name: str, **values: Any) -> str:
    ready(connection)
    return str(by_hand(connection, "crm.accounts", name=name, **values))


def key_of(connection: Connection[Any], name: str) -> str:
    return str(one(connection, "SELECT id FROM crm.accounts WHERE name = %s", [name]))


def text(answer: httpx.Response) -> str:
    """What a person reads, in one line."""
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def record(browser: httpx.Client, key: str, at: str = ACCOUNTS) -> httpx.Response:
    return browser.get(f"{at}/record?key={key}")
