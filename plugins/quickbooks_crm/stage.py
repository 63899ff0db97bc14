"""Rows on their way: read from the mirror in batches of bounded size, laid down for the load,
sealed when whole."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from pandas import DataFrame
from psycopg import Connection, sql

from quickbooks_crm.catalog import Table
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.paths import written
from quickbooks_crm.picking import picked
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import WHO, paths

BATCH = 5_000


@dataclass(frozen=True)
class Window:
    """What a module still has to load: everything after `position`, up to the sealed generation."""

    position: int
    sealed: int


def batches(
    connection: Connection[Any], run: Run, mapping: Mapping, window: Window
) -> Iterator[DataFrame]:
    """The module's records that changed or whose cause changed, as `transform` takes them; Postgres
    picks the paths."""
    blocks = statements("stage")
    values = [blocks["picked"].format(value=picked(path)) for path in paths(mapping)]
    names = [*WHO, *map(written, paths(mapping))]
    with connection.cursor("staging") as cursor:
        cursor.execute(
            blocks["batch"].format(paths=sql.SQL("\n").join(values)),
            _where(run, mapping)
            | asdict(window)
            | {"entities": list(mapping.entities), "hash": mapping.hash},
        )
        while rows := cursor.fetchmany(BATCH):
            yield DataFrame(rows, columns=names, dtype="str")


def clear(connection: Connection[Any], run: Run, mapping: Mapping) -> None:
    """Forget what earlier tries or runs of this module have staged. Only the run that may write
    for the company may do so."""
    for block in ("clear_all_runs", "unseal_all_runs"):
        connection.execute(statements("stage")[block], _where(run, mapping))


def clear_own(connection: Connection[Any], run: Run, mapping: Mapping) -> None:
    """Forget what this very run has staged of the module."""
    for block in ("clear", "unseal"):
        connection.execute(statements("stage")[block], _where(run, mapping))


def write(
    connection: Connection[Any],
    run: Run,
    mapping: Mapping,
    table: Table,
    fit: DataFrame,
    ended: list[DataFrame],
) -> None:
    """Lay down rows fit to load, and those that ended, with why."""
    where = (run.realm, run.run_id, mapping.module)
    with connection.cursor().copy(statements("stage")["copy"]) as copy:
        for who, fields, refs in _fit(fit, mapping, table):
            copy.write_row((*where, *who, fields, refs, None, None, None, None))
        for rows in ended:
            for entity, id, state, outcome, reason, message, details in rows.itertuples(
                index=False, name=None
            ):
                why = _json(details) if details is not None else None
                copy.write_row(
                    (*where, entity, id, state, "{}", "{}", outcome, reason, message, why)
                )


def seal(connection: Connection[Any], run: Run, mapping: Mapping, window: Window) -> int:
    """Declare the staged rows whole; how many there are."""
    row = connection.execute(
        statements("stage")["seal"], _where(run, mapping) | asdict(window)
    ).fetchone()
    return int(row[0]) if row else 0


def sealed(connection: Connection[Any], run: Run, mapping: Mapping) -> int | None:
    """The generation up to which the module is staged; nothing when its rows are not, or no longer,
    whole."""
    row = connection.execute(statements("stage")["sealed_stage"], _where(run, mapping)).fetchone()
    return row[0] if row else None


def _fit(
    fit: DataFrame, mapping: Mapping, table: Table
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Who each row is, its values by column, and what it refers to. A deleted record only gets its
    flags."""
    refers = {name: field.refers for name, field in mapping.fields.items() if field.refers}
    keep = {name for name in fit.columns if name not in WHO and _has_default(table, name)}
    for row in fit.astype(object).where(fit.notna(), None).to_dict("records"):
        who = tuple(row.pop(name) for name in WHO)
        if who[2] == "deleted":
            row = {name: row[name] for name in mapping.when_deleted}
        values = {n: v for n, v in row.items() if n not in refers and not (v is None and n in keep)}
        references = {
            n: {"module": r.module, "entity": r.entity, "id": row[n]}
            for n, r in refers.items()
            if row.get(n)
        }
        empty = {n: None for n in refers if n in row and not row[n]}
        yield who, _json(values | empty), _json(references)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _has_default(table: Table, name: str) -> bool:
    """Whether a blank is left to the column's own default, since the column takes no blank."""
    column = table.columns[name]
    return column.required and column.default is not None


def _where(run: Run, mapping: Mapping) -> dict[str, Any]:
    return {"realm": run.realm, "run_id": run.run_id, "module": mapping.module}
