"""What becomes of QuickBooks' records in the CRM: the mapping files, read and checked."""

from quickbooks_crm.mapping.model import (
    Condition,
    Exclusion,
    Field,
    Keywords,
    Lines,
    Mapping,
    Owner,
    Reference,
)
from quickbooks_crm.mapping.paths import AsItIs, Item, Join, Path, Shown, Source
from quickbooks_crm.mapping.reading import hashed, parse
from quickbooks_crm.mapping.together import (
    Written,
    load,
    load_order,
    loads_after,
    looked_at,
    order_of_any,
    parse_all,
    parse_written,
    references,
    referred_by,
    with_children,
    written,
)

__all__ = [
    "AsItIs",
    "Condition",
    "Exclusion",
    "Field",
    "Item",
    "Join",
    "Keywords",
    "Lines",
    "Mapping",
    "Owner",
    "Path",
    "Reference",
    "Shown",
    "Source",
    "Written",
    "hashed",
    "load",
    "load_order",
    "loads_after",
    "looked_at",
    "order_of_any",
    "parse",
    "parse_all",
    "parse_written",
    "references",
    "referred_by",
    "with_children",
    "written",
]
