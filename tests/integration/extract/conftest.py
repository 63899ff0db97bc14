"""An autocommitting connection, a try of the task extract, and companies to read."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import runs
from quickbooks_crm.runs import Attempt
from simulator import Simulator
from tests.integration.connected import company
from tests.integration.extracting import RUN


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """As the pipeline opens it: every statement commits by itself."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def attempt(connection: Connection[Any]) -> Attempt:
    """A try of the task extract, in a run that holds the lease."""
    runs.start(connection, RUN, "manual", None)
    runs.take_lease(connection, RUN)
    return runs.attempt(connection, RUN, "extract")


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    with company(customers=30, items=5, throttle=False) as simulated:
        yield simulated


@pytest.fixture
def large() -> Iterator[Simulator]:
    """1,200 invoices and customers, and an item; QuickBooks tells of 1000 changes at most."""
    with company(customers=1200, items=1, invoices=1200, throttle=False) as simulated:
        yield simulated
