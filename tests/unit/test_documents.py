"""Documents with lines: what a mapping may say of them, how they are shaped, and what stops one."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pandas import DataFrame

from quickbooks_crm.catalog import Table
from quickbooks_crm.check import check
from quickbooks_crm.errors import MappingError
from quickbooks_crm.images import LINES
from quickbooks_crm.mapping import Mapping, load_order, parse_all
from quickbooks_crm.mapping.paths import written
from quickbooks_crm.transform import WHO, picks, transform
from tests.unit.mapping_texts import mapping, module, read
from tests.unit.test_check import column, table

SOLD = "product_id: {from: Item, refers: products}, amount: {from: Amount}"
SUBTOTALS = "[{where: {DetailType: Subtotal}, because: it sells nothing}]"
TWO = "[Invoice, CreditMemo]"


def document(lines: str = SOLD, fields: str = "", **words: str) -> str:
    """The text of a mapping of documents with lines."""
    words = {"entities": "[Invoice]"} | words
    exclude = words.pop("exclude", "")
    more = f"exclude: {exclude}, " if exclude else ""
    said = f"from: Line, table: crm.lines, parent: product_of, position: place, {more}"
    return mapping(fields, lines=f"{{{said}fields: {{{lines}}}}}", **words)


def known(*given: str, **words: str) -> Mapping:
    return read(document(*given, **words))


def batch(known: Mapping, *rows: dict[str, Any], entity: str = "Invoice") -> DataFrame:
    """Documents as they come from the mirror; `lines` are what stands at the picks of each."""
    who = {"@entity": entity, "@state": "active", "Name": "A", "lines": []}
    names = [*map(written, picks(known))]
    at = [*map(written, picks(known.lines.rows))] if known.lines else []
    full = [who | {"@id": str(n), "Id": str(n)} | row for n, row in enumerate(rows, 1)]
    values = [
        [*(row[name] for name in WHO), *(row.get(name) for name in names), _json(row["lines"], at)]
        for row in full
    ]
    return DataFrame(values, columns=[*WHO, *names, LINES], dtype="str")


def _json(lines: Sequence[dict[str, str]] | None, at: list[str]) -> str | None:
    return None if lines is None else json.dumps([[line.get(p) for p in at] for line in lines])


def shaped(known: Mapping, *rows: dict[str, Any], entity: str = "Invoice") -> list[Any]:
    """The lines of each document that is kept."""
    kept, _ = transform(batch(known, *rows, entity=entity), known)
    return list(kept[LINES])


def told(text: str) -> list[str]:
    with pytest.raises(MappingError) as error:
        read(text)
    return [line.strip().partition(": ")[2] for line in str(error.value).splitlines()[1:-1]]


# What is shaped


def test_the_lines_of_each_document_stay_with_it_and_in_their_order() -> None:
    rows = [
        {"lines": [{"Item": "1", "Amount": "5"}, {"Item": "2", "Amount": "0.10"}]},
        {"lines": []},
        {"lines": None},
        {"lines": [{"Item": "3"}]},
    ]

    assert shaped(known(), *rows) == [[("1", "5"), ("2", "0.10")], [], None, [("3", None)]]


def test_lines_that_the_mapping_leaves_out_are_not_there() -> None:
    lines = [{"Item": "1"}, {"DetailType": "Subtotal", "Amount": "5"}, {"Item": "2"}]

    found = shaped(known(exclude=SUBTOTALS), {"lines": lines}, {"lines": lines[1:2]})

    assert found == [[("1", None), ("2", None)], []]


def test_the_lines_of_a_deleted_document_do_not_matter() -> None:
    assert shaped(known(), {"@state": "deleted", "lines": [{"Item": "1"}]}) == [[]]


def test_the_lines_of_an_excluded_document_go_with_it() -> None:
    excluding = read(document() + "exclude: [{where: {Name: B}, because: so}]\n")
    rows = [{"Name": "B", "lines": [{"Item": "1"}]}, {"lines": [{"Item": "2"}]}]

    assert shaped(excluding, *rows) == [[("2", None)]]


@pytest.mark.parametrize("word", ["SHIPPING_ITEM_ID", "TAX", " ", None])
def test_what_has_no_digit_refers_to_nothing(word: str | None) -> None:
    assert shaped(known(), {"lines": [{"Item": word}]}) == [[(None, None)]]


# One field, several entities


@pytest.mark.parametrize(("entity", "kind"), [("Invoice", "sold"), ("CreditMemo", "back")])
def test_a_field_may_be_another_for_one_entity(entity: str, kind: str) -> None:
    own = "kind: {value: sold, for_entity: {CreditMemo: {value: back}}}"
    several = known(SOLD, own, entities=TWO)

    kept, _ = transform(batch(several, {}, entity=entity), several)

    assert list(kept["kind"]) == [kind]


def test_a_batch_may_hold_several_entities() -> None:
    own = "n: {for_entity: {Invoice: {from: Balance}, CreditMemo: {from: Rest, default: 0}}}"
    several = known(SOLD, own, entities=TWO)
    rows = [
        {"Balance": "1", "Rest": "2"},
        {"Balance": "3", "Rest": "4", "@entity": "CreditMemo"},
        {"Balance": "5", "@entity": "CreditMemo"},
    ]

    kept, _ = transform(batch(several, *rows), several)

    assert list(kept["n"]) == ["1", "4", "0"]


# Signs


@pytest.mark.parametrize(
    ("amount", "negated"),
    [
        ("5", "-5"),
        ("-5.10", "5.10"),
        ("+0.5", "-0.5"),
        (".5", "-.5"),
        ("0", "0"),
        ("0.00", "0.00"),
        ("-0.0", "-0.0"),
        ("12345678901234567890.1234567", "-12345678901234567890.1234567"),
        ("1,5", "1,5"),
        ("five", "five"),
        (None, None),
    ],
)
def test_a_negated_amount_is_exact_and_what_is_none_stays(
    amount: str | None, negated: str | None
) -> None:
    negating = known("amount: {from: Amount, negate: true}")

    assert shaped(negating, {"lines": [{"Amount": amount}]}) == [[(negated,)]]


def test_a_sign_may_depend_on_the_line_and_on_the_entity() -> None:
    negating = known(
        "amount: {from: Amount, negate: {Type: Discount}, "
        "for_entity: {CreditMemo: {negate: {Type: {not: Discount}}}}}",
        entities=TWO,
    )
    lines = [{"Amount": "10", "Type": "Item"}, {"Amount": "1", "Type": "Discount"}]

    rows = [{"lines": lines}, {"lines": lines, "@entity": "CreditMemo"}]

    assert shaped(negating, *rows) == [[("10",), ("-1",)], [("-10",), ("1",)]]


# What is checked

LINE_TABLE = Table(
    *("crm", "lines", "id"),
    {
        each.name: each
        for each in (
            column("product_id", "integer"),
            column("amount", "numeric", precision=7, scale=2, required=True),
            column("count", "integer"),
        )
    },
)


def refused(known: Mapping, *rows: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The documents that may not be loaded, with why."""
    of_lines = Table("crm", "products", "id", table().columns, LINE_TABLE)
    _, ended = check(transform(batch(known, *rows), known)[0], known, of_lines)
    return list(ended[["@id", "reason", "message"]].itertuples(index=False, name=None))


