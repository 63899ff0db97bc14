"""How Postgres picks the value at a path of a QuickBooks record."""

from psycopg import sql

from quickbooks_crm.mapping.paths import (
    MARK,
    NAMES,
    AsItIs,
    Path,
    Pick,
    Shown,
    bound,
    is_plain,
    json_path,
)
from quickbooks_crm.sql import statements

PAYLOAD = sql.Identifier("payload")
_TEXT, _JSON = sql.SQL("#>>"), sql.SQL("#>")


def picked(pick: Pick, record: sql.Composable = PAYLOAD) -> sql.Composed:
    """The expression for a value of a record, as text; NULL where there is none.

    What another record shows is looked up among the records of the parameter `realm`.
    """
    if isinstance(pick, AsItIs):
        value = _value(pick.value, record, _JSON)
        return statements("picking")["whole"].format(value=value, mark=sql.Literal(MARK))
    return _value(pick, record, _TEXT)


def _value(pick: Path | Shown, record: sql.Composable, as_: sql.SQL) -> sql.Composed:
    return _shown(pick, record, as_) if isinstance(pick, Shown) else _at(pick, record, as_)


def _shown(shown: Shown, record: sql.Composable, as_: sql.SQL) -> sql.Composed:
    blocks = statements("picking")
    is_name = shown.show[-1] in NAMES
    sent_along = _at(shown.sent_along, record, _TEXT) if shown.sent_along else sql.SQL("NULL")
    return blocks["shown_name" if is_name else "shown"].format(
        entity=sql.Literal(shown.entity),
        id=_at(shown.path, record, _TEXT),
        show=sql.Literal(list(shown.show)),
        as_=as_,
        sent_along=sent_along,
    )


def _at(path: Path, record: sql.Composable, as_: sql.SQL) -> sql.Composed:
    blocks = statements("picking")
    if is_plain(path):
        return blocks["by_names"].format(record=record, names=sql.Literal(list(path)), as_=as_)
    variables: list[str] = []
    found = sql.Literal(json_path(path, variables))
    values = sql.Literal(bound(variables))
    return blocks["from_list"].format(record=record, path=found, variables=values, as_=as_)
