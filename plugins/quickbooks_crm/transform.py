"""Mirror → CRM-shaped rows, as the mapping says. Pure: works on columns of text, knows no database
and no clock."""

import operator
import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as ReadOnly
from decimal import Decimal
from typing import Any

import pandas as pd
from pandas import DataFrame, Series

from quickbooks_crm.documents import OF, decoded, folded, unfolded
from quickbooks_crm.images import LINES
from quickbooks_crm.mapping import Condition, Exclusion, Field, Join, Lines, Mapping, Source
from quickbooks_crm.mapping.paths import NAMES, Pick, picks_of, written

WHO = ["@entity", "@id", "@state"]
"""The columns every batch begins with, named so that no column of a CRM is called the same. The
state is active, inactive, merged or deleted."""

MISPLACED = "@misplaced"
"""The column of a batch that tells which places of a record are of another JSON type than the
mapping can read, as `json_types` says it; only there where some record has such a place."""

EARLY = "dated before the company's start date"
"""Why a document in the state early stays out."""

ENDED = [*WHO, "outcome", "reason", "message", "details"]
"""The columns of rows that end before the load, with why."""

_SPACES = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_INVISIBLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
)
_TAGS = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
"""With `_INVISIBLE` what Unicode calls Default_Ignorable_Code_Point, as `sync.normal` has it."""
_BLANKS = "".join(re.findall(f"[{_SPACES}{_INVISIBLE}]", "".join(map(chr, range(0x10000)))))
_EMPTY = {"", "[]", "{}"}
_MAY_BE_BLANK = re.compile(rf"\n(?:[\[{{{_SPACES}{_INVISIBLE}{_TAGS}]|$)")
_NOTHING = re.compile(f"[{_SPACES}{_INVISIBLE}{_TAGS}]*")
_SUFFIX = r"(?i)\s*\(deleted(?: [0-9]+)?\)$"
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_DIGIT = re.compile(r"[0-9]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def picks(mapping: Mapping) -> list[Pick]:
    """Every value of a QuickBooks record that the mapping looks at, each once."""
    of_fields = [
        pick for field in _fields(mapping) for source in field.sources for pick in picks_of(source)
    ]
    return list(dict.fromkeys(of_fields + [condition.path for condition in conditions(mapping)]))


def conditions(mapping: Mapping) -> list[Condition]:
    """Every condition under which a record stays out, or an amount gets the opposite sign."""
    of_fields = [c for field in _fields(mapping) for c in field.negate or ()]
    return [c for exclusion in mapping.exclude for c in exclusion.where] + of_fields


def _fields(mapping: Mapping) -> list[Field]:
    return [variant for field in mapping.fields.values() for variant in field.variants]


def transform(batch: DataFrame, mapping: Mapping) -> tuple[DataFrame, DataFrame]:
    """Part the rows that the mapping keeps, shaped as it says, from those it excludes, each with
    the reason.

    `batch` has the columns of WHO and one of text for each of `picks`, named as it is `written`.
    The kept rows have the columns of WHO and one of text for each column that the mapping fills; a
    reference still holds the QuickBooks id. What is blank, nothing but white space, or an empty
    list or object, is missing. A deleted record is always kept: whether the CRM has it is for the
    load to say.

    LINES holds a document's lines as JSON, each a list of the texts at the `picks` of one line; of
    a kept row it has a list of them, each a tuple of the values of the columns it fills.
    """
    batch = _without_suffix(_without_blanks(batch, mapping))
    verdicts = _excluded(batch, mapping)
    kept = batch[verdicts.isna()]
    shaped = _shaped(kept, mapping)
    if mapping.lines:
        shaped[LINES] = _lines(kept, mapping.lines)
    if MISPLACED in kept:
        shaped[MISPLACED] = kept[MISPLACED]
    return shaped, _ended(batch[verdicts.notna()], verdicts.dropna())


def columns(mapping: Mapping) -> list[str]:
    """Every CRM column that the mapping may write."""
    flags = (mapping.when_inactive, mapping.when_merged, mapping.when_deleted)
    return list(dict.fromkeys([*mapping.fields, *(name for words in flags for name in words)]))


def _without_blanks(batch: DataFrame, mapping: Mapping) -> DataFrame:
    named = set(map(written, picks(mapping)))
    blank = {name: _is_blank(batch[name]) for name in named if _may_be_blank(batch[name])}
    return batch.assign(
        **{name: batch[name].mask(rows) for name, rows in blank.items() if rows.any()}
    )


def _may_be_blank(values: Series) -> bool:
    """Whether a text, or a line of one, begins as blank ones do; to look closer takes longer, and
    few columns need it."""
    return _MAY_BE_BLANK.search("\n".join(["", *texts(values)])) is not None


def _is_blank(values: Series) -> Series:
    texts = values.to_numpy(object).tolist()
    blank = [isinstance(text, str) and _shows_nothing(text) for text in texts]
    return Series(blank, index=values.index, dtype=bool)


def _shows_nothing(text: str) -> bool:
    """To leave off what is blank takes least time, but not where thousands of tags are."""
    left = text.strip(_BLANKS)
    return left in _EMPTY or (left[0] > "\uffff" and _NOTHING.fullmatch(left) is not None)


def _without_suffix(batch: DataFrame) -> DataFrame:
    """QuickBooks appends ` (deleted)` to the name of what is made inactive; it is not part of the
    name."""
    inactive = batch["@state"].isin(["inactive", "merged"])
    if not inactive.any():
        return batch
    cleaned = {name: batch[name].copy() for name in NAMES if name in batch.columns}
    for names in cleaned.values():
        names[inactive] = names[inactive].str.replace(_SUFFIX, "", regex=True)
    return batch.assign(**cleaned)


def _excluded(batch: DataFrame, mapping: Mapping) -> Series:
    """For each row a sentence why it is excluded, the first that applies; missing where it is
    kept."""
    verdicts = Series(pd.NA, index=batch.index, dtype="str")
    verdicts = verdicts.mask(batch["@state"] == "early", _sentence(EARLY))
    for exclusion in mapping.exclude:
        excluded = verdicts.isna() & _applies(exclusion, batch)
        verdicts = verdicts.mask(excluded, _sentence(exclusion.because))
    return verdicts


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def _applies(exclusion: Exclusion, batch: DataFrame) -> Series:
    return (batch["@state"] != "deleted") & _all(exclusion.where, batch)


def _all(conditions: Iterable[Condition], batch: DataFrame) -> Series:
    """For which rows all conditions hold."""
    holding = Series(True, index=batch.index)
    for condition in conditions:
        holding &= _holds(condition, batch[written(condition.path)])
    return holding


def _holds(condition: Condition, values: Series) -> Series:
    match condition.op:
        case "blank":
            return values.isna() == (condition.values[0] == "true")
        case "equals":
            return _is_one_of(values, condition)
        case "not":
            return ~_is_one_of(values, condition)
        case "above":
            return _compared(values, condition, operator.gt)
        case "below":
            return _compared(values, condition, operator.lt)


def _is_one_of(values: Series, condition: Condition) -> Series:
    wanted = {_same(value) for value in condition.values}
    return each(values, lambda text: _same(text) in wanted)


def _same(text: str) -> str:
    """The text, or the one way to write the amount it is: 0, 0.0 and 0.00 are the same, while 007
    is no amount."""
    if not _AMOUNT.fullmatch(text):
        return text
    shortest = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if shortest == "-0" else shortest


def _compared(values: Series, condition: Condition, holds: Callable[[Any, Any], bool]) -> Series:
    """How values lie to a day or a number; what is neither lies nowhere."""
    (bound,) = condition.values
    known: Callable[[str], Any] = _day if _DAY.fullmatch(bound) else _number
    limit = known(bound)
    return each(values, lambda text: (own := known(text)) is not None and holds(own, limit))


def _day(text: str) -> str | None:
    """The day of a date or a moment, as QuickBooks writes it, in the time zone it is given in."""
    return text[:10] if _DAY.fullmatch(text[:10]) and text[10:11] in ("", "T", " ") else None


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _lines(kept: DataFrame, lines: Lines) -> Series:
    """The lines of each document as the mapping keeps and shapes them; a deleted one has none."""
    alive = kept[kept["@state"] != "deleted"]
    batch = alive.assign(**{LINES: decoded(alive[LINES])})
    names = [written(path) for path in picks(lines.rows)]
    unfold = unfolded(batch, names, WHO)
    shaped, _ = transform(unfold, lines.rows)
    return folded(shaped.assign(**{OF: unfold[OF]}), list(lines.rows.fields), kept)


def _shaped(kept: DataFrame, mapping: Mapping) -> DataFrame:
    fields = {column: _of_each(kept, field) for column, field in mapping.fields.items()}
    shaped = with_columns(kept[WHO], fields)
    for states, settings in _flags(mapping):
        for column, value in settings.items():
            own = (
                shaped[column] if column in shaped else Series(pd.NA, index=kept.index, dtype="str")
            )
            shaped[column] = own.mask(kept["@state"].isin(states), value)
    return shaped


def _flags(mapping: Mapping) -> tuple[tuple[list[str], ReadOnly[str, str]], ...]:
    """What is written in which states. What was merged away is inactive, and more than that."""
    return (
        (["inactive", "merged"], mapping.when_inactive),
        (["merged"], mapping.when_merged),
        (["deleted"], mapping.when_deleted),
    )


def _of_each(kept: DataFrame, field: Field) -> Series:
    """What fills a column, by the entity of each row. No record's id is without a digit: a
    reference to SHIPPING_ITEM_ID, TAX or NON, which QuickBooks writes too, is none."""
    values = _filled(kept, field)
    for entity, own in field.for_entity.items():
        rows = kept["@entity"] == entity
        if rows.any():
            values = values.mask(rows, _filled(kept, own))
    return values.where(each(values, _DIGIT.search)) if field.refers else values


def _filled(kept: DataFrame, field: Field) -> Series:
    """The first source that is not blank, else the default; or the constant."""
    constant = Series(field.value, index=kept.index, dtype="str")
    values, *others = [_value(kept, source) for source in field.sources] or [constant]
    for other in others:
        values = values.fillna(other)
    if field.default is not None:
        values = values.fillna(field.default)
    return values if field.negate is None else _negated(values, _all(field.negate, kept))


def _negated(values: Series, rows: Series) -> Series:
    """The amounts with the opposite sign where that is meant; nought has none, and what is no
    amount stays as it is."""
    meant = values[rows].dropna()
    if meant.empty:
        return values
    amounts = meant[meant.str.fullmatch(_NUMBER.pattern) & meant.str.contains("[1-9]")]
    bare = amounts.str.lstrip("+-")
    negated = values.copy()
    negated[amounts.index] = bare.where(amounts.str.startswith("-"), "-" + bare)
    return negated


def _value(kept: DataFrame, source: Source) -> Series:
    if isinstance(source, Join):
        return _joined([kept[written(path)] for path in source.paths], source.between)
    return kept[written(source)]


def _joined(values: list[Series], between: str) -> Series:
    """The values that are there in one text; missing where none is."""
    joined, *others = [value.str.strip() for value in values]
    for value in others:
        joined = (joined + between + value).fillna(joined).fillna(value)
    return joined


def _ended(rows: DataFrame, sentences: Series) -> DataFrame:
    by = Series("excluded_by_mapping", index=rows.index, dtype="str")
    by = by.mask(rows["@state"] == "early", "before_start_date")
    return rows[WHO].assign(outcome="excluded", reason=by, message=sentences, details=None)


def with_columns(batch: DataFrame, values: ReadOnly[str, Series]) -> DataFrame:
    """The batch with these columns too, whatever they are called: `assign` takes none called
    `self`."""
    wide = batch.copy(deep=False)
    for name, column in values.items():
        wide[name] = column
    return wide


def each(values: Series, rule: Callable[[str], object]) -> Series:
    """A rule that knows single values only, asked once for each different value; false of what is
    missing."""
    holding = set(filter(rule, set(texts(values))))
    found = [text in holding for text in values.to_numpy(object).tolist()]
    return Series(found, index=values.index, dtype=bool)


def texts(values: Series) -> list[str]:
    """The texts that are there, in a fraction of the time of `dropna`. What is missing is NaN,
    which is equal to nothing, not even itself."""
    return [text for text in values.to_numpy(object).tolist() if text == text]
