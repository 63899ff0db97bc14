"""An answer is taken apart without losing a byte, or it is no answer."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from quickbooks_crm.errors import QuickBooksUnavailable
from quickbooks_crm.quickbooks.private import without_private
from quickbooks_crm.quickbooks.records import (
    Envelope,
    Record,
    changes_of,
    count_of,
    envelope_of,
    page_of,
)

TIME = b'"time":"2026-11-22T03:00:00.250-08:00"'


def answer(body: bytes) -> Envelope:
    envelope = envelope_of(body)
    assert envelope is not None
    return envelope


def query_answer(rows: bytes) -> Envelope:
    return answer(b'{"QueryResponse":{"Customer":[' + rows + b'],"maxResults":1},' + TIME + b"}")


def test_a_record_is_kept_as_it_was_sent() -> None:
    row = (
        b'{ "Balance":639.00,"Note":"Caf\xc3\xa9 \\u00e9", "SyncToken":"10",\n "Id":"64",'
        b'"MetaData":{"CreateTime":"x","LastUpdatedTime":"2016-10-12T05:55:00-07:00"}}'
    )

    page = page_of(query_answer(row))

    updated_at = datetime(2016, 10, 12, 12, 55, tzinfo=UTC)
    assert page.records == [Record("Customer", "64", 10, updated_at, False, row)]
    assert page.time == datetime(2026, 11, 22, 11, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "id", "sync_token"),
    [
        (b'{"Id":"5000000000000003466"}', "5000000000000003466", 0),
        (b'{"Id":"12sync","SyncToken":"3"}', "12sync", 3),
        (b'{"Id":7,"SyncToken":4}', "7", 4),
        (b'{"Id":"7","SyncToken":null,"MetaData":null}', "7", 0),
        (b'{"Id":"7","SyncToken":1.5,"MetaData":"then","status":1}', "7", 0),
        (b'{"Id":"7","SyncToken":"-1","MetaData":{"LastUpdatedTime":7}}', "7", 0),
        (b'{"Id":"7","SyncToken":"99999999999999999999"}', "7", 0),
        (b'{"Id":"7","SyncToken":"9223372036854775808"}', "7", 0),
        (b'{"Id":"7","MetaData":{"LastUpdatedTime":"yesterday"}}', "7", 0),
        (b'{"Id":"7","MetaData":{"LastUpdatedTime":"2026-01-01T00:00:00"}}', "7", 0),
        (b'{"Id":"6","Id":"7"}', "7", 0),
    ],
)
def test_an_odd_record_still_arrives(row: bytes, id: str, sync_token: int) -> None:
    assert page_of(query_answer(row)).records == [
        Record("Customer", id, sync_token, None, False, row)
    ]


@pytest.mark.parametrize("row", [b"{}", b'{"Id":""}', b'{"Id":null}', b'{"Id":true}', b"[]", b"7"])
def test_a_record_without_an_id_is_not_passed_over(row: bytes) -> None:
    with pytest.raises(QuickBooksUnavailable):
        page_of(query_answer(row))


def test_the_end_of_the_data_has_no_entity_in_it() -> None:
    assert page_of(answer(b'{"QueryResponse":{},' + TIME + b"}")).records == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"stream timeout"',
        b"<html></html>",
        b'{"QueryResponse":{"Customer":[{"Id":"1"}',
        b'{"QueryResponse":{"Customer":[{"Id":"1","Balance":NaN}]}}',
        b'{"QueryResponse":{"Customer":[{"Id":"1","Name":"\xff"}]}}',
    ],
)
def test_what_is_not_json_is_no_envelope(body: bytes) -> None:
    assert envelope_of(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"QueryResponse":null}',
        b'{"QueryResponse":{},"Fault":{}}',
        b'{"QueryResponse":{},"fault":{}}',
    ],
)
def test_an_answer_without_its_part_or_with_a_fault_is_none(body: bytes) -> None:
    assert not answer(body).answers("QueryResponse")


def test_a_null_fault_is_none() -> None:
    assert answer(b'{"QueryResponse":{},"Fault":null,"fault":null}').answers("QueryResponse")


@pytest.mark.parametrize(
    "part",
    [b"[]", b"7", b'{"Customer":{}}', b'{"Customer":null}', b'{"Surprise":1}'],
)
def test_an_answer_of_another_form_is_not_taken_for_an_empty_one(part: bytes) -> None:
    envelope = answer(b'{"QueryResponse":' + part + b"," + TIME + b"}")
    envelope.intuit_tid = "1-abc"

    with pytest.raises(QuickBooksUnavailable, match=r"documented form \(intuit_tid 1-abc\)"):
        page_of(envelope)


@pytest.mark.parametrize("time", [b"", b',"time":1601391072830', b',"time":"2026-01-01T00:00:00"'])
def test_an_answer_without_quickbooks_time_is_refused(time: bytes) -> None:
    """Positions are made of it; our own clock may be wrong."""
    with pytest.raises(QuickBooksUnavailable, match="without saying its time"):
        page_of(answer(b'{"QueryResponse":{}' + time + b"}"))


@pytest.mark.parametrize(
    ("part", "count"), [(b'{"totalCount":41}', 41), (b'{"totalCount":0}', 0), (b"{}", 0)]
)
def test_a_count_is_read(part: bytes, count: int) -> None:
    assert count_of(answer(b'{"QueryResponse":' + part + b"}")) == count


@pytest.mark.parametrize("part", [b'{"maxResults":0}', b'{"totalCount":"many"}'])
def test_a_count_that_cannot_be_read_is_not_zero(part: bytes) -> None:
    with pytest.raises(QuickBooksUnavailable):
        count_of(answer(b'{"QueryResponse":' + part + b"}"))


def test_changes_are_told_apart_by_key_in_any_order() -> None:
    changes = changes_of(
        answer(
            b'{"CDCResponse":[{"QueryResponse":[{"Item":[{"Id":"1"}],"maxResults":1},{},'
            b'{"Customer":[{"Id":"2"},{"domain":"QBO","status":"Deleted","Id":"39"}]}]}],'
            + TIME
            + b"}"
        ),
        ["Customer", "Item", "Invoice"],
    )

    told = {
        entity: [(r.id, r.deleted) for r in records] for entity, records in changes.records.items()
    }
    assert told == {"Item": [("1", False)], "Customer": [("2", False), ("39", True)]}
    assert changes.total == 3
    assert changes.overflowed == frozenset()


@pytest.mark.parametrize(
    "part", [b"[]", b'[{"QueryResponse":[]}]', b'[{"QueryResponse":[{"Item":[{"Id":"1"}]}]}]']
)
def test_an_answer_with_fewer_groups_than_entities_says_nothing_of_those_it_does_not_name(
    part: bytes,
) -> None:
    changes = changes_of(
        answer(b'{"CDCResponse":' + part + b"," + TIME + b"}"), ["Customer", "Item"]
    )

    assert changes.overflowed == {"Customer", "Item"} - changes.records.keys()


@pytest.mark.parametrize("part", [b"[{}]", b"{}", b'[{"QueryResponse":[{"Fault":{}}]}]'])
def test_changes_of_another_form_are_not_taken_for_none(part: bytes) -> None:
    with pytest.raises(QuickBooksUnavailable):
        changes_of(answer(b'{"CDCResponse":' + part + b"," + TIME + b"}"), ["Customer"])


@pytest.mark.parametrize(
    ("entity", "sent", "kept"),
    [
        (b"Employee", b'{"Id":"1","SSN":"123-45-6789","GivenName":"Ada"}', {"GivenName": "Ada"}),
        (b"Employee", b'{"BirthDate":"1980-01-01","Id":"1"}', {}),
        (
            b"Employee",
            b'{"Id":"1","Title":"keeps \\"SSN\\" apart"}',
            {"Title": 'keeps "SSN" apart'},
        ),
        (b"Vendor", b'{"Id":"1","TaxIdentifier":"XXXXX1234","Balance":639.00}', {"Balance": 639.0}),
        (b"Customer", b'{"Id":"1","Notes":"SSN"}', {"Notes": "SSN"}),
    ],
)
def test_what_no_copy_may_hold_of_people_is_taken_off(
    entity: bytes, sent: bytes, kept: dict[str, Any]
) -> None:
    page = page_of(answer(b'{"QueryResponse":{"' + entity + b'":[' + sent + b"]}," + TIME + b"}"))

    assert json.loads(page.records[0].raw) == {"Id": "1"} | kept


def test_money_beside_a_private_field_stays_as_it_was_sent() -> None:
    raw = without_private("Vendor", b'{"Id":"1","TaxIdentifier":"1234","Balance":639.00}')

    assert raw == b'{"Id":"1","Balance":639.00}'


def test_a_record_does_not_show_its_data() -> None:
    record = page_of(query_answer(b'{"Id":"7","DisplayName":"Ada"}')).records[0]

    assert "Ada" not in repr(record)


@pytest.mark.parametrize(
    "nested", [b"[" * 9_000 + b"]" * 9_000, b'{"a":' * 9_000 + b"1" + b"}" * 9_000]
)
def test_a_value_nested_thousands_deep_is_left_out_and_all_else_arrives(nested: bytes) -> None:
    odd = b'{"Id":"2","Odd":' + nested + b',"Notes":"a ] and a \\" }","SyncToken":"7"}'

    page = page_of(query_answer(b'{"Id":"1"},' + odd + b',{"Id":"3"}'))

    assert [record.id for record in page.records] == ["1", "2", "3"]
    assert page.records[1].sync_token == 7
    assert json.loads(page.records[1].raw)["Notes"] == 'a ] and a " }'


def test_a_record_shows_no_customer_data() -> None:
    (record,) = page_of(query_answer(b'{"Id":"64","SyncToken":"3","DisplayName":"Ann"}')).records

    assert repr(record) == "Record(Customer 64, version 3)"
