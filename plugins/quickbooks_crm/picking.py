"""How Postgres picks the value at a path of a QuickBooks record."""

from psycopg import sql

from quickbooks_crm.mapping.paths import NAMES, Path, Pick, Shown, bound, is_plain, json_path
from quickbooks_crm.sql import statements

PAYLOAD = sql.Identifier("payload")


def picked(pick: Pick, record: sql.Composable = PAYLOAD) -> sql.Composed:
    """The expression for a value of a record, as text; NULL where there is none.

    What another record shows is looked up among the records of the parameter `realm`.
    """
    if isinstance(pick, Shown):
        return _shown(pick, record)
    return _at(pick, record)


def _shown(shown: Shown, record: sql.Composable) -> sql.Composed:
    blocks = statements("picking")
    is_name = shown.show[-1] in NAMES
    sent_along = _at(shown.sent_along, record) if shown.sent_along else sql.SQL("NULL")
    return blocks["shown_name" if is_name else "shown"].format(
        entity=sql.Literal(shown.entity),
        id=_at(shown.path, record),
        show=sql.Literal(list(shown.show)),
        sent_along=sent_along,
    )


def _at(path: Path, record: sql.Composable) -> sql.Composed:
    blocks = statements("picking")
    if is_plain(path):
        return blocks["by_names"].format(record=record, names=sql.Literal(list(path)))
    variables: list[str] = []
    found = sql.Literal(json_path(path, variables))
    values = sql.Literal(bound(variables))
    return blocks["from_list"].format(record=record, path=found, variables=values)
