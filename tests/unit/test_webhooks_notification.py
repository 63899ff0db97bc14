"""What a delivery says, in each of Intuit's forms; nonsense is counted or refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.datastructures import Headers

from quickbooks_crm.webhooks import notification, signature
from quickbooks_crm.webhooks.notification import Event, Unreadable
from tests.integration.deliveries import cloud_event, old_entity, old_form, signed
from tests.integration.runs import REALM

AT = datetime(2026, 3, 17, 16, 19, 17, tzinfo=UTC)
anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=5,
)
WORDS = ("eventNotifications", "dataChangeEvent", "entities", "realmId", "name", "id", "type")


def read(told: Any) -> tuple[list[Event], int]:
    return notification.read(json.dumps(told).encode())


def test_the_old_form_is_read() -> None:
    [event], ignored = read(old_form(old_entity()))

    assert event == Event(REALM, event.event_id, "customer", "1", "update", None, AT)
    assert (len(event.event_id), ignored) == (64, 0)


def test_cloud_events_are_read() -> None:
    told = [cloud_event(1), cloud_event(2, type="qbo.salesreceipt.voided.v1")]

    events, ignored = read(told)

    assert events == [
        Event(REALM, "event-1", "customer", "1", "updated", None, AT.replace(microsecond=179851)),
        Event(
            REALM, "event-2", "salesreceipt", "2", "voided", None, AT.replace(microsecond=179851)
        ),
    ]
    assert ignored == 0


def test_a_cloud_event_by_itself_is_read_too() -> None:
    assert [event.id for event in read(cloud_event(7))[0]] == ["7"]


def test_both_forms_may_come_mixed() -> None:
    events, ignored = read([cloud_event(7), old_form(old_entity(id="8"))])

    assert ([event.id for event in events], ignored) == (["7", "8"], 0)


def test_one_delivery_may_tell_of_several_companies() -> None:
    told = old_form(old_entity())
    told["eventNotifications"] += old_form(old_entity(), realm="77")["eventNotifications"]

    assert [event.realm for event in read(told)[0]] == [REALM, "77"]


@pytest.mark.parametrize(
    "told",
    [
        old_form(old_entity(operation="Merge", deletedId="27")),
        [cloud_event(1, type="qbo.customer.merged.v1", data={"deletedid": "27"})],
    ],
)
def test_a_merge_tells_which_record_is_gone(told: Any) -> None:
    [event], _ = read(told)

    assert (event.operation[:5], event.id, event.merged_id) == ("merge", "1", "27")


def test_the_old_form_told_twice_is_one_event_and_a_later_change_another() -> None:
    later = old_entity(lastUpdated="2026-03-17T10:00:00-07:00")

    events, _ = read(old_form(old_entity(), old_entity(), later))

    first, again, other = [event.event_id for event in events]
    assert first == again != other


@pytest.mark.parametrize(
    "entry",
    [
        *(old_form(old_entity(**{key: None})) for key in ("name", "id", "operation")),
        old_form(old_entity(), realm=None),
        old_form(old_entity(), realm=9341452000000001),
        old_form(old_entity(id="1\x00")),
        old_form(old_entity(id="1" * 65)),
        old_form("Customer"),
        {"eventNotifications": "all"},
        {"eventNotifications": [{"realmId": REALM}]},
        [cloud_event(1, type="com.example.other")],
        [cloud_event(1, type="qbo.customer.updated")],
        [cloud_event(1, id="")],
        [cloud_event(1, id="é")],
        [cloud_event(1, intuitaccountid="a company")],
        [None],
        ["qbo.customer.updated.v1"],
    ],
)
def test_an_entry_of_no_known_kind_is_counted_and_the_others_are_read(entry: Any) -> None:
    told = [*(entry if isinstance(entry, list) else [entry]), cloud_event(7)]

    events, ignored = read(told)

    assert ([event.id for event in events], ignored) == (["7"], 1)


@pytest.mark.parametrize("told", [[], {"eventNotifications": []}, old_form()])
def test_nothing_told_is_nothing_wrong(told: Any) -> None:
    assert read(told) == ([], 0)


@pytest.mark.parametrize("time", [None, "yesterday", 5, "", "9999-12-31T23:59:59-14:00"])
def test_an_event_without_a_usable_time_is_an_event(time: Any) -> None:
    [event], _ = read([cloud_event(1, time=time)])

    assert event.occurred_at is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b'"a text"',
        b"7",
        b"null",
        b"{}",
        b'{"hello": 1}',
        b"[" * 200_000,
        b'{"eventNotifications":' * 100_000,
        b"9" * 10_000,
    ],
)
def test_what_is_no_notification_is_refused_without_a_word_of_it(body: bytes) -> None:
    with pytest.raises(Unreadable) as raised:
        notification.read(body)

    assert "hello" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@given(anything | some.lists(some.dictionaries(some.sampled_from(WORDS), anything)))
def test_no_json_whatever_breaks_the_reading(told: Any) -> None:
    body = json.dumps(told).encode()
    try:
        events, ignored = notification.read(body)
    except Unreadable:
        return
    assert ignored >= 0
    assert all(event.realm.isdigit() and event.id.isascii() for event in events)


@given(some.binary())
def test_no_bytes_whatever_break_the_reading(body: bytes) -> None:
    try:
        notification.read(body)
    except Unreadable:
        return


@given(some.binary())
def test_only_a_whole_signature_is_taken_for_one(value: bytes) -> None:
    found = signature.told(Headers(raw=[(b"intuit-signature", value)]))

    assert found is None or (len(found) == 32 and len(value) == 44)


def test_two_signatures_are_none() -> None:
    value = signed(b"").encode()

    assert signature.told(Headers(raw=[(b"intuit-signature", value)]))
    assert signature.told(Headers(raw=[(b"intuit-signature", value)] * 2)) is None
    assert signature.told(Headers(raw=[])) is None
