"""What a column takes: how a value is written for its type, and which values it does not hold as
they are. Nothing is ever rounded or cut off to make it fit. Pure, column by column."""

import re
import struct
from collections.abc import Iterator
from decimal import Decimal

import pandas as pd
from pandas import Series

from quickbooks_crm.catalog import Column
from quickbooks_crm.items import items, with_items
from quickbooks_crm.transform import each, texts

_NUMBER = r"[+-]?(?P<whole>[0-9]*)(?:\.(?P<places>[0-9]*))?"
_WHOLE_NUMBER = r"[+-]?[0-9]+"
_DAY = r"(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}"
_OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})$"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?" + f"(?:{_OFFSET})?"
_MOST_DIGITS = 30
"""That a number has before its point, where the column sets no limit: whatever is counted or paid
has fewer."""
_INTEGERS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
_UUID = r"(?i)[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"
_BYTES = {"name": 63, "char": 1}
"""Of the types whose length is counted in bytes: Postgres cuts off what is longer."""
_FLOATS = {"float4": "f", "float8": "d"}
"""Of the types that hold most decimal numbers only nearly: how `struct` calls them."""


def shaped(values: Series, column: Column) -> Series:
    """The values as the column's type wants them written; the same series when it is all the same
    to it."""
    if column.item:
        return _shaped_items(values, column.item)
    match column.kind:
        case "integer":  # QuickBooks writes 5 as 5 or 5.00
            return values.str.replace(r"\.0*$", "", regex=True)
        case "timestamp" if column.base == "timestamp":
            return _in_utc(values)
        case _:
            return values


def _in_utc(values: Series) -> Series:
    """Moments with an offset, in UTC without one: a column without a time zone would drop it."""
    moments = values.str.fullmatch(f"{_DAY}[T ].*{_OFFSET}", na=False)
    if not moments.any():
        return values
    parsed = pd.to_datetime(values.where(moments), format="ISO8601", errors="coerce", utc=True)
    written = parsed.map(lambda moment: moment.tz_localize(None).isoformat(), na_action="ignore")
    return values.mask(parsed.notna(), written.astype("str"))


def _shaped_items(values: Series, item: Column) -> Series:
    """Lists with each item as its type wants it written."""
    found = _items(values)
    written = shaped(found, item)
    if written is found:
        return values
    together = written.groupby(level=0).agg(list)
    given = values[together.index]
    others = [with_items(*each) for each in zip(given, together, strict=True)]
    return values.mask(values.index.isin(given.index), Series(others, given.index))


def _items(values: Series) -> Series:
    """Every item of all lists, each with the index of its list."""
    return values.map(items, na_action="ignore").explode().dropna().astype("str")


def rules(values: Series, column: Column) -> Iterator[tuple[Series, str]]:
    """For each rule of the column's type: which values break it, and how to say so."""
    if column.item:
        yield from _rules_of_items(values, column.item)
        return
    match column.kind:
        case "text":
            yield from _text(values, column)
        case "numeric":
            yield from _numeric(values, column)
        case "integer":
            limit = _INTEGERS[column.base]
            whole = values.str.fullmatch(_WHOLE_NUMBER, na=False)
            yield ~whole, "is not a whole number"
            small = each(values.where(whole), lambda text: -limit <= Decimal(text) < limit)
            yield whole & ~small, "is too large"
        case "boolean":
            yield ~values.isin(["true", "false"]), "is neither true nor false"
        case "date":
            strict = values.str.fullmatch(_DAY, na=False)
            parsed = pd.to_datetime(values.where(strict), format="%Y-%m-%d", errors="coerce")
            yield parsed.isna(), "is not a date (year-month-day)"
        case "timestamp":
            strict = values.str.fullmatch(f"{_DAY}[T ].*", na=False)
            parsed = pd.to_datetime(
                values.where(strict), format="ISO8601", errors="coerce", utc=True
            )
            yield parsed.isna(), "is not a moment (date and time)"
            yield from _finer(values.where(parsed.notna()), column)
        case "time":
            yield from _time(values, column)
        case "uuid":
            yield ~values.str.fullmatch(_UUID, na=False), "is not a UUID"
        case "choice":
            yield ~values.isin(column.choices), f"is none of {', '.join(column.choices)}"


def _rules_of_items(values: Series, item: Column) -> Iterator[tuple[Series, str]]:
    """The rules of each item of a list; what is no list is for the table to refuse."""
    given = _items(values)
    for wrong, rule in rules(given, item):
        rows = given.index[wrong & given.notna()]
        yield Series(values.index.isin(rows), index=values.index), f"has an item that {rule}"


