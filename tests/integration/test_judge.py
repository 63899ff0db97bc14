"""A load that looks like an accident is stopped before it commits, and one that does not is not."""

from dataclasses import replace
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import breakers, mapping
from quickbooks_crm.breakers import Threshold, Thresholds
from quickbooks_crm.errors import BreakerTripped
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    NEVER,
    REALM,
    Record,
    accounts,
    count,
    customer,
    gone,
    item,
    one,
    products,
    rows,
    sync,
)
from tests.integration.documents import TEXTS, invoice, line
from tests.integration.documents import known as documents
from tests.integration.test_stand_ins import merge

SMALL = Thresholds(
    mass_delete=Threshold(percent=10, at_least=3, always_above=8),
    mass_change=Threshold(percent=50, at_least=4),
    mass_clear=Threshold(percent=90, at_least=3),
    too_many_rejects=Threshold(percent=20, at_least=3),
)
"""The usual breakers for companies of a dozen records."""

DESCRIBED = "description: {value: From QuickBooks}"


def items(first: int, last: int, **fields: Any) -> list[Record]:
    return [item(str(n), **fields) for n in range(first, last + 1)]


def tripped(connection: Connection[Any], *records: Record, **words: Any) -> BreakerTripped:
    """What stopped the load of these records, noted as the pipeline notes it."""
    known = words.pop("known", products())
    with pytest.raises(BreakerTripped) as stopped:
        sync(connection, known, *records, breakers=SMALL, **words)
    breakers.note(connection, Run("sample", REALM, "noted"), stopped.value.danger)
    return stopped.value


def released(connection: Connection[Any], breaker: str) -> None:
    breakers.release(connection, "sample", breaker, "anna", "it is right")


def open_names(connection: Connection[Any]) -> list[str]:
    return [breaker.name for breaker in breakers.open_ones(connection, "sample")]


def untouched(connection: Connection[Any]) -> dict[str, Any]:
    """All that a stopped load must leave as it was."""
    return {
        table: rows(connection, f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4")
        for table in (
            "crm.products",
            "sync.link",
            "sync.held",
            "sync.parked",
            "sync.module_position",
            "sync.activity",
            "sync.outcome",
        )
    }


# Deletes


def test_a_mass_delete_leaves_the_crm_and_the_position_untouched(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), *items(1, 20))
    before = untouched(connection)

    stopped = tripped(connection, *(gone(record) for record in items(1, 3)))

    assert untouched(connection) == before
    assert str(stopped).startswith(
        "3 of the 20 records that products keeps in the CRM would become deleted: 15 %; the limit "
        "is 10 %, and 3 records. Nothing of it was written."
    )
    assert stopped.danger.details["records"][0] == {
        "entity": "Item",
        "id": "1",
        "crm": one(connection, "SELECT record_key FROM sync.link WHERE id = '1'"),
        "becomes": "deleted",
    }


def test_deletes_and_deactivations_count_together(connection: Connection[Any]) -> None:
    known = products(when_inactive="{active: false}")
    sync(connection, known, *items(1, 20))

    changed = [gone(item("1")), item("2", Active=False), item("3", Active=False)]
    stopped = tripped(connection, *changed, known=known)

    assert (stopped.danger.code, stopped.danger.count, stopped.danger.of) == ("mass_delete", 3, 20)


def test_merges_count_as_deactivations(connection: Connection[Any]) -> None:
    known = mapping.parse_all({"accounts": accounts("active: {from: Active, default: true}")})
    losers = [str(n) for n in range(1, 5)]
    sync(connection, known, *(customer(str(n)) for n in range(1, 13)))
    for loser in losers:
        merge(connection, loser, "12")

    gone_away = (customer(loser, Active=False) for loser in losers)
    error = tripped(connection, *gone_away, known=known)

    assert error.danger.code == "mass_delete"
    assert str(error).startswith(
        "4 of the 12 records that accounts keeps in the CRM would become inactive:"
    )
    assert {record["becomes"] for record in error.danger.details["records"]} == {"inactive"}
    assert one(connection, "SELECT count(*) FROM crm.accounts WHERE NOT active") == 0


