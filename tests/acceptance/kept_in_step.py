"""A company kept in step: a simulated QuickBooks, the real pipeline, a real Postgres."""

import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from demo.postgres import Server
from quickbooks_crm import activity, asking, companies, database, pipeline
from quickbooks_crm.activity import OUTCOMES, Module, Run
from quickbooks_crm.running import Request
from simulator import Company, Simulator
from tests.integration.connected import typed_as_json

INCLUDE = Path(__file__).resolve().parents[2] / "include"
FEW = "[products, accounts, contacts]"
TABLES = ("crm.products", "crm.accounts", "crm.contacts")
IMAGE = """
    SELECT to_jsonb(kept) - %s::text[] AS record,
           own.quickbooks_customer_id AS account, parent.quickbooks_customer_id AS parent
      FROM kept_table AS kept
      LEFT JOIN crm.accounts AS own ON own.id = (to_jsonb(kept) ->> 'account_id')::bigint
      LEFT JOIN crm.accounts AS parent ON parent.id = (to_jsonb(kept) ->> 'parent_id')::bigint
     ORDER BY to_jsonb(kept) ->> 'quickbooks_customer_id',
              to_jsonb(kept) ->> 'quickbooks_product_id'"""
BY_HAND = Request("command line", "tester")


def said_yes(preview: str, by: str = "ada") -> None:
    """What Airflow's task does after somebody has said Yes to a preview."""
    asking.answered("sample", preview, "Yes", {"said": "Yes", "by": by})


@dataclass
class Kept:
    """A company, its CRM and its runs."""

    quickbooks: Simulator
    url: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def sync(self, run_id: str | None = None, everything: bool = False) -> Run:
        """One whole run; raises what stopped it."""
        run_id = run_id or self.new_run_id()
        pipeline.sync("sample", run_id, BY_HAND, everything)
        return self.run(run_id)

    def new_run_id(self) -> str:
        return f"run-{next(self._numbers)}"

    def run(self, run_id: str) -> Run:
        """What the activity says of a run."""
        found = activity.run(self._connection, self.quickbooks.realm, run_id)
        assert found is not None
        return found

    def ask(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the CRM database."""
        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    @cached_property
    def _connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, prepare_threshold=None)

    def close(self) -> None:
        """Let go of the CRM database."""
        self._connection.close()

    def crm(self, table: str, customer_or_item: str) -> dict[str, Any]:
        """The CRM's one record of a QuickBooks record."""
        key = "product" if table == "crm.products" else "customer"
        [row] = self.ask(
            f"SELECT * FROM {table} WHERE quickbooks_{key}_id = %s",
            customer_or_item,
        )
        return row

    def image(self) -> dict[str, Any]:
        """What the CRM holds, without what says when or as which number it was written.

        References are told by the QuickBooks id of the record that they mean.
        """
        kept_out = ["id", "account_id", "parent_id", "created_at", "updated_at"]
        return {table: self.ask(IMAGE.replace("kept_table", table), kept_out) for table in TABLES}

    def mismatched(self) -> list[dict[str, Any]]:
        """Activities whose counts are not what their outcomes, counted, say; there must be none."""
        counted = ", ".join(f"count(*) FILTER (WHERE outcome = '{name}')" for name in OUTCOMES)
        return self.ask(
            "SELECT run_id, module FROM sync.activity AS told WHERE (read, "
            f"{', '.join(OUTCOMES)}) IS DISTINCT FROM (SELECT (count(*), {counted})"
            " FROM sync.outcome AS own WHERE (own.realm, own.run_id, own.module)"
            " = (told.realm, told.run_id, told.module))"
        )


@contextmanager
def kept_in_step(
    url: str, patch: pytest.MonkeyPatch, company: Company | None = None, **size: Any
) -> Iterator[Kept]:
    """A company of 30 customers and 8 items, if nothing else is said, and its CRM database. Of the
    modules it takes a few, unless the test has an include of its own."""
    chosen = {"customers": 30, "items": 8, "invoices": 0, "throttle": False, **size}
    with psycopg.connect(url, autocommit=True) as connection:
        database.add_companies(connection, INCLUDE / "crm", {"sample": "Sample company"})
    with _served(Simulator(company, **chosen), url, patch) as kept:
        yield kept


@contextmanager
def _served(simulator: Simulator, url: str, patch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with simulator as quickbooks, TemporaryDirectory() as directory:
        if companies.INCLUDE == INCLUDE:
            own_include(Path(directory), patch)
        patch.setenv("AIRFLOW_CONN_CRM", url)
        patch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", typed_as_json(quickbooks))
        with closing(Kept(quickbooks, url)) as kept:
            yield kept


@dataclass
class FirstSyncs:
    """First syncs, each of them done once: a test that begins after one takes a copy."""

    server: Server
    template: str
    _done: dict[tuple[Any, ...], tuple[str, Simulator]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def company(self, patch: pytest.MonkeyPatch, **size: Any) -> Iterator[Kept]:
        """What `kept_in_step` gives, after the run `run-1`, with calls counted from zero."""
        first, simulator = self._first(**size)
        name = f"{first}_{next(self._numbers)}"
        url = self.server.create_database(name, first)
        try:
            with _served(simulator.copy(), url, patch) as kept:
                kept.new_run_id()  # the first is taken
                yield kept
        finally:
            self.server.drop_database(name)

    def _first(self, **size: Any) -> tuple[str, Simulator]:
        files = sorted(companies.INCLUDE.rglob("*.yaml"))
        key = (*(file.read_text() for file in files), *sorted(size.items()))
        if key not in self._done:
            name = f"synced_{os.getpid()}_{next(self._numbers)}"
            url = self.server.create_database(name, self.template)
            with pytest.MonkeyPatch.context() as patch, kept_in_step(url, patch, **size) as kept:
                kept.sync()
                self._done[key] = name, kept.quickbooks
        return self._done[key]

    def forget(self) -> None:
        """Remove what was copied."""
        for name, _ in self._done.values():
            self.server.drop_database(name)


def own_include(directory: Path, patch: pytest.MonkeyPatch, modules: str = FEW) -> Path:
    """A copy of include/ that a test may edit, used instead of the project's; the company takes
    these modules."""
    copy = directory / "include"
    shutil.copytree(INCLUDE, copy)
    for file in (copy / "mappings").glob("*.yaml"):
        if file.stem not in modules:
            file.unlink()
    company = copy / "companies" / "sample.yaml"
    company.write_text(re.sub("modules: .*", f"modules: {modules}", company.read_text()))
    patch.setattr(companies, "INCLUDE", copy)
    return copy


def counts(run: Run) -> dict[str, dict[str, int]]:
    """The outcomes of each module that loaded, those that are not zero."""
    return {module.module: outcomes(module) for module in run.counts}


def outcomes(module: Module) -> dict[str, int]:
    return {name: getattr(module, name) for name in OUTCOMES if getattr(module, name)}


def as_text(value: Any) -> str:
    """Anything as text to search in."""
    return json.dumps(value, default=str, ensure_ascii=False)