def _text(values: Series, column: Column) -> Iterator[tuple[Series, str]]:
    """The rules of texts, as far as one of them may be broken: to look at all texts at once takes
    less time than to judge each."""
    found = texts(values)
    if column.length and max(map(len, found), default=0) > column.length:
        yield values.str.len() > column.length, f"is longer than {column.length} characters"
    if limit := _BYTES.get(column.base):
        long = each(values, lambda text: len(text.encode(errors="surrogatepass")) > limit)
        yield long, f"is longer than {limit} byte{'s' if limit > 1 else ''}"


def _numeric(values: Series, column: Column) -> Iterator[tuple[Series, str]]:
    if all(map(_plain_number(column).fullmatch, set(texts(values)))):
        return
    written = values.where(values.str.fullmatch(_NUMBER, na=False))
    parts = written.str.extract(f"^{_NUMBER}$")
    is_number = parts["whole"].str.len() + parts["places"].str.len().fillna(0) > 0
    yield ~is_number, "is not a number"
    if column.precision is not None and column.scale is not None:
        yield from _decimal(written.where(is_number), parts, column.precision, column.scale)
    elif column.base not in _FLOATS:
        digits = parts["whole"].str.lstrip("0").str.len()
        yield digits > _MOST_DIGITS, f"has more than {_MOST_DIGITS} digits"
    if size := _FLOATS.get(column.base):
        numbers = written.where(is_number)
        inexact = numbers.notna() & ~each(numbers, lambda text: _holds(text, size))
        yield inexact, f"has more digits than {column.type} holds"


def _plain_number(column: Column) -> re.Pattern[str]:
    """What a number looks like that breaks no rule of the column: most do, and to take each to
    pieces takes longer."""
    precision, scale = column.precision, column.scale
    if precision is not None and scale is not None and 0 <= scale < precision:
        return re.compile(rf"[+-]?[0-9]{{1,{precision - scale}}}(?:\.[0-9]{{0,{scale}}})?")
    if precision is None and scale is None and column.base not in _FLOATS:
        return re.compile(rf"[+-]?[0-9]{{1,{_MOST_DIGITS}}}(?:\.[0-9]*)?")
    return re.compile(r"0")


def _decimal(
    numbers: Series, parts: pd.DataFrame, precision: int, scale: int
) -> Iterator[tuple[Series, str]]:
    """A scale below 0, or greater than the precision, is Postgres' own: numeric(3,-2) holds whole
    hundreds below 100,000, numeric(2,4) what is smaller than a hundredth."""
    if 0 <= scale <= precision:
        yield parts["whole"].str.lstrip("0").str.len() > precision - scale, "is too large"
    else:
        least = Decimal(1).scaleb(precision - scale)
        yield (
            numbers.notna() & ~each(numbers, lambda text: abs(Decimal(text)) < least),
            "is too large",
        )
    if scale < 0:
        zeros = "0" * -scale
        whole = parts["whole"].str.lstrip("0")
        fine = (whole == "") | whole.str.endswith(zeros)
        yield whole.notna() & ~fine, f"is not a multiple of 1{zeros}"
    yield (
        parts["places"].str.rstrip("0").str.len() > max(scale, 0),
        f"has more than {max(scale, 0)} decimal places",
    )


def _holds(text: str, size: str) -> bool:
    """Whether a floating-point number of this size says just this number when it is read again, as
    Postgres writes it: with the fewest digits that tell it from its neighbours."""
    try:
        (held,) = struct.unpack(size, struct.pack(size, float(text)))
    except OverflowError:
        return False
    digits = 9 if size == "f" else 17
    shortest = next(
        shown
        for shown in (f"{held:.{count}g}" for count in range(1, digits + 1))
        if struct.pack(size, float(shown)) == struct.pack(size, held)
    )
    return Decimal(shortest) == Decimal(text)


def _time(values: Series, column: Column) -> Iterator[tuple[Series, str]]:
    times = values.str.fullmatch(_TIME, na=False)
    yield ~times, "is not a time (hours:minutes)"
    if column.base == "time":
        zoned = values.where(times).str.contains(_OFFSET, na=False)
        yield zoned, f"has a time zone, which {column.type} does not hold"
    yield from _finer(values.where(times), column)


def _finer(values: Series, column: Column) -> Iterator[tuple[Series, str]]:
    """A fraction of a second that the column would round. Postgres knows none finer than a
    microsecond: further digits say nothing."""
    if column.scale is not None:
        fraction = values.str.extract(r"\.([0-9]{1,6})", expand=False).str.rstrip("0")
        yield (
            fraction.str.len() > column.scale,
            f"is finer than the {column.scale} decimal places of a second in {column.type}",
        )
