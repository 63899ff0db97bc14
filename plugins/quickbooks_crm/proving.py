"""A mapping's text, proven as runs prove it, and told field by field to who is at work on it."""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from quickbooks_crm import catalog, fitting, mapping
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingError, SettingsError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.document import Document, read
from quickbooks_crm.mapping.reading import attempt
from quickbooks_crm.suiting import missing_fields

Told = tuple[int, str]
"""A line, and what is said of it."""

_LINE = re.compile(r"(?:[^:\n]* )?line (\d+): ", re.DOTALL)


@dataclass(frozen=True)
class Proof:
    """What is wrong with a mapping: sentences by the `columns` and import `settings` that they are
    about, the labels of required fields that are `missing`, and whatever else; and, by column, what
    one should know though it stops nothing."""

    columns: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    warnings: dict[str, str] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        return not (self.columns or self.settings or self.missing or self.others)


def prove(
    connection: Connection[Any],
    company: Company,
    known: ReadOnly[str, Mapping],
    module: str,
    text: str,
) -> Proof:
    """Everything that is wrong with the text of one module's mapping, beside those of the others
    and for the CRM's table as it is now."""
    document = read(text)
    alone, problems = attempt(module, text, f"{module}.yaml")
    if alone is None:
        return _proof(document, [(problem.line, problem.said) for problem in problems])
    try:
        together = mapping.parse_all({m: k.text for m, k in known.items()} | {module: text})
        table = catalog.of(connection, together[module])
    except MappingError as error:
        return _proof(document, _parted(str(error).splitlines()[1:-1]))
    except SettingsError as error:
        return Proof(others=(str(error),))
    found = together[module]
    misfits = _parted(fitting.misfits(connection, together, company, module))
    warnings = _parted(fitting.warnings(connection, together, [module]))
    return _proof(document, misfits, missing_fields(found, table), warnings)


def _proof(
    document: Document,
    told: Iterable[Told],
    missing: Iterable[str] = (),
    warnings: Iterable[Told] = (),
) -> Proof:
    proof = Proof(missing=tuple(missing))
    others = []
    for line, said in told:
        if (word := _setting(said)) is not None:
            _add(proof.settings, word, said)
        elif (column := _column(document, line)) is not None:
            _add(proof.columns, column, said)
        else:
            others.append(said)
    for line, said in warnings:
        _add(proof.warnings, _column(document, line) or "", said)
    return Proof(proof.columns, proof.settings, proof.missing, tuple(others), proof.warnings)


def _add(sentences: dict[str, str], about: str, said: str) -> None:
    own = said.removeprefix(f"fields.{about}").removeprefix(f"import.{about}").lstrip(": ")
    word, _, rest = own.partition(" ")
    sentence = rest if word.startswith(".") else own
    sentence = f"It {sentence}" if sentence[:1].islower() else sentence
    known = sentences.get(about)
    sentences[about] = f"{known} {sentence}" if known else sentence


def _parted(sentences: Iterable[str]) -> Iterator[Told]:
    """Each sentence's line and what it says there; 0 where it names none."""
    for sentence in sentences:
        line = _LINE.match(sentence.strip())
        yield (int(line[1]), sentence.strip()[line.end() :]) if line else (0, sentence)


def _setting(said: str) -> str | None:
    found = re.match(r"import\.(\w+)", said)
    return found[1] if found else None


def _column(document: Document, line: int) -> str | None:
    """The column that the words on a line are about."""
    before = [(at, place) for place, at in document.lines.items() if at <= line]
    _, place = max(before, key=lambda found: found[0], default=(0, ()))
    return str(place[1]) if place[:1] == ("fields",) and len(place) > 1 else None