def test_few_deletes_pass(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 20))

    ended = sync(connection, products(), gone(item("1")), gone(item("2")), breakers=SMALL)

    assert [end.outcome for end in ended] == ["updated", "updated"]


def test_a_small_share_of_deletes_passes_up_to_a_number(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 100))

    sync(connection, products(), *(gone(record) for record in items(1, 8)), breakers=SMALL)
    stopped = tripped(connection, *(gone(record) for record in items(9, 17)))

    assert (stopped.danger.count, stopped.danger.of) == (9, 92)


def test_deletes_that_the_crm_does_not_record_pass(connection: Connection[Any]) -> None:
    """A mapping without when_deleted leaves the CRM's records as they are."""
    known = products(when_deleted="{}")
    sync(connection, known, *items(1, 20))

    ended = sync(connection, known, *(gone(record) for record in items(1, 20)), breakers=SMALL)

    assert {end.outcome for end in ended} == {"unchanged"}


def test_a_released_mass_delete_is_loaded_once(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 40))
    tripped(connection, *(gone(record) for record in items(1, 5)))
    released(connection, "mass_delete:products")

    sync(connection, products(), breakers=SMALL)

    assert one(connection, "SELECT count(*) FROM crm.products WHERE deleted") == 5
    assert tripped(connection, *(gone(record) for record in items(6, 10))).danger.count == 5


def let_into_the_mirror(connection: Connection[Any], entity: str, count: int) -> None:
    """A person has released so many deletes of an entity, and the run `released` has used it."""
    danger = breakers.Danger("mass_delete", entity, count, 40, f"{count} vanished.")
    breakers.note(connection, Run("sample", REALM, "released"), danger)
    released(connection, f"mass_delete:{entity}")
    with connection.transaction():
        breakers.pass_or_stop(connection, REALM, "released", danger)


def test_deletes_that_were_released_for_the_entity_need_no_release_for_each_module(
    connection: Connection[Any],
) -> None:
    """What a person let into the mirror is what the loads of the same run then bring in."""
    sync(connection, products(), *items(1, 40))
    let_into_the_mirror(connection, "Item", 10)

    lost = [gone(record) for record in items(1, 11)]
    sync(connection, products(), *lost, run_id="released", breakers=SMALL)

    assert one(connection, "SELECT count(*) FROM crm.products WHERE deleted") == 11
    later = [gone(record) for record in items(12, 20)]
    assert tripped(connection, *later).danger.code == "mass_delete"


@pytest.mark.parametrize(
    ("entity", "last", "run_id"),
    [("Item", 12, "released"), ("Customer", 11, "released"), ("Item", 11, "another")],
)
def test_deletes_beyond_what_was_released_for_the_entity_stop(
    connection: Connection[Any], entity: str, last: int, run_id: str
) -> None:
    sync(connection, products(), *items(1, 40))
    let_into_the_mirror(connection, entity, 10)

    lost = [gone(record) for record in items(1, last)]

    assert tripped(connection, *lost, run_id=run_id).danger.count == last


# Refusals


def test_a_load_of_which_too_much_would_not_be_added_stops(connection: Connection[Any]) -> None:
    """RELIABILITY D44: nothing changes, and nobody has to find out from a thousand rows."""
    stopped = tripped(connection, *items(1, 5), *items(6, 8, Name=None))

    assert count(connection, "crm.products") == 0
    assert count(connection, "sync.held") == 0
    assert str(stopped).startswith(
        "3 of the 8 records of products that this load reads would not be added "
        "(3 missing required): 37.5 %; the limit is 20 %, and 3 records."
    )
    assert stopped.danger.details["records"][0]["id"] == "6"


