"""What may fill the columns of a CRM table, as far as the database tells."""

from collections.abc import Iterable, Iterator

from quickbooks_crm.catalog import Table
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.suggest import Candidate, Filled


def candidates(table: Table) -> Iterator[Candidate]:
    """The columns that a mapping may fill, with where their foreign keys lead."""
    required = {column.name for column in table.required}
    for column in table.columns.values():
        numbered = column.sequence and column.name == table.key
        if column.writable and not numbered and not column.unfillable:
            target = column.points_to
            yield Candidate(
                column.name,
                column.label,
                column.kind,
                column.name in required,
                ".".join(target[:2]) if target else None,
            )


def filled(known: Iterable[Mapping]) -> list[Filled]:
    """What these mappings fill."""
    return [Filled(m.module, m.table, m.entities) for m in known]
