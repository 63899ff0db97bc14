"""Whether what QuickBooks' fields hold suits the columns they are mapped to."""

from dataclasses import replace

import pytest

from quickbooks_crm.catalog import Column, KeywordList, Table
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.suiting import (
    called_alike,
    may_be_too_long,
    may_not_hold,
    misspelt,
    never_fits,
)
from tests.unit.mapping_texts import mapping, read

TYPES = {
    "text": "text",
    "numeric": "numeric(9,2)",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
    "uuid": "uuid",
}


def table(kind: str = "text", length: int | None = None, label: str = "A") -> Table:
    """A table with the columns product_id, name and a, the last as given."""
    plain = Column("", "", "text", "text", None, None, None, False, None, True, None, ())
    own = replace(plain, name="a", label=label, kind=kind, type=TYPES[kind], length=length)
    others = [replace(plain, name=name, label=name) for name in ("product_id", "name")]
    return Table("crm", "products", "id", {c.name: c for c in (*others, own)})


@pytest.mark.parametrize(
    ("path", "kind", "fits"),
    [
        ("UnitPrice", "numeric", True),
        ("UnitPrice", "integer", True),
        ("UnitPrice", "text", True),
        ("UnitPrice", "boolean", False),
        ("UnitPrice", "date", False),
        ("UnitPrice", "uuid", False),
        ("Taxable", "boolean", True),
        ("Taxable", "numeric", False),
        ("MetaData.CreateTime", "timestamp", True),
        ("MetaData.CreateTime", "date", False),
        ("Name", "date", True),
        ("Whatever.Else", "date", True),
        ("[UnitPrice, Name]", "date", True),
        ("[UnitPrice, Taxable]", "date", False),
        ("{join: [UnitPrice, Taxable]}", "date", True),
    ],
)
def test_a_field_that_can_never_become_its_column_is_told(path: str, kind: str, fits: bool) -> None:
    """K12: a text may hold anything, and so may what is not known."""
    found = list(never_fits(read(mapping(f"a: {{from: {path}}}")), table(kind)))

    assert (found == []) is fits


def test_what_never_fits_is_told_with_its_line_and_what_it_is() -> None:
    """K12."""
    (said,) = never_fits(read(mapping("a: {from: UnitPrice}")), table("boolean"))

    assert said == (
        "products.yaml line 4: fields.a.from is a number in QuickBooks, and crm.products.a takes "
        "boolean. Map another field, or to another column."
    )


@pytest.mark.parametrize(
    ("path", "length", "longest"),
    [
        ("Name", 99, 100),
        ("Name", 100, None),
        ("Name", None, None),
        ("UnitPrice", 3, None),
        ("Whatever", 3, None),
        ("[Sku, Description]", 200, 4000),
        ("{join: [Name, Sku], with: ' - '}", 202, 203),
        ("{join: [Name, Sku], with: ' - '}", 203, None),
        ("SalesTermRef.value, lookup: {entity: Term, show: Name}", 20, 31),
    ],
)
def test_a_field_that_may_be_longer_than_its_column_is_worth_a_warning(
    path: str, length: int | None, longest: int | None
) -> None:
    """K12: no error, since most records may fit."""
    found = list(may_be_too_long(read(mapping(f"a: {{from: {path}}}")), table(length=length)))

    assert found == (
        [
            f"products.yaml line 4: fields.a.from may have {longest} characters in QuickBooks, and "
            f"crm.products.a takes {length}: a record with a longer one is not added. Make the "
            "column longer."
        ]
        if longest
        else []
    )


def test_two_columns_that_are_called_the_same_are_told() -> None:
    known = read(mapping("a: {from: Sku}"))

    assert list(called_alike(known, table(label="Other"))) == []
    assert list(called_alike(known, table(label=" NAME"))) == [
        "products.yaml line 4: fields.a: a and name are both called ' NAME'. Give one of them "
        "another label, or map only one."
    ]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("UnitPrise", "UnitPrice"),
        ("id", "Id"),
        ("UNITPRICE", "UnitPrice"),
        ("Metadata.CreateTime", "MetaData.CreateTime"),
        ("[Sku, Nmae]", "Name"),
        ("{join: [Sku, UnitPrices]}", "UnitPrice"),
        ("UnitPrice", None),
        ("ParentRef.name", None),
        ("SomethingQuiteNew", None),
        ("'CustomField[Name=Nmae].StringValue'", None),
        ("ParentRef.value, lookup: {entity: Item, show: name}", "Name"),
        ("ParentRef.value, lookup: {entity: Term, show: DueDay}", "DueDays"),
        ("PrentRef.value, lookup: {entity: Item, show: Name}", "ParentRef.value"),
        ("ParentRef.value, lookup: {entity: Department, show: SubDepartment}", None),
    ],
)
def test_a_path_that_is_nearly_a_field_of_quickbooks_is_told(path: str, meant: str | None) -> None:
    """A path that leads nowhere would blank its column in silence."""
    said = list(misspelt(read(mapping(f"a: {{from: {path}}}")), table()))

    assert len(said) == (1 if meant else 0)
    assert not meant or f"leaves a blank. Did you mean '{meant}'?" in said[0]
    assert not meant or said[0].startswith("products.yaml line 4: fields.a.from: '")


