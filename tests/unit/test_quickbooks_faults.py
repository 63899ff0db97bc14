"""Whatever form an error takes, it is understood, and no token gets out of it."""

import pytest

from quickbooks_crm.quickbooks.faults import Fault, Verdict, explain, fault_of, verdict_on

UPPER = (
    b'{"Fault":{"Error":[{"Message":"Invalid query","Detail":"QueryValidationError: x",'
    b'"code":"4001","element":""}],"type":"ValidationFault"},"time":"2020-09-29T06:52:56-07:00"}'
)
LOWER = (
    b'{"warnings":null,"fault":{"error":[{"message":"message=AuthenticationFailed; '
    b'errorCode=003200; statusCode=401","detail":"Token expired: eyJ0","code":"3200",'
    b'"element":null}],"type":"AUTHENTICATION"},"queryResponse":null,"time":1601391072830}'
)
XML = (
    b'<?xml version="1.0" encoding="UTF-8"?><IntuitResponse time="2016-10-12T05:55:00-07:00" '
    b'xmlns="http://schema.intuit.com/finance/v3"><Fault type="ValidationFault">'
    b'<Error code="4001"><Message>Invalid &amp; query</Message><Detail>Why</Detail></Error>'
    b'<Error code="4002"><Message>more</Message></Error></Fault></IntuitResponse>'
)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (UPPER, Fault("4001", "Invalid query", "QueryValidationError: x", "ValidationFault")),
        (
            LOWER,
            Fault(
                "3200",
                "message=AuthenticationFailed; errorCode=003200; statusCode=401",
                "Token expired: eyJ0",
                "AUTHENTICATION",
            ),
        ),
        (b'{"Fault":{"Error":[{"code":"003001"}]}}', Fault("3001")),
        (b'{"Fault":{"Error":{"code":610,"Message":"gone"}}}', Fault("610", "gone")),
        (b'{"Fault":{"Error":[],"type":"SERVICE"}}', Fault("", type="SERVICE")),
        (b'{"Fault":{"Error":["what"],"type":7}}', Fault("", type="7")),
    ],
)
def test_json_faults_of_either_casing_are_read(body: bytes, fault: Fault) -> None:
    assert fault_of(body) == fault


def test_an_xml_fault_is_read() -> None:
    assert fault_of(XML) == Fault("4001", "Invalid & query", "Why", "ValidationFault")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"Fault":null}',
        b'{"QueryResponse":{}}',
        b"stream timeout",
        b"<html><body><h1>503</h1></body></html>",
        b"\x1f\x8b\x00",
        b'{"Fault":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_all_else_is_no_fault(body: bytes) -> None:
    assert fault_of(body) is None


def test_xml_with_a_document_type_is_not_even_read() -> None:
    """Entities could be made to swell, or to fetch files."""
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        b'<Fault><Error code="1"><Message>&b;</Message></Error></Fault>'
    )

    assert fault_of(bomb) is None


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (429, "", Verdict.THROTTLED),
        (429, "4001", Verdict.THROTTLED),
        (403, "3001", Verdict.THROTTLED),
        (200, "3001", Verdict.THROTTLED),
        (500, "10000", Verdict.DOWN),
        (503, "", Verdict.DOWN),
        (504, "3200", Verdict.DOWN),
        (408, "", Verdict.DOWN),
        (200, "", Verdict.DOWN),
        (200, "10000", Verdict.DOWN),
        (204, "", Verdict.DOWN),
        (401, "3200", Verdict.LOGIN),
        (401, "", Verdict.LOGIN),
        (200, "3200", Verdict.LOGIN),
        (403, "3100", Verdict.FORBIDDEN),
        (403, "", Verdict.FORBIDDEN),
        (200, "120", Verdict.FORBIDDEN),
        (400, "6190", Verdict.LAPSED),
        (400, "4001", Verdict.REFUSED),
        (200, "4000", Verdict.REFUSED),
        (404, "", Verdict.REFUSED),
        (302, "", Verdict.REFUSED),
    ],
)
def test_status_comes_first_and_then_the_code(status: int, code: str, verdict: Verdict) -> None:
    assert verdict_on(status, Fault(code) if code else None) is verdict


def test_an_echoed_token_is_hidden() -> None:
    token = "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0..x1"
    fault = Fault("4001", f"sent {token}", f"Bearer {token[:-1]} and short-secret: 'it'")

    text = explain(fault, Verdict.REFUSED, (token, "short-secret"))

    assert text == "code 4001, sent [hidden]: Bearer [hidden] and [hidden]: 'it'"


def test_what_is_wrong_with_a_query_is_told() -> None:
    fault = Fault("4001", "Invalid query", "QueryValidationError: Property Emial not found")

    text = explain(fault, Verdict.REFUSED, ())

    assert text == "code 4001, Invalid query: QueryValidationError: Property Emial not found"


@pytest.mark.parametrize("verdict", [Verdict.LOGIN, Verdict.FORBIDDEN])
def test_the_detail_of_a_refused_login_is_left_out(verdict: Verdict) -> None:
    fault = Fault("3200", "AuthenticationFailed", "Token expired: abc")

    assert explain(fault, verdict, ()) == "code 3200, AuthenticationFailed"


def test_a_long_text_is_cut() -> None:
    assert len(explain(Fault("4000", "no " * 1000), Verdict.REFUSED, ())) < 320
