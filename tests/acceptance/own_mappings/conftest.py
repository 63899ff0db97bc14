"""A company whose mappings a test may change, with QuickBooks and without, and its commands."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import database
from quickbooks_crm.__main__ import main
from tests.acceptance.kept_in_step import Kept, kept_in_step, own_include


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of mappings and companies that the test may change."""
    return own_include(tmp_path, monkeypatch)


@pytest.fixture
def kept(include: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=6, items=3) as company:
        yield company


@pytest.fixture
def connection(include: Path, crm: str) -> Iterator[Connection[Any]]:
    """The CRM, with the company in it and no QuickBooks."""
    with psycopg.connect(crm, autocommit=True) as connection:
        database.add_companies(connection, include / "crm", {"sample": "Sample company"})
        yield connection


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command for the company; its exit code, and what it printed."""

    def run(*words: str) -> tuple[int, str]:
        code = main((*words, "--company", "sample"))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run