def test_a_first_load_that_was_released_is_loaded(connection: Connection[Any]) -> None:
    tripped(connection, *items(1, 5), *items(6, 8, Name=None))
    released(connection, "too_many_rejects:products")

    sync(connection, products(), breakers=SMALL)

    assert (count(connection, "crm.products"), count(connection, "sync.held")) == (5, 3)
    assert open_names(connection) == []


def test_records_that_were_held_back_before_are_no_news(connection: Connection[Any]) -> None:
    """A changed mapping tries them all again; that they still do not fit is known."""
    sync(connection, products(), *items(1, 2), *items(3, 12, Name=None))

    sync(connection, products(fields=DESCRIBED), item("13"), breakers=SMALL)

    assert count(connection, "sync.held") == 10


def test_what_the_table_refuses_counts_too(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.products ADD CHECK (price >= 0)")

    stopped = tripped(connection, *items(1, 5), *items(6, 8, UnitPrice=-1))

    assert stopped.danger.details["reasons"] == {"refused_by_table": 3}


# Changes


def test_a_mass_change_is_warned_of(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 10))

    sync(connection, products(), *items(1, 6, UnitPrice=5), run_id="dearer", breakers=SMALL)

    assert one(connection, "SELECT warnings FROM sync.run WHERE run_id = 'dearer'") == {
        "products.mass_change": "6 of the 10 records that products keeps in the CRM were changed "
        "at once (price). If nobody has changed so many in QuickBooks, look at them."
    }


def test_a_mass_change_under_a_changed_mapping_stops(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 10))

    changed = products(fields=DESCRIBED)
    stopped = tripped(connection, *items(1, 6, UnitPrice=5), known=changed)

    assert str(stopped).startswith(
        "6 of the 10 records that products keeps in the CRM would be changed, and its mapping is "
        "not the one that it loaded last: 60 %; the limit is 50 %, and 4 records."
    )
    assert stopped.danger.details["columns"] == {"price": 6, "description": 6}
    assert one(connection, "SELECT count(*) FROM crm.products WHERE price = 5") == 0


def test_half_of_all_may_change(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 10))

    changed = products(fields=DESCRIBED)
    sync(connection, changed, *items(1, 5, UnitPrice=5), run_id="half", breakers=SMALL)

    assert one(connection, "SELECT warnings FROM sync.run WHERE run_id = 'half'") == {}


def test_a_first_load_onto_what_the_crm_has_is_no_mass_change(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 10))
    connection.execute("TRUNCATE sync.link, sync.module_position")

    dearer = items(1, 10, UnitPrice=5)
    ended = sync(connection, products(), *dearer, run_id="again", breakers=SMALL)

    assert {end.outcome for end in ended} == {"updated"}
    assert one(connection, "SELECT warnings FROM sync.run WHERE run_id = 'again'") == {}


# Fields that are cleared


def priced(first: int, last: int, **fields: Any) -> list[Record]:
    return items(first, last, **{"UnitPrice": 5, "Sku": "A"} | fields)


def test_a_field_that_quickbooks_sends_no_more_is_not_cleared_everywhere(
    connection: Connection[Any],
) -> None:
    """E4: also where only a part of all records is read."""
    sync(connection, products(), *priced(1, 20))
    before = untouched(connection)

    stopped = tripped(connection, *priced(1, 3, UnitPrice=None, Sku="B"))

    assert untouched(connection) == before
    assert str(stopped).startswith(
        "price would be cleared in 3 of the 3 records of products that this load changes and that "
        "have a value there: 100 %; the limit is 90 %, and 3 records. Nothing of it was written."
    )
    assert open_names(connection) == ["mass_clear:products"]
    released(connection, "mass_clear:products")
    sync(connection, products(), breakers=SMALL)
    assert one(connection, "SELECT count(*) FROM crm.products WHERE price IS NULL") == 3


