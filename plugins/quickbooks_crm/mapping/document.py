"""YAML, read strictly: a plain tree of words, and the line on which each of them stands.

Texts stay as they were written: `007` is the text 007, and `NO` is Norway. Only an unquoted `true`
or `false` is a truth value, and only an unquoted `null`, `~` or nothing at all is no value.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from quickbooks_crm.mapping.problems import Problem, quoted

Place = tuple[str | int, ...]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NOTHING = {"", "~", "null", "Null", "NULL"}
TRUTH = dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(
    ("false", "False", "FALSE"), False
)


@dataclass
class Document:
    """A file's words as dicts, lists, texts, truth values and None, and what is wrong with them."""

    tree: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    readable: bool = False

    def line(self, place: Place) -> int:
        """The line of the place, or of the nearest written place above it."""
        return self.lines.get(self.known(place), 1)

    def known(self, place: Place) -> Place:
        """The longest beginning of the place that is written in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return place

    def says(self, place: Place, said: str) -> Problem:
        """A problem at the place: its line, its name, and what is said of it."""
        return Problem(self.line(place), f"{dotted(place)} {said}")


def dotted(place: Place) -> str:
    """How a person is told of a place; the items of a list are counted from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else _name(part) for part in place)


def _name(part: str) -> str:
    return part if part.isprintable() and len(part) <= 80 else quoted(part)[1:-1]


def of_file(file: Path) -> tuple[str, list[Problem]]:
    """The text of a file, or why it cannot be had."""
    try:
        return decode(file.read_bytes())
    except OSError as error:
        said = (
            f"the file cannot be read ({error.strerror}). Let Airflow's user read it, or remove it."
        )
        return "", [Problem(1, said)]


def decode(content: bytes) -> tuple[str, list[Problem]]:
    """The text of a file that must be UTF-8, or why it is not."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", [Problem(1, "the file is UTF-16. Save it as UTF-8.")]
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return "", [Problem(line, "the file is not UTF-8. Save it as UTF-8.")]


def read(text: str) -> Document:
    """The document in the text; what is wrong with it as YAML is in its problems, never raised."""
    problems = _unfit(text)
    if problems:
        return Document(problems=problems)
    try:
        problems = _unwanted(text)
        node = None if problems else yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        return Document(problems=[_syntax(text, error)])
    except (yaml.YAMLError, ValueError):  # ValueError: escapes of characters that do not exist
        return Document(problems=[Problem(1, "the file holds a character that YAML cannot read.")])
    return Document(problems=problems) if problems else _document(node)


def _unfit(text: str) -> list[Problem]:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        return [Problem(1, f"the file is larger than {MAX_BYTES // 1024} KB. Split or shorten it.")]
    if text.startswith("\ufeff"):
        return [Problem(1, "the file begins with a byte order mark. Save it as UTF-8 without one.")]
    strange = _NOT_TEXT.search(text)
    if strange:
        line = text.count("\n", 0, strange.start()) + 1
        return [Problem(line, f"has a character that is not text: {strange.group()!a}.")]
    return []


def _unwanted(text: str) -> list[Problem]:
    """Anchors, aliases, tags, second documents, great depth: refused before anything is built."""
    problems: list[Problem] = []
    depth = documents = 0
    events: Iterator[Any] = yaml.parse(text, Loader=Loader)
    for event in events:
        say = partial(Problem, event.start_mark.line + 1)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > MAX_DEPTH:
            return [*problems, say("is nested too deeply for a settings file.")]
        if documents > 1:
            return [*problems, say("begins a second document. Keep one: remove the line ---.")]
        if isinstance(event, yaml.AliasEvent):
            problems.append(say(f"uses an alias: *{event.anchor}. Write the value itself."))
        elif getattr(event, "anchor", None):
            problems.append(
                say(f"sets an anchor: &{event.anchor}. Write values where they are used.")
            )
        if getattr(event, "tag", None):
            problems.append(say(f"has a tag: {quoted(event.tag)}. Write the plain value."))
    return problems


def _syntax(text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines() or [""]
    number = min(mark.line + 1 if mark else 1, len(lines))
    written = lines[number - 1]
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return Problem(number, "is indented with a tab. Use spaces.")
    why = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(number, f"is not YAML: {why}. Compare it with the lines around it.")


def _document(node: yaml.Node | None) -> Document:
    document = Document()
    if node is None or (isinstance(node, yaml.ScalarNode) and _scalar(node) is None):
        document.problems.append(
            Problem(1, "the file is empty. Write what it is to say, or remove it.")
        )
    elif not isinstance(node, yaml.MappingNode):
        document.problems.append(
            Problem(
                node.start_mark.line + 1, "the file must hold words with values: 'word: value'."
            )
        )
    else:
        document.tree = _value(document, (), node)
        document.readable = True
    return document


def _value(document: Document, place: Place, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _words(document, place, node)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.lines[(*place, index)] = item.start_mark.line + 1
        return [_value(document, (*place, index), item) for index, item in enumerate(node.value)]
    value = _scalar(node)
    if isinstance(value, str) and _NOT_TEXT.search(value):
        document.problems.append(
            document.says(place, f"cannot hold the character in {quoted(value)}.")
        )
    return value


def _words(document: Document, place: Place, node: yaml.MappingNode) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            said = "has braces or brackets where a word should be. Put quotes around the text."
            document.problems.append(Problem(line, said))
        elif key.value in words:
            here = (*place, key.value)
            said = (
                f"{dotted(here)} is written twice, first on line {document.lines[here]}. Keep one."
            )
            document.problems.append(Problem(line, said))
        else:
            document.lines[(*place, key.value)] = line
            words[key.value] = _value(document, (*place, key.value), value)
    return words


def _scalar(node: Any) -> str | bool | None:
    text: str = node.value
    if node.style:
        return text
    return None if text in NOTHING else TRUTH.get(text, text)
