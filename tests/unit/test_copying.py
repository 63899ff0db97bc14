"""What COPY is given is what QuickBooks sent."""

import pytest

from quickbooks_crm.copying import columns, digest, escaped, line
from quickbooks_crm.quickbooks.records import Record


def record(raw: bytes, id: str = "7") -> Record:
    return Record("Customer", id, 3, None, False, raw)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        (b"plain", b"plain"),
        (rb"a \u00e9", rb"a \\u00e9"),
        (b"a\tb\nc\rd", rb"a\tb\nc\rd"),
        (b"\\N", rb"\\N"),
        (b"", b""),
    ],
)
def test_a_column_is_escaped(text: bytes, column: bytes) -> None:
    assert escaped(text) == column


def test_a_record_is_a_line() -> None:
    row = record(b'{"Id": "7",\n"Note": "a"}', id="7\t")

    assert line(b"1", *columns(row, 5)) == (
        b'1\tCustomer\t7\\t\t3\t\\N\tf\t5\t{"Id": "7",\\n"Note": "a"}\n'
    )


def test_a_digest_tells_any_two_contents_apart_and_is_the_same_in_every_process() -> None:
    assert digest(record(b"{}")) == 137279666008780115
    assert digest(record(b"{} ")) != digest(record(b"{}"))
