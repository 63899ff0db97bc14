"""A mapping proposed from labels: what is called the same is taken, what is similar only shown."""

from dataclasses import replace

import pytest

from quickbooks_crm.mapping import Reference, Shown, parse, parse_all
from quickbooks_crm.mapping.quickbooks_fields import fields_of
from quickbooks_crm.mapping.suggest import Candidate, Filled, normal, suggest
from quickbooks_crm.mapping.words import ENTITIES

KEY = Candidate("qb", "QuickBooks id", "text", False)


def column(label: str, kind: str = "text", name: str = "a", required: bool = False) -> Candidate:
    return Candidate(name, label, kind, required)


def proposed(*columns: Candidate, entity: str = "Customer") -> list[str]:
    """The lines below `fields` of a proposal, that of the key aside."""
    text = suggest("own.people", [KEY, *columns], [entity])
    return text.split("fields:\n")[1].splitlines()[1:]


@pytest.mark.parametrize(
    ("label", "path"),
    [
        ("E-mail", "PrimaryEmailAddr.Address"),
        ("  e-MAIL ", "PrimaryEmailAddr.Address"),
        ("Ｅ-mail", "PrimaryEmailAddr.Address"),
        ("First\u200b  name", "GivenName"),
        ("Display name", "DisplayName"),
        ("Billing city", "BillAddr.City"),
        ("Mobile", "Mobile.FreeFormNumber"),
    ],
)
def test_a_label_that_is_the_same_after_trimming_and_folding_is_taken(
    label: str, path: str
) -> None:
    assert proposed(column(label)) == [f"  a: {{from: {path}}}"]


def test_without_a_label_that_fits_the_name_of_the_column_counts() -> None:
    assert proposed(column("Ansprache", name="first_name")) == ["  first_name: {from: GivenName}"]


@pytest.mark.parametrize("label", ["E-mails", "Billing citi", "Mobil"])
def test_what_is_only_similar_is_shown_and_never_taken(label: str) -> None:
    (line,) = proposed(column(label))

    assert line.startswith("  # perhaps: a: {from: ") and line.endswith(f"   # {label}")


def test_what_nothing_is_called_is_left_out_unless_the_table_requires_it() -> None:
    assert proposed(column("Shoe size")) == []
    assert proposed(column("Shoe size", required=True)) == [
        "  # required, and nothing is called so: a (Shoe size)"
    ]


@pytest.mark.parametrize(
    ("label", "kind", "taken"),
    [
        ("Balance", "numeric", True),
        ("Balance", "boolean", False),
        ("Balance", "text", True),
        ("Taxable", "boolean", True),
        ("Taxable", "date", False),
        ("E-mail", "integer", False),
    ],
)
def test_a_field_is_not_proposed_for_a_column_that_cannot_hold_it(
    label: str, kind: str, taken: bool
) -> None:
    assert bool(proposed(column(label, kind))) is taken


def test_a_name_that_may_change_is_looked_up() -> None:
    assert proposed(column("Terms")) == [
        "  a: {from: SalesTermRef.value, lookup: {entity: Term, show: Name}}"
    ]
    assert proposed(column("Category"), entity="Item") == [
        "  a: {from: ParentRef.value, lookup: {entity: Item, show: Name}}"
    ]


ACCOUNTS = Filled("accounts", "crm.accounts", ("Customer",))
VENDORS = Filled("vendors", "crm.accounts", ("Vendor",))
SALES = Filled("sales", "crm.sales", ("Invoice", "SalesReceipt"))


def leading(
    to: str, entity: str, *modules: Filled, label: str = "Whose", name: str = "a"
) -> list[str]:
    """What is proposed for a column with a foreign key to a table."""
    candidates = [KEY, Candidate(name, label, "integer", False, to)]
    text = suggest("own.people", candidates, [entity], modules)
    return text.split("fields:\n")[1].splitlines()[1:]


@pytest.mark.parametrize("entity", ["Invoice", "Estimate", "Payment"])
def test_a_column_that_leads_to_a_modules_table_refers_to_its_records(entity: str) -> None:
    assert leading("crm.accounts", entity, ACCOUNTS, VENDORS) == [
        "  a: {from: CustomerRef.value, refers: accounts}"
    ]


def test_a_bill_refers_to_its_vendor() -> None:
    assert leading("crm.accounts", "Bill", VENDORS) == [
        "  a: {from: VendorRef.value, refers: vendors}"
    ]


def test_a_record_that_is_also_another_modules_may_refer_to_itself_or_its_parent() -> None:
    assert leading("crm.accounts", "Customer", ACCOUNTS) == [
        "  # perhaps: a: {from: ParentRef.value, refers: accounts}   # Whose",
        "  # perhaps: a: {from: Id, refers: accounts}   # Whose",
    ]


