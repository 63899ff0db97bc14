"""In the modes `create` and `ignore`, too, a CRM record tells how it stands in QuickBooks; nothing
else of it is touched."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import stand_ins
from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import (
    REALM,
    End,
    by_hand,
    counts,
    customer,
    gone,
    item,
    outcome,
    products,
    rows,
    sync,
)
from tests.integration.documents import invoice, line, with_customers
from tests.integration.undo import undo

FLAGS = "SELECT name, active, deleted FROM crm.products"
MODES = pytest.mark.parametrize("mode", ["create", "ignore"])
LEFT_ALONE = End("7", "duplicate", "key_known")


IGNORE = "{mode: ignore, key: quickbooks_product_id}"


def mapped(mode: str) -> dict[str, Mapping]:
    """Products in a mode; what is inactive in QuickBooks is so in the CRM."""
    return products({"create": "{mode: create}", "ignore": IGNORE}[mode])


INACTIVE = item("7", Name="New (deleted)", Active=False)


@MODES
def test_a_record_that_becomes_inactive_is_flagged_and_else_stays_as_it_is(
    connection: Connection[Any], mode: str
) -> None:
    known = mapped(mode)
    sync(connection, known, item("7", Name="Pump"))

    assert sync(connection, known, INACTIVE) == [End("7", "updated")]
    assert rows(connection, FLAGS) == [("Pump", False, False)]
    assert outcome(connection, "7", "flag") == ("deactivated",)
    assert sync(connection, known, INACTIVE) == [LEFT_ALONE]


@MODES
def test_a_record_that_is_deleted_is_flagged_and_one_that_is_back_is_not_any_more(
    connection: Connection[Any], mode: str
) -> None:
    known = mapped(mode)
    sync(connection, known, item("7", Name="Pump"))

    assert sync(connection, known, gone(item("7"))) == [End("7", "updated")]
    assert rows(connection, FLAGS) == [("Pump", False, True)]
    assert counts(connection) == {"read": 1, "updated": 1, "deleted": 1}
    assert sync(connection, known, gone(item("7"))) == [LEFT_ALONE]

    assert sync(connection, known, item("7", Name="Hose")) == [End("7", "updated")]
    assert rows(connection, FLAGS) == [("Pump", True, False)]


@MODES
def test_a_customer_that_is_merged_away_is_flagged(connection: Connection[Any], mode: str) -> None:
    """Also when that is told long after it became inactive."""
    connection.execute("ALTER TABLE crm.accounts ADD merged boolean")
    key = {"create": "", "ignore": ", key: quickbooks_customer_id"}[mode]
    text = (
        "entities: [Customer]\ntable: crm.accounts\ncompany: company_id\n"
        f"import: {{mode: {mode}{key}}}\nwhen_merged: {{merged: true}}\n"
        "fields: {quickbooks_customer_id: {from: Id}, name: {from: DisplayName}, "
        "active: {from: Active}, merged: {value: false}}\n"
    )
    known = parse_all({"accounts": text})
    lost = customer("7", Active=False)
    sync(connection, known, customer("7", Active=True), customer("8", Active=True))
    sync(connection, known, lost)
    assert sync(connection, known, lost) == [LEFT_ALONE]

    stand_ins.tell_merge(connection, REALM, ("Customer", "7", "8"), "a person")

    assert sync(connection, known) == [End("7", "updated")]
    flags = "SELECT active, merged FROM crm.accounts WHERE quickbooks_customer_id = '7'"
    assert rows(connection, flags) == [(False, True)]
    assert sync(connection, known) == []


@MODES
def test_a_record_that_a_person_has_flagged_already_is_left_alone(
    connection: Connection[Any], mode: str
) -> None:
    known = mapped(mode)
    sync(connection, known, item("7", Name="Pump"))
    connection.execute("UPDATE crm.products SET active = false")

    assert sync(connection, known, INACTIVE) == [LEFT_ALONE]
    assert rows(connection, "SELECT state FROM sync.link") == [("inactive",)]


@MODES
@pytest.mark.parametrize("first", ["the product", "a reference to it"])
def test_what_a_person_made_with_a_typed_id_is_flagged_when_it_is_found(
    connection: Connection[Any], mode: str, first: str
) -> None:
    """Whether QuickBooks' own or what refers to it arrives first."""
    known = with_customers() | mapped(mode)
    by_hand(connection, "crm.products", name="Own", quickbooks_product_id="7")
    referring = invoice("1", line("A", "7"))
    arriving = [INACTIVE, referring] if first == "the product" else [referring, INACTIVE]

    ended = [end for record in arriving for end in sync(connection, known, record)]

    assert End("7", "updated") in ended
    assert rows(connection, FLAGS) == [("Own", False, False)]
    assert sync(connection, known, INACTIVE) == [LEFT_ALONE]