@pytest.mark.parametrize(
    ("fields", "exclude", "said"),
    [
        (
            "",
            "[{where: {Active: false}, because: x}, {where: {type: Category}, because: x}]",
            "line 5: exclude.2.where: 'type' is not known in QuickBooks. Did you mean 'Type'?",
        ),
        (
            "a: {from: UnitPrice, negate: {taxable: true}}",
            "[{where: {Type: Category}, because: x}]",
            "line 4: fields.a.negate: 'taxable' is not known in QuickBooks. Did you mean "
            "'Taxable'?",
        ),
    ],
)
def test_a_condition_of_what_is_nearly_a_field_of_quickbooks_is_told(
    fields: str, exclude: str, said: str
) -> None:
    """Such a condition never holds, or always."""
    known = read(mapping(fields, exclude=exclude))

    assert list(misspelt(known, table())) == [f"products.yaml {said}"]


def test_a_keyword_is_no_longer_than_those_on_its_list() -> None:
    own = table(length=20)
    listed = replace(own.columns["a"], keywords=KeywordList("crm", "1", False, False))
    of_keywords = replace(own, columns=own.columns | {"a": listed})
    known = read(mapping("a: {from: Sku}"))

    assert list(may_be_too_long(known, own))
    assert list(may_be_too_long(known, of_keywords)) == []


def of_lines(**columns: str) -> tuple[Mapping, Table]:
    """A document with lines that fill these columns of numbers from these paths."""
    fields = ", ".join(f"{name}: {{from: {path}}}" for name, path in columns.items())
    lines = f"{{from: Line, table: crm.lines, parent: of, position: place, fields: {{{fields}}}}}"
    own = table("numeric").columns["a"]
    numbers = {name: replace(own, name=name, label=name) for name in columns}
    texts = {"text": replace(own, name="text", kind="text", type="varchar(9)", length=9)}
    document = replace(table(), lines=Table("crm", "lines", "id", numbers | texts))
    return read(mapping(entities="[Invoice]", lines=lines)), document


def test_a_field_of_a_line_that_can_never_become_its_column_is_told() -> None:
    """K12: a line is no document. What is a day there may be anything here."""
    known = of_lines(
        amount="Amount", day="SalesItemLineDetail.ServiceDate", other="TxnDate", product="Whatever"
    )

    assert list(never_fits(*known)) == [
        "products.yaml line 5: lines.fields.day.from is a day in QuickBooks, and crm.lines.day "
        "takes numeric(9,2). Map another field, or to another column."
    ]


def test_a_field_of_a_line_that_may_be_longer_than_its_column_is_worth_a_warning() -> None:
    """K12."""
    (said,) = may_be_too_long(*of_lines(text="Description"))

    assert said == (
        "products.yaml line 5: lines.fields.text.from may have 4000 characters in QuickBooks, and "
        "crm.lines.text takes 9: a record with a longer one is not added. Make the column longer."
    )


@pytest.mark.parametrize(("type_", "digits"), [("float4", 6), ("float8", 15)])
def test_an_amount_in_a_column_that_holds_it_only_nearly_is_told(type_: str, digits: int) -> None:
    """D09."""
    own = table("numeric")
    floating = replace(own, columns=own.columns | {"a": replace(own.columns["a"], base=type_)})

    (said,) = may_not_hold(read(mapping("a: {from: UnitPrice}")), floating)

    assert said == (
        "products.yaml line 4: fields.a.from is a number in QuickBooks, and crm.products.a takes "
        f"numeric(9,2), which holds about {digits} digits: a record with more is not added. Make "
        "the column numeric."
    )
    assert list(may_not_hold(read(mapping("a: {from: UnitPrice}")), own)) == []
    assert list(may_not_hold(read(mapping("a: {from: Sku}")), floating)) == []
