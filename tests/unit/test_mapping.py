"""What a mapping file may say, and what it becomes."""

from dataclasses import FrozenInstanceError
from hashlib import sha256
from textwrap import dedent

import pytest

from quickbooks_crm.mapping import Condition, Exclusion, Field, Mapping, Reference
from tests.unit.mapping_texts import mapping, read


def test_a_mapping_holds_what_the_file_says() -> None:
    text = dedent("""\
        entities: [Item]
        table: crm.products
        company: company_id
        exclude:
          - {where: {Type: [Category, Group], Active: false}, because: "not sold\\n any more"}
        import: {mode: ignore, key: code, check: [name], blank_overwrites: true}
        fields:
          code: {from: [Sku, Id], required: true}
          name: {from: Name, default: 007, blank_overwrites: false}
          parent_id: {from: ParentRef.value, refers: products}
          flag: {value: True}
        when_deleted: {flag: false}
        """)

    assert read(text) == Mapping(
        module="products",
        text=text,
        hash=sha256(text.encode()).hexdigest(),
        entities=("Item",),
        table="crm.products",
        company="company_id",
        exclude=(
            Exclusion(
                (
                    Condition(("Type",), "equals", ("Category", "Group")),
                    Condition(("Active",), "equals", ("false",)),
                ),
                "not sold any more",
            ),
        ),
        mode="ignore",
        key="code",
        check=("name",),
        blank_overwrites=True,
        fields={
            "code": Field("code", (("Sku",), ("Id",)), required=True),
            "name": Field("name", (("Name",),), default="007", blank_overwrites=False),
            "parent_id": Field(
                "parent_id", (("ParentRef", "value"),), refers=Reference("products", "Item")
            ),
            "flag": Field("flag", value="true"),
        },
        when_inactive={},
        when_deleted={"flag": "false"},
        where_is=read(text).where_is,
    )


def test_what_is_not_said_has_its_usual_meaning() -> None:
    found = read(mapping())

    assert (found.mode, found.check, found.exclude) == ("merge", (), ())
    assert (found.company, found.blank_overwrites) == (None, False)
    assert found.fields["name"] == Field("name", (("Name",),))


def test_a_mapping_cannot_be_changed_once_it_is_read() -> None:
    found = read(mapping())

    with pytest.raises(FrozenInstanceError):
        found.table = "crm.accounts"


def test_fields_keep_the_order_of_the_file() -> None:
    found = read(mapping("z: {from: Z}, a: {from: A}"))

    assert list(found.fields) == ["product_id", "name", "z", "a"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("007", "007"),
        ("1.50", "1.50"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("TRUE", "true"),
        ("'True'", "True"),
        ("2024-02-30", "2024-02-30"),
        ("0x1F", "0x1F"),
        ("'{{ ds }}'", "{{ ds }}"),
        ("'; DROP TABLE x; --'", "; DROP TABLE x; --"),
    ],
)
def test_a_constant_is_the_text_that_was_written(written: str, text: str) -> None:
    """K19: templates are texts like others, and nothing renders them."""
    assert read(mapping(f"a: {{value: {written}}}")).fields["a"].value == text


@pytest.mark.parametrize(
    ("written", "conditions"),
    [
        ("x", [("equals", ("x",))]),
        ("false", [("equals", ("false",))]),
        ("[a, 1]", [("equals", ("a", "1"))]),
        ("{equals: [a]}", [("equals", ("a",))]),
        ("{not: a}", [("not", ("a",))]),
        ("{not: [a, b]}", [("not", ("a", "b"))]),
        ("{above: 1.5, below: -3}", [("above", ("1.5",)), ("below", ("-3",))]),
        ("{blank: true}", [("blank", ("true",))]),
        ("{blank: false}", [("blank", ("false",))]),
    ],
)
def test_a_condition_says_how_to_compare(
    written: str, conditions: list[tuple[str, tuple[str, ...]]]
) -> None:
    found = read(mapping(exclude=f"[{{where: {{BillAddr.City: {written}}}, because: it is}}]"))

    (exclusion,) = found.exclude
    assert [(c.op, c.values) for c in exclusion.where] == conditions
    assert {c.path for c in exclusion.where} == {("BillAddr", "City")}


def test_every_place_knows_its_line() -> None:
    found = read("entities: [Item]\ntable: a.b\nimport: {key: c}\nfields:\n  c:\n    from: Id\n")

    assert found.line("table") == 2
    assert found.line("fields.c.from") == 6
    assert found.line("fields.c.default") == 5
    assert found.line("nothing of the kind") == 1


def test_a_field_says_for_itself_whether_blanks_clear_it() -> None:
    found = read(mapping("a: {from: A, blank_overwrites: true}"))

    assert (found.clears("a"), found.clears("name")) == (True, False)