@MODES
def test_an_undo_takes_the_flags_back_and_an_undo_of_that_brings_them(
    connection: Connection[Any], mode: str
) -> None:
    known = mapped(mode)
    sync(connection, known, item("7", Name="Pump"))
    sync(connection, known, gone(item("7")), run_id="deletes")

    undo(connection, known, "deletes", run_id="undoes")
    assert rows(connection, FLAGS) == [("Pump", True, False)]

    undo(connection, known, "undoes")
    assert rows(connection, FLAGS) == [("Pump", False, True)]


@MODES
def test_a_flagged_document_keeps_its_lines_and_goes_on_waiting_for_what_these_refer_to(
    connection: Connection[Any], mode: str
) -> None:
    texts = {name: mapping.text for name, mapping in with_customers().items()}
    key = "{key: quickbooks_invoice_id, within: kind}"
    own = {"ignore": key.replace("{", "{mode: ignore, "), "create": "{mode: create}"}
    texts["documents"] = texts["documents"].replace(key, own[mode])
    known = parse_all(texts)
    sync(connection, known, invoice("7", line("A", "1"), line("B"), TotalAmt=5))

    nothing = line("C", Amount=0)
    voided = invoice("7", nothing, TotalAmt=Decimal("0.00"), PrivateNote="Voided")
    assert sync(connection, known, voided) == [End("7", "updated")]

    assert rows(connection, "SELECT voided, total FROM crm.invoices") == [(True, 5)]
    assert sync(connection, known, item("1")) == [End("1", "added")]
    assert rows(connection, OF_LINES) == [("A", "Item 1"), ("B", None)]


OF_LINES = """
    SELECT line.description, product.name FROM crm.invoice_lines AS line
      LEFT JOIN crm.products AS product ON product.id = line.product_id ORDER BY 1"""


@MODES
def test_a_flagged_record_gets_no_owner(connection: Connection[Any], mode: str) -> None:
    by_hand(connection, "crm.users", name="A", external_user_id="admin")
    key = {"create": "", "ignore": ", key: quickbooks_customer_id"}[mode]
    known = parse_all(
        {
            "accounts": "entities: [Customer]\ntable: crm.accounts\ncompany: company_id\n"
            f"import: {{mode: {mode}{key}}}\n"
            "fields: {quickbooks_customer_id: {from: Id}, name: {from: DisplayName}, "
            "active: {from: Active}, owner_id: {from: Rep, owner: true}}\n"
        }
    )
    sync(connection, known, customer("7", Active=True))
    connection.execute("UPDATE crm.accounts SET owner_id = NULL")

    assert sync(connection, known, customer("7", Active=False)) == [End("7", "updated")]
    assert rows(connection, "SELECT active, owner_id FROM crm.accounts") == [(False, None)]


@MODES
def test_a_value_that_is_wrong_keeps_no_flag_away(connection: Connection[Any], mode: str) -> None:
    """It would not be written."""
    known = mapped(mode)
    sync(connection, known, item("7", Name="Pump"))

    wrong = item("7", Name=None, Active=False, UnitPrice="abc")

    assert sync(connection, known, wrong) == [End("7", "updated")]
    assert rows(connection, FLAGS) == [("Pump", False, False)]


NAMED_BY_FLAG = """\
entities: [Item]
table: crm.products
company: company_id
import: {{key: quickbooks_product_id}}
fields: {{quickbooks_product_id: {{from: Id}}, name: {{from: Name}}, code: {{from: Sku{edits}}}}}
when_inactive: {{code: GONE}}
"""


@pytest.mark.parametrize("edits", ["", ", edits: crm"])
@pytest.mark.parametrize("taken_over", [True, False])
def test_a_flag_that_the_crm_had_already_is_taken_off_all_the_same(
    connection: Connection[Any], edits: str, taken_over: bool
) -> None:
    known = parse_all({"products": NAMED_BY_FLAG.format(edits=edits)})
    if taken_over:
        by_hand(connection, "crm.products", name="Pump", code="GONE", quickbooks_product_id="7")
    else:
        sync(connection, known, item("7"))
        if not edits:
            connection.execute("UPDATE crm.products SET code = 'GONE'")
    sync(connection, known, item("7", Active=False))
    assert rows(connection, "SELECT code FROM crm.products") == [("GONE",)]

    assert sync(connection, known, item("7", Active=True)) == [End("7", "updated")]
    assert rows(connection, "SELECT code FROM crm.products") == [(None,)]
