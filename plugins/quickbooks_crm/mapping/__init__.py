"""What becomes of QuickBooks' records in the CRM: the mapping files, read and checked."""

from quickbooks_crm.mapping.model import Condition, Exclusion, Field, Lines, Mapping, Reference
from quickbooks_crm.mapping.paths import Item, Join, Path, Shown, Source
from quickbooks_crm.mapping.reading import parse
from quickbooks_crm.mapping.together import load, load_order, parse_all, references

__all__ = [
    "Condition",
    "Exclusion",
    "Field",
    "Item",
    "Join",
    "Lines",
    "Mapping",
    "Path",
    "Reference",
    "Shown",
    "Source",
    "load",
    "load_order",
    "parse",
    "parse_all",
    "references",
]
