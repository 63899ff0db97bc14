"""A mapping as the stages use it: frozen values, with every text as the file has it."""

from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field
from typing import Literal

from quickbooks_crm.mapping.paths import Path, Shown, Source

Mode = Literal["create", "merge", "ignore"]
Kind = Literal["email", "phone"]
Policy = Literal["ignore", "insert"]
Edits = Literal["quickbooks", "crm"]
UnknownOwner = Literal["default_owner", "reject"]
ChildAccounts = Literal["child_account", "roll_up", "skip"]
Comparison = Literal["equals", "not", "above", "below", "blank"]


@dataclass(frozen=True)
class Condition:
    """Something that is true of a record or not.

    `equals` holds when the value is one of `values`, `not` when it is none of them (so also when
    it is blank), `above` and `below` when it is a number beyond the one in `values`, `blank` when
    being blank is what `values` says, "true" or "false".
    """

    path: Path
    op: Comparison
    values: tuple[str, ...]


@dataclass(frozen=True)
class Exclusion:
    """Records of which all conditions hold stay out of the CRM, for the reason given."""

    where: tuple[Condition, ...]
    because: str


@dataclass(frozen=True)
class Reference:
    """The source is the id of such an entity; the column gets what it became in the module."""

    module: str
    entity: str


@dataclass(frozen=True)
class Keywords:
    """The column holds keywords: of the list that the CRM's form has for it, or of these `values`.
    `unknown` says what becomes of others; None is what the mapping says of all its fields."""

    unknown: Policy | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Owner:
    """The column holds the CRM user who owns the record.

    The source is a user's External User Id; `same_as` names instead the reference whose record has
    the same owner. `users`, `external_id` and `active` say where users are found, if not where
    the column's foreign key and the names of that table's columns lead.
    """

    same_as: str | None = None
    users: str | None = None
    external_id: str | None = None
    active: str | None = None


@dataclass(frozen=True)
class Field:
    """What fills a column: the first of `sources` that is not blank, else `default`; or `value`.
    `edits` says who may change it after that.

    The amount gets the opposite sign where all conditions of `negate` hold; None is never, no
    condition always. `for_entity` has the whole field as it is for one of several entities.
    """

    column: str
    sources: tuple[Source, ...] = ()
    value: str | None = None
    default: str | None = None
    required: bool = False
    kind: Kind | None = None
    refers: Reference | None = None
    blank_overwrites: bool | None = None
    keywords: Keywords | None = None
    owner: Owner | None = None
    edits: Edits = "quickbooks"
    negate: tuple[Condition, ...] | None = None
    for_entity: ReadOnly[str, "Field"] = field(default_factory=dict)

    def of(self, entity: str) -> "Field":
        """The field as it is for records of an entity."""
        return self.for_entity.get(entity, self)

    @property
    def variants(self) -> tuple["Field", ...]:
        """The field as it is, and as it is for one entity."""
        return (self, *self.for_entity.values())


@dataclass(frozen=True)
class Mapping:
    """One file: the records of some entities to the rows of one table.

    `company` is the column that holds whose record it is. `where_is` gives the line of every place
    in the file, such as `fields.name.from`. After `parse` alone, a reference that leaves the entity
    to its target has an empty one; `load` and `parse_all` fill it in. `within` is the column that
    parts records with the same key; `by_name` says that only companies which name the module have
    it. `at` is where these words are in the file, when they are not the whole of it; `named` is
    what messages call the place that they were read from, when that is not the module's usual file.
    """

    module: str
    text: str
    hash: str
    entities: tuple[str, ...]
    table: str
    company: str | None
    exclude: tuple[Exclusion, ...]
    mode: Mode
    key: str | None
    check: tuple[str, ...]
    blank_overwrites: bool
    fields: ReadOnly[str, Field]
    when_inactive: ReadOnly[str, str]
    when_deleted: ReadOnly[str, str]
    where_is: ReadOnly[str, int]
    when_merged: ReadOnly[str, str] = field(default_factory=dict)
    separator: str = "|"
    unknown_keywords: Policy = "ignore"
    unknown_owner: UnknownOwner = "default_owner"
    default_owner: str | None = None
    child_accounts: ChildAccounts | None = None
    rolls_up: bool = False
    within: str | None = None
    by_name: bool = False
    lines: "Lines | None" = None
    at: str = ""
    named: str = ""

    @property
    def file(self) -> str:
        """What messages call the place that the mapping was read from."""
        return self.named or f"{self.module}.yaml"

    @property
    def looked_up(self) -> list[Shown]:
        """What the fields, those of lines aside, show of other records, each once."""
        fields = [variant for field in self.fields.values() for variant in field.variants]
        sources = [source for field in fields for source in field.sources]
        return list(dict.fromkeys(s for s in sources if isinstance(s, Shown)))

    @property
    def looked_up_in(self) -> set[str]:
        """The entities of which the records, or their lines, show something."""
        return {shown.entity for part in self.parts for shown in part.looked_up}

    @property
    def reads(self) -> set[str]:
        """Every entity of QuickBooks that the module needs in the mirror."""
        return {*self.entities, *self.looked_up_in}

    def line(self, place: str) -> int:
        """The line of a place, or of what it is part of: for messages about this mapping."""
        place = self.at + place
        while place and place not in self.where_is:
            place = place.rpartition(".")[0]
        return self.where_is.get(place, 1)

    @property
    def edited_in_crm(self) -> list[str]:
        """The columns in which a person's value stays."""
        return [name for name, field in self.fields.items() if field.edits == "crm"]

    @property
    def flags(self) -> list[str]:
        """The columns that tell how a record stands in QuickBooks: whether it is active, merged
        away or deleted."""
        plain = [field.column for field in self.fields.values() if field.sources == (("Active",),)]
        told = (plain, self.when_inactive, self.when_merged, self.when_deleted)
        return list(dict.fromkeys(name for words in told for name in words))

    @property
    def has_children(self) -> bool:
        """Whether it is made of customers whose records refer to those of their parents."""
        return any(
            field.refers == Reference(self.module, "Customer")
            and ("ParentRef", "value") in field.sources
            for field in self.fields.values()
        )

    def clears(self, column: str) -> bool:
        """Whether a blank from QuickBooks always empties the column. Where a person's value stays,
        a blank is judged as any other value is."""
        if self.fields[column].edits == "crm":
            return True
        own = self.fields[column].blank_overwrites
        return self.blank_overwrites if own is None else own

    @property
    def constants(self) -> Iterator[tuple[str, str, str]]:
        """What the file itself gives columns, owners aside: where it says so, the column, the
        text."""
        for name, filled in self.fields.items():
            own = {f"for_entity.{entity}.": other for entity, other in filled.for_entity.items()}
            for place, variant in ({} if filled.owner else {"": filled, **own}).items():
                for word in ("value", "default"):
                    if (constant := getattr(variant, word)) is not None:
                        yield f"fields.{name}.{place}{word}", name, constant
        for word in ("when_inactive", "when_deleted", "when_merged"):
            for name, constant in getattr(self, word).items():
                yield f"{word}.{name}", name, constant

    @property
    def parts(self) -> "tuple[Mapping, ...]":
        """The mapping itself, and that of a document's lines."""
        return (self, self.lines.rows) if self.lines else (self,)


@dataclass(frozen=True)
class Lines:
    """A document's lines: the items of the list at `source`, each a row of another table.

    `rows` is the mapping of one item to that table; its paths begin at the item. `parent` is the
    column that holds the document's key, `position` the one that holds the place of the line.
    """

    source: Path
    parent: str
    position: str
    rows: Mapping
