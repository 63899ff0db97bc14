"""What mappings say of each other, and the order in which modules load."""

from pathlib import Path
from textwrap import dedent

import pytest

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping import Reference, load, load_order, loads_after, parse, parse_all
from tests.unit.mapping_texts import module


def together(**texts: str) -> list[str]:
    with pytest.raises(MappingError) as error:
        parse_all(texts)
    return str(error.value).splitlines()


def test_a_reference_means_the_only_entity_of_its_module() -> None:
    found = parse_all({"a": module("a", "[Item]"), "b": module("b", x="a")})

    assert found["b"].fields["x"].refers == Reference("a", "Item")


def test_modules_load_after_those_they_refer_to() -> None:
    found = parse_all(
        {
            "payments": module("payments", x="invoices", y="accounts"),
            "contacts": module("contacts", x="accounts"),
            "invoices": module("invoices", x="accounts", y="products"),
            "accounts": module("accounts", x="accounts"),
            "products": module("products"),
        }
    )

    assert load_order(found) == ["products", "accounts", "contacts", "invoices", "payments"]


def test_a_load_waits_for_those_that_write_what_it_writes_and_no_others() -> None:
    found = parse_all(
        {
            "accounts": module("accounts", x="accounts"),
            "contacts": module("contacts", x="accounts"),
            "invoices": module("invoices", x="accounts", y="products"),
            "payments": module("payments", x="invoices"),
            "products": module("products"),
            "vendors": module("accounts", "[Vendor]").replace("id_there", "vendor_id"),
        }
    )

    assert loads_after(found) == {
        "products": set(),
        "vendors": set(),
        "accounts": {
            "products",
            "vendors",
        },  # products closes references of invoices, and so does it
        "contacts": {"accounts"},
        "invoices": {"accounts", "products"},
        "payments": {"invoices"},
    }


def test_a_reference_to_a_module_without_mapping_is_named() -> None:
    found = together(accounts=module("accounts"), contacts=module("contacts", x="acounts"))

    assert found[1] == (
        "  line 4: fields.x.refers names a module that has no mapping: 'acounts'. "
        "Did you mean 'accounts'?"
    )


def test_a_reference_into_several_entities_must_choose() -> None:
    found = together(a=module("a", "[Customer, Vendor]"), b=module("b", x="a"))

    assert found[1] == (
        "  line 4: fields.x.refers must say which entity of a it is: Customer, Vendor. "
        "Write {module: a, entity: Customer}."
    )


def test_a_reference_names_an_entity_that_is_there() -> None:
    found = together(a=module("a"), b=module("b", x="{module: a, entity: Vendor}"))

    assert found[1] == (
        "  line 4: fields.x.refers names an entity that a does not hold: 'Vendor'. "
        "Write one of: Customer."
    )


def test_what_is_wrong_with_references_is_told_whatever_else_is_wrong_with_the_files() -> None:
    lines = "lines: {fields: {l: {refers: gone}, m: {refers: [a]}}}\n"
    found = together(
        a=module("a", x="b", y="nothing", z="{module: d, entity: Item}").replace("key:", "kye:"),
        b=module("b", x="a", **{"n" * 64: "a"}),
        c=module("c", "[Vendr]", x="d", y="{module: c, entity: Item}"),
        d=module("d", "[Vendor]", x="c") + lines,
        e=module("e", y="{module: a, entity: Item}"),
    )

    told = [line.split(". ")[0].strip() for line in found if ".refers " in line]
    assert told == [
        "line 4: fields.y.refers names a module that has no mapping: 'nothing'",
        "line 4: fields.z.refers names an entity that d does not hold: 'Item'",
        "line 4: fields.x.refers closes a circle: a -> b -> a",
        "line 4: fields.x.refers closes a circle: c -> d -> c",
        "line 5: lines.fields.m.refers must be a group of words",
        "line 5: lines.fields.l.refers names a module that has no mapping: 'gone'",
        "line 4: fields.y.refers names an entity that a does not hold: 'Item'",
    ]


def test_modules_may_not_refer_to_each_other_in_a_circle() -> None:
    found = together(a=module("a", x="b"), b=module("b", x="c"), c=module("c", x="a", y="c"))

    assert found[0] == "a.yaml is not a valid mapping (1 problem)"
    assert found[1] == (
        "  line 4: fields.x.refers closes a circle: a -> b -> c -> a. "
        "Take one of these references out."
    )


def test_a_circle_that_was_put_together_otherwise_has_no_load_order() -> None:
    circle = {
        "a": parse("a", module("a", x="b"), "a.yaml"),
        "b": parse("b", module("b", x="a"), "b.yaml"),
    }

    with pytest.raises(MappingError, match="a -> b -> a"):
        load_order(circle)