def test_a_line_that_may_not_be_loaded_stops_its_document_and_is_named() -> None:
    good = {"Item": "1", "Amount": "5"}
    rows = [
        {"lines": [good, {"Item": "2"}, {"Item": "3", "Amount": "x"}]},
        {"lines": [good]},
        {"lines": [good, {"Item": "2", "Amount": "0.125"}]},
    ]

    assert refused(known(), *rows) == [
        (
            "1",
            "missing_required",
            "Line 2: AMOUNT is required but blank in QuickBooks. "
            "Line 3: AMOUNT 'x' is not a number.",
        ),
        ("3", "invalid_value", "Line 2: AMOUNT '0.125' has more than 2 decimal places."),
    ]


def test_a_document_tells_what_is_wrong_with_itself_first() -> None:
    required = known(SOLD, "own: {from: Own, required: true}")
    of_lines = Table("crm", "products", "id", table(column("own")).columns, LINE_TABLE)

    rows = batch(required, {"lines": [{"Amount": "x"}]})
    _, ended = check(transform(rows, required)[0], required, of_lines)

    [details] = ended["details"]
    assert [(told.get("line"), told["field"]) for told in details] == [
        (None, "own"),
        ("1", "amount"),
    ]


def test_whole_numbers_of_lines_lose_their_noughts() -> None:
    counting = known("amount: {value: 1}, count: {from: Qty}")
    of_lines = Table("crm", "products", "id", table().columns, LINE_TABLE)

    kept, _ = transform(batch(counting, {"lines": [{"Qty": "3.00"}]}), counting)
    fit, _ = check(kept, counting, of_lines)

    assert list(fit[LINES]) == [[("1", "3")]]


# What is written wrongly


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            document("product_of: {from: Id}"),
            "lines.fields.product_of is filled by the sync itself, as parent: product_of says. "
            "Remove one of the two.",
        ),
        (
            document("amount: {default: 1}"),
            "lines.fields.amount has no source. Write from: and a path, or value: and a constant.",
        ),
        (
            document("amount: {from: Amount, kind: phone}"),
            "lines.fields.amount.kind is a word of documents only: their lines are QuickBooks' "
            "own, and written as it has them. Remove it.",
        ),
        (
            document().replace("from: Line", "from: Line.More"),
            "lines.from must be the name of one list, such as Line.",
        ),
        (
            document(fields="kind: {for_entity: {Invoice: {value: x}}}", entities=TWO),
            "fields.kind has no source. Write from: and a path, or value: and a constant.",
        ),
        (
            document(fields="kind: {from: A, for_entity: {CreditMemo: {value: x}}}"),
            "fields.kind.for_entity.CreditMemo is none of the entities: Invoice. Remove it.",
        ),
        (
            document(fields="kind: {from: A, for_entity: {Invoice: {value: x, from: B}}}"),
            "fields.kind.for_entity.Invoice.value cannot stand beside from: keep the one that is "
            "meant.",
        ),
        (
            document(fields="total: {from: A, negate: yes please}"),
            "fields.total.negate cannot be: 'yes please'. Write true, or a condition as in where.",
        ),
        (
            mapping(**{"import": "{key: product_id, within: kind}"}),
            "import.within parts records with the same key: write a key, and give this column a "
            "source.",
        ),
        (
            mapping("kind: {from: A}", **{"import": "{key: product_id, within: Kind}"}),
            "import.within parts records with the same key: write a key, and give this column a "
            "source. Did you mean 'kind'?",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(text: str, said: str) -> None:
    assert told(text) == [said]


def test_the_module_that_a_line_refers_to_loads_first() -> None:
    texts = {
        "documents": document("item: {from: Item, refers: zoo}"),
        "zoo": module("zoo", "[Item]"),
    }

    assert load_order(parse_all(texts)) == ["zoo", "documents"]


def test_a_line_cannot_refer_to_a_module_that_is_not_there() -> None:
    with pytest.raises(MappingError, match=r"lines.fields.item.refers names a module that has no"):
        parse_all({"documents": document("item: {from: Item, refers: zoo}")})
