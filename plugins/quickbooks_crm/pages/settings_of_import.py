"""The settings of an import in the words of the dialog that people know."""

from dataclasses import dataclass

from quickbooks_crm.catalog import Table
from quickbooks_crm.companies import Company
from quickbooks_crm.mapping import Mapping

MODES = {
    "merge": "Create new records and merge to existing",
    "ignore": "Create new records and ignore existing",
    "create": "Create new records",
}
SEPARATORS = {"|": "| (a bar)", ";": "; (a semicolon)"}
UNKNOWN_KEYWORDS = {
    "ignore": "Leave them out",
    "insert": "Add them to the list",
}
UNKNOWN_OWNERS = {
    "default_owner": "Give the record to the default owner",
    "reject": "Do not add the record",
}
BLANKS = {
    False: "Empty the field only where it holds what an import wrote",
    True: "Always empty the field",
}
CHILD_ACCOUNTS = {
    "child_account": "Accounts of their own, below their parent",
    "roll_up": "Their transactions belong to the parent",
    "skip": "Left out",
}


@dataclass(frozen=True)
class Setting:
    """A setting and what it is set to."""

    name: str
    words: str


def of_mapping(mapping: Mapping, table: Table) -> list[Setting]:
    """How a module is imported; what it leaves to the company is not among it."""
    own = []
    if mapping.default_owner:
        own.append(Setting("Default owner", mapping.default_owner))
    if mapping.child_accounts:
        own.append(Setting("Sub-customers and jobs", CHILD_ACCOUNTS[mapping.child_accounts]))
    return [
        Setting("Mode", MODES[mapping.mode]),
        Setting("Key field", _key(mapping, table)),
        Setting("Check fields", " + ".join(label(table, name) for name in mapping.check) or "none"),
        Setting("Separator of keywords", SEPARATORS[mapping.separator]),
        Setting("Keywords that are not on the list", _keywords(mapping, table)),
        Setting("Owners that are not known", UNKNOWN_OWNERS[mapping.unknown_owner]),
        Setting("Fields that are blank in QuickBooks", BLANKS[mapping.blank_overwrites]),
        *own,
    ]


def of_company(company: Company) -> list[Setting]:
    """What the company's file says about all its imports."""
    return [
        Setting("Default owner", company.default_owner or "nobody"),
        Setting("Sub-customers and jobs", CHILD_ACCOUNTS[company.child_accounts]),
        Setting("Documents", f"from {company.start_date} on" if company.start_date else "all"),
    ]


def label(table: Table, name: str) -> str:
    """What people call a column."""
    return table.columns[name].label if name in table.columns else name


def _key(mapping: Mapping, table: Table) -> str:
    if mapping.key is None:
        return "none"
    within = f", among the same {label(table, mapping.within)}" if mapping.within else ""
    return label(table, mapping.key) + within


def _keywords(mapping: Mapping, table: Table) -> str:
    """What becomes of them, and in which fields, those of a document's lines too, it is
    otherwise."""
    own = {
        label(columns, name) + (" of the lines" if part.at else ""): field.keywords.unknown
        for part, columns in zip(mapping.parts, (table, table.lines), strict=False)
        for name, field in part.fields.items()
        if columns and field.keywords
    }
    others = "".join(
        f"; {name}: {UNKNOWN_KEYWORDS[policy].lower()}"
        for name, policy in own.items()
        if policy and policy != mapping.unknown_keywords
    )
    return UNKNOWN_KEYWORDS[mapping.unknown_keywords] + others