def test_two_modules_may_not_fill_one_table_with_the_same_entity() -> None:
    found = together(a=module("t"), b=module("t", "[Vendor, Customer]"))

    assert found[1] == (
        "  line 2: table crm.t gets the records of Customer from a.yaml too. Keep one of the two."
    )


def test_the_problems_of_all_files_come_in_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(module("a", "[Custmer]"))
    (tmp_path / "b.yaml").write_bytes("tablé: x".encode("utf-16"))
    (tmp_path / "c.yml").write_text(module("c"))
    (tmp_path / "D-E.yaml").write_bytes(b"\n\xff")
    (tmp_path / "f.yaml").write_text(module("f", x="a"))

    with pytest.raises(MappingError) as error:
        load(tmp_path)

    assert str(error.value) == dedent("""\
        D-E.yaml is not a valid mapping (2 problems)
          line 1: the file's name may have small letters, digits and _ only. Rename it.
          line 2: the file is not UTF-8. Save it as UTF-8.
        a.yaml is not a valid mapping (1 problem)
          line 1: entities.1 cannot be: 'Custmer'. Did you mean 'Customer'?
        b.yaml is not a valid mapping (1 problem)
          line 1: the file is UTF-16. Save it as UTF-8.
        c.yml is not a valid mapping (1 problem)
          line 1: the file's name must end in .yaml. Rename it.
        Check again with: make mappings (a CRM of your own: python -m quickbooks_crm check)""")


def test_what_is_called_like_a_mapping_and_cannot_be_read_is_a_mistake_of_its_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.yaml").mkdir()
    (tmp_path / "b.yaml").symlink_to(tmp_path / "gone")
    remedy = "Let Airflow's user read it, or remove it."

    with pytest.raises(MappingError) as error:
        load(tmp_path)

    assert str(error.value).splitlines()[:4] == [
        "a.yaml is not a valid mapping (1 problem)",
        f"  line 1: the file cannot be read (Is a directory). {remedy}",
        "b.yaml is not a valid mapping (1 problem)",
        f"  line 1: the file cannot be read (No such file or directory). {remedy}",
    ]


def test_a_folder_without_mappings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"^There are no mappings: "):
        load(tmp_path)


TWO_KINDS = (
    "entities: [{entity}]\ntable: crm.accounts\nimport: {{key: {key}{within}}}\n"
    "fields: {{a: {{from: Id}}, b: {{from: Id}}, kind: {{value: {entity}}}}}\n"
)


def of_two_kinds(keys: tuple[str, str], within: tuple[str, str] = ("", "")) -> dict[str, str]:
    entities = ("Customer", "Vendor")
    texts = (
        TWO_KINDS.format(entity=e, key=k, within=w and f", within: {w}")
        for e, k, w in zip(entities, keys, within, strict=True)
    )
    return dict(zip(("customers", "vendors"), texts, strict=True))


def test_two_mappings_to_one_table_with_the_same_key_must_say_whose_is_what() -> None:
    """K10: vendor 1 is not customer 1."""
    with pytest.raises(MappingError) as error:
        parse_all(of_two_kinds(("a", "a")))

    assert "vendors.yaml is not a valid mapping (1 problem)" in str(error.value)
    assert (
        "line 3: import.key 'a' finds the records of customers.yaml in crm.accounts too. Take "
        "another column, or say in both files which records are whose, such as within: kind."
    ) in str(error.value)


def test_a_key_of_its_own_or_a_part_of_its_own_is_enough() -> None:
    """K10."""
    assert parse_all(of_two_kinds(("a", "b")))
    assert parse_all(of_two_kinds(("a", "a"), ("kind", "kind")))
    with pytest.raises(MappingError):
        parse_all(of_two_kinds(("a", "a"), ("kind", "")))


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("check: [name, parent_id]", "import.check.2"),
        ("within: parent_id", "import.within"),
    ],
)
def test_records_are_not_compared_by_what_refers_to_others_of_the_module(
    words: str, place: str
) -> None:
    """Whether it does already depends on which of them come together."""
    text = (
        "entities: [Customer]\ntable: crm.accounts\nimport:\n  key: number\n"
        f"  {words}\nfields:\n  number: {{from: Id}}\n  name: {{from: DisplayName}}\n"
        "  parent_id: {from: ParentRef.value, refers: accounts}\n"
    )

    assert together(accounts=text)[1:-1] == [
        f"  line 5: {place} cannot be 'parent_id': it refers to other records of accounts, which "
        "may come later. Take it out, or name another column."
    ]
    of_others = text.replace("refers: accounts", "refers: others")
    assert parse_all({"accounts": of_others, "others": module("others")})