def test_all_fields_that_would_be_cleared_are_named(connection: Connection[Any]) -> None:
    sync(connection, products(), *priced(1, 20))

    stopped = tripped(connection, *items(1, 4, UnitPrice=None, Sku=None))

    assert str(stopped).startswith("code, price would be cleared in 4 of the 4 records")


@pytest.mark.parametrize(
    "records",
    [
        priced(1, 2, UnitPrice=None),
        [*priced(1, 9, UnitPrice=None), item("10", UnitPrice=6)],
        [*items(1, 3, Active=False, UnitPrice=None)],
        items(21, 30),
    ],
    ids=["few", "one of ten keeps it", "inactive ones", "new ones"],
)
def test_fields_that_are_blank_now_and_then_are_cleared(
    connection: Connection[Any], records: list[Record]
) -> None:
    known = products(when_inactive="{active: false}")
    sync(connection, known, *priced(1, 20))
    before = one(connection, "SELECT count(*) FROM crm.products WHERE price IS NULL")
    lenient = replace(SMALL, mass_delete=Threshold(percent=100, at_least=1))

    sync(connection, known, *records, breakers=lenient)

    assert one(connection, "SELECT count(*) FROM crm.products WHERE price IS NULL") > before


def test_what_a_person_filled_and_stays_is_no_field_that_is_cleared(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), *items(1, 20))
    connection.execute("UPDATE crm.products SET price = 7")

    ended = sync(connection, products(), *items(1, 20, Sku="B"), breakers=SMALL)

    assert {end.outcome for end in ended} == {"updated"}


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([line("A", Description=None, Amount=5)], "lines.description"),
        ([], "lines"),
    ],
)
def test_a_field_of_lines_and_lines_altogether_are_not_cleared_everywhere_either(
    connection: Connection[Any], lines: list[dict[str, Any]], field: str
) -> None:
    full = [line("A", Amount=5), line("B", Description=None, Amount=6)]
    sync(connection, documents(), *(invoice(str(n), *full) for n in range(1, 6)))
    before = rows(connection, TEXTS)

    changed = (invoice(str(n), *lines) for n in range(1, 4))
    stopped = tripped(connection, *changed, known=documents())

    assert str(stopped).startswith(f"{field} would be cleared in 3 of the 3 records of documents")
    assert rows(connection, TEXTS) == before


def test_flags_that_are_taken_off_are_no_field_that_is_cleared(connection: Connection[Any]) -> None:
    known = products(when_inactive="{code: GONE}")
    lenient = replace(SMALL, mass_delete=Threshold(percent=100, at_least=1))
    sync(connection, known, *items(1, 10))
    sync(connection, known, *items(1, 10, Active=False), breakers=lenient)

    sync(connection, known, *items(1, 10, Active=True), breakers=SMALL)

    assert rows(connection, "SELECT DISTINCT code FROM crm.products") == [(None,)]


# Afterwards


def test_a_danger_that_is_gone_needs_no_release(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 20))
    tripped(connection, *(gone(record) for record in items(1, 3)))

    sync(connection, products(), *items(1, 3), breakers=SMALL)

    assert open_names(connection) == []
    assert [breaker.state for breaker in breakers.past_ones(connection, "sample", 5)] == ["passed"]


def test_a_breaker_of_one_module_says_nothing_of_another(connection: Connection[Any]) -> None:
    known = products() | mapping.parse_all({"accounts": accounts()})
    sync(connection, known, *items(1, 20), *(customer(str(n)) for n in range(1, 21)))
    tripped(connection, *(gone(record) for record in items(1, 3)))

    sync(connection, mapping.parse_all({"accounts": accounts()}), customer("21"), breakers=SMALL)

    assert open_names(connection) == ["mass_delete:products"]


def test_a_company_may_do_without_the_share(connection: Connection[Any]) -> None:
    sync(connection, products(), *items(1, 20))

    sync(connection, products(), *(gone(record) for record in items(1, 20)), breakers=NEVER)

    assert one(connection, "SELECT count(*) FROM crm.products WHERE deleted") == 20
