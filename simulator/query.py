"""The query language: text in, a `Statement` out, or QuickBooks' parse error with its column."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from simulator.errors import unparsable

KEYWORDS = frozenset(
    {
        *("SELECT", "FROM", "WHERE", "AND", "IN", "LIKE", "ORDERBY", "ORDER", "BY", "ASC", "DESC"),
        *("STARTPOSITION", "MAXRESULTS", "COUNT", "TRUE", "FALSE", "NULL"),
    }
)
OPERATORS = ("<=", ">=", "=", "<", ">")

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*')|(?P<decimal>-?\d+\.\d+)|(?P<integer>-?\d+)"""
    r"""|(?P<word>[A-Za-z_][\w.]*)|(?P<operator><=|>=|!=|=|<|>)|(?P<mark>[(),*])""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """A word of the statement: what it is, its text, and the column it begins at, from 1."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True)
class Condition:
    """`prop op values`; only IN has several."""

    property: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """A parsed query; `projection` is empty for `*`."""

    entity: str
    projection: tuple[str, ...] = ()
    count: bool = False
    conditions: tuple[Condition, ...] = ()
    order: str | None = None
    descending: bool = False
    start: int = 1
    size: int = 100


def parse(text: str) -> Statement:
    """The statement; raises `Refused` 4000 where the grammar ends."""
    return _Parser(_tokens(text)).statement()


def _tokens(text: str) -> list[Token]:
    tokens, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise unparsable(
                f'Lexical error at line 1, column {at + 1}.  Encountered: "{text[at]}"'
            )
        kind = str(match.lastgroup)
        if kind == "word" and match.group().upper() in KEYWORDS:
            kind = match.group().upper()
        tokens.append(Token(kind, match.group(), at + 1))
        at = match.end()
    return [*tokens, Token("end", "", len(text) + 1)]


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def statement(self) -> Statement:
        self._expect("SELECT")
        projection, count = self._projection()
        self._expect("FROM")
        entity = self._expect("word").text
        conditions = self._conditions() if self._taken("WHERE") else ()
        order, descending = self._order()
        start, size = self._limits()
        self._expect("end")
        return Statement(entity, projection, count, conditions, order, descending, start, size)

    def _projection(self) -> tuple[tuple[str, ...], bool]:
        if self._taken("mark", "*"):
            return (), False
        if self._taken("COUNT"):
            for mark in "(*)":
                self._expect("mark", mark)
            return (), True
        names = [self._expect("word").text]
        while self._taken("mark", ","):
            names.append(self._expect("word").text)
        return tuple(names), False

    def _conditions(self) -> tuple[Condition, ...]:
        conditions = [self._condition()]
        while self._taken("AND"):
            conditions.append(self._condition())
        return tuple(conditions)

    def _condition(self) -> Condition:
        name = self._expect("word").text
        if self._taken("LIKE"):
            return Condition(name, "LIKE", (_unquoted(self._expect("string").text),))
        if self._taken("IN"):
            return Condition(name, "IN", self._list())
        operator = self._here
        if operator.text not in OPERATORS:
            raise self._unexpected("IN", "LIKE", *OPERATORS)
        self._at += 1
        return Condition(name, operator.text, (self._value(),))

    def _list(self) -> tuple[str, ...]:
        self._expect("mark", "(")
        values = [self._value()]
        while self._taken("mark", ","):
            values.append(self._value())
        self._expect("mark", ")")
        return tuple(values)

    def _value(self) -> str:
        token = self._here
        if token.kind not in ("string", "TRUE", "FALSE"):
            raise self._unexpected("string", "TRUE", "FALSE")
        self._at += 1
        return _unquoted(token.text) if token.kind == "string" else token.text.lower()

    def _order(self) -> tuple[str | None, bool]:
        if self._taken("ORDER"):
            self._expect("BY")
        elif not self._taken("ORDERBY"):
            return None, False
        name = self._expect("word").text
        descending = self._taken("DESC")
        if not descending:
            self._taken("ASC")
        return name, descending

    def _limits(self) -> tuple[int, int]:
        limits = {"STARTPOSITION": 1, "MAXRESULTS": 100}
        left = set(limits)
        while self._here.kind in left:
            keyword = self._here.kind
            self._at += 1
            limits[keyword] = int(self._expect("integer").text)
            left.remove(keyword)
        return limits["STARTPOSITION"], limits["MAXRESULTS"]

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    def _taken(self, kind: str, text: str | None = None) -> bool:
        found = self._here.kind == kind and text in (None, self._here.text)
        self._at += found
        return found

    def _expect(self, kind: str, text: str | None = None) -> Token:
        token = self._here
        if not self._taken(kind, text):
            raise self._unexpected(text or kind)
        return token

    def _unexpected(self, *expected: str) -> Exception:
        token = self._here
        found = "<EOF>" if token.kind == "end" else f'" {_image(token.kind)} "{token.text} ""'
        among = "Was expecting one of:" if len(expected) > 1 else "Was expecting:"
        choices = "".join(f"\n    {_image(each)} ..." for each in expected)
        return unparsable(
            f"Encountered {found} at line 1, column {token.column}.\n{among}{choices}\n    "
        )


_IMAGES = {
    "word": "<IDENTIFIER>",
    "string": "<STRING_LITERAL>",
    "integer": "<INTEGER_LITERAL>",
    "decimal": "<DECIMAL_LITERAL>",
    "end": "<EOF>",
}


def _image(kind: str) -> str:
    return _IMAGES.get(kind, f'"{kind.lower()}"')


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
