"""What becomes of QuickBooks' records in the CRM: the mapping files, read and checked."""

from quickbooks_crm.mapping.model import Condition, Exclusion, Field, Mapping, Reference
from quickbooks_crm.mapping.paths import Item, Join, Path, Source
from quickbooks_crm.mapping.reading import parse
from quickbooks_crm.mapping.together import load, load_order, parse_all

__all__ = [
    "Condition",
    "Exclusion",
    "Field",
    "Item",
    "Join",
    "Mapping",
    "Path",
    "Reference",
    "Source",
    "load",
    "load_order",
    "parse",
    "parse_all",
]
