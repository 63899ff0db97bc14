"""How Postgres picks the value at a path of a QuickBooks record."""

from psycopg import sql

from quickbooks_crm.mapping.paths import Path, is_plain, json_path
from quickbooks_crm.sql import statements

PAYLOAD = sql.Identifier("payload")


def picked(path: Path, record: sql.Composable = PAYLOAD) -> sql.Composed:
    """The expression for the text at a path of a record; NULL where there is none."""
    blocks = statements("picking")
    if is_plain(path):
        return blocks["by_names"].format(record=record, names=sql.Literal(list(path)))
    found, variables = json_path(path)
    return blocks["from_list"].format(
        record=record, path=sql.Literal(found), variables=sql.Literal(variables)
    )