@pytest.mark.parametrize(("label", "name"), [("Parent", "a"), ("Above", "parent_id")])
def test_of_several_ways_the_one_that_is_called_like_the_column_is_taken(
    label: str, name: str
) -> None:
    assert leading("crm.accounts", "Customer", ACCOUNTS, label=label, name=name) == [
        f"  {name}: {{from: ParentRef.value, refers: accounts}}"
    ]


def test_a_table_that_leads_to_itself_refers_to_parents_in_the_module_that_is_proposed() -> None:
    assert leading("own.people", "Customer", ACCOUNTS) == [
        "  a: {from: ParentRef.value, refers: people}"
    ]


@pytest.mark.parametrize(
    ("table", "module"),
    [
        ("desk.Client", "client"),
        ("own.Order #1", "order_1"),
        ("own.2nd Étage", "nd_tage"),
        ("own.日本", "records"),
        ("own." + "a" * 63, "a" * 63),
    ],
)
def test_the_proposed_module_of_a_table_has_a_name_that_a_module_may_have(
    table: str, module: str
) -> None:
    text = suggest(table, [KEY, Candidate("above", "Above", "integer", False, table)], ["Customer"])

    known = parse_all({module: text})[module]

    assert known.table == table
    assert known.fields["above"].refers == Reference(module, "Customer")


@pytest.mark.parametrize("name", ["null", "true", "Order #1", "a: b", "x'y", 'q"q', "- a", "*a"])
def test_names_that_mean_something_else_in_yaml_are_quoted(name: str) -> None:
    text = suggest(f"own.{name}", [KEY, Candidate(name, "Display name", "text", True)], ["Vendor"])

    known = parse_all({"vendors": text})["vendors"]

    assert (known.table, known.check, list(known.fields)) == (f"own.{name}", (name,), ["qb", name])


def test_a_module_of_several_entities_is_told_which_is_meant() -> None:
    assert leading("crm.sales", "Invoice", SALES) == [
        "  a: {from: Id, refers: {module: sales, entity: Invoice}}"
    ]


@pytest.mark.parametrize(("to", "entity"), [("crm.others", "Invoice"), ("crm.accounts", "Item")])
def test_a_column_that_leads_where_no_reference_does_is_left_out(to: str, entity: str) -> None:
    assert leading(to, entity, ACCOUNTS) == []


def test_a_proposal_for_a_whole_table_is_a_valid_mapping() -> None:
    columns = [
        Candidate("company_id", "Company", "text", False),
        KEY,
        Candidate("Full Name", "Name", "text", True),
        Candidate("it's", "Terms", "text", False),
        Candidate("null", "Phone", "text", False),
        column("Shoe size"),
    ]

    found = parse("people", suggest("own.people", columns, ["Customer"]), "people.yaml")

    assert (found.key, found.check, found.company) == ("qb", ("Full Name",), "company_id")
    assert {name: field.sources for name, field in found.fields.items()} == {
        "qb": (("Id",),),
        "Full Name": (("DisplayName",),),
        "it's": (Shown(("SalesTermRef", "value"), "Term", ("Name",)),),
        "null": (("PrimaryPhone", "FreeFormNumber"),),
    }


def test_a_table_without_a_column_for_the_id_is_told_what_it_misses() -> None:
    text = suggest("own.people", [column("Name")], ["Customer"])

    assert "  mode: create   # with a column for QuickBooks' id: mode: merge" in text
    assert parse("people", text, "people.yaml").mode == "create"


def test_of_several_entities_the_first_that_has_a_field_gives_it() -> None:
    text = suggest("own.sales", [KEY, column("Total", "numeric")], ["Invoice", "CreditMemo"])

    assert "entities: [Invoice, CreditMemo]\n" in text
    assert "  a: {from: TotalAmt}\n" in text


@pytest.mark.parametrize("entity", ENTITIES)
def test_no_two_fields_of_an_entity_are_called_the_same(entity: str) -> None:
    labels = [normal(label) for field in fields_of(entity).values() for label in field.labels]

    assert sorted(labels) == sorted(set(labels))
    assert labels


def test_a_proposal_does_not_depend_on_the_order_of_columns() -> None:
    columns = [KEY, column("Name", name="n"), column("Phone", name="p")]
    one, other = (suggest("a.b", each, ["Customer"]) for each in (columns, columns[::-1]))

    assert sorted(one.splitlines()) == sorted(other.splitlines())
    assert replace(columns[0]) == KEY
