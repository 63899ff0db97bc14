"""What people call the columns that runs fill."""

from contextlib import suppress
from typing import Any

from psycopg import Connection

from quickbooks_crm import activity, catalog, runs
from quickbooks_crm.catalog import Table
from quickbooks_crm.errors import SettingsError


def labels(table: Table) -> dict[str, str]:
    """The labels of a table's columns."""
    return {column.name: column.label for column in table.columns.values()}


def of_run(connection: Connection[Any], run: activity.Run, module: str) -> dict[str, str]:
    """The same of the table that a run fills for a module; none where that is not there any more,
    or what the run was to do with it is not known."""
    asked = runs.Run(run.company, run.realm, run.run_id)
    with suppress(SettingsError):
        if known := runs.mapping(connection, asked, module):
            return labels(catalog.of(connection, known))
    return {}
