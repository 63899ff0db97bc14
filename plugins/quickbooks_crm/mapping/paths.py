"""Where a value stands in a QuickBooks record: names, and items of lists told by what they hold.

    BillAddr.City
    CustomField[Name=Sales Rep].StringValue
    Line[SalesItemLineDetail.ItemRef.value="7"].Amount

The first item counts of which it is true and which has the value; a list has no other order here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAMES = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_STEP = re.compile(
    rf"(?P<name>[A-Za-z_]\w*)"
    rf"(?:\[\s*(?P<holds>{_NAMES})\s*=\s*"
    r"(?P<value>\"(?:[^\"]|\"\")+\"|'(?:[^']|'')+'|[^\]\"'\s][^\]]*)\s*\])?"
    r"(?P<next>\.|$)",
    re.ASCII,
)
_BARE = re.compile(r"true|false|-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)


NAMES = ("Name", "DisplayName", "FullyQualifiedName")
"""What QuickBooks calls the names of its records."""


@dataclass(frozen=True)
class Item:
    """The items of the list `name` in which the value at `holds` is `value`."""

    name: str
    holds: tuple[str, ...]
    value: str


Path = tuple[str | Item, ...]


@dataclass(frozen=True)
class Join:
    """The values at several paths in one text; `between` stands between those that are there."""

    paths: tuple[Path, ...]
    between: str


@dataclass(frozen=True)
class Shown:
    """What another record shows: the value at `show` of the record of `entity` whose id is at
    `path`."""

    path: Path
    entity: str
    show: tuple[str, ...]

    @property
    def sent_along(self) -> Path | None:
        """Where QuickBooks itself sends the other record's name along, if a name is shown."""
        named = self.show[-1] in NAMES and self.path[-1] == "value"
        return (*self.path[:-1], "name") if named else None


@dataclass(frozen=True)
class AsItIs:
    """The same value for a column of JSON: an object or a list is told from a text that looks like
    one by the MARK before it."""

    value: Path | Shown


MARK = "\ufdd0"
"""What Unicode calls a noncharacter: no text that is sent has a use for it."""

Pick = Path | Shown | AsItIs
Source = Path | Join | Shown | AsItIs


def parse_path(text: str) -> Path | None:
    """The path that is written so, if it is one."""
    path: list[str | Item] = []
    at = 0
    while step := _STEP.match(text, at):
        path.append(_step(step))
        at = step.end()
        if not step["next"]:
            return tuple(path)
    return None


def _step(step: re.Match[str]) -> str | Item:
    if step["value"] is None:
        return step["name"]
    value = step["value"].strip()
    if value[0] in "\"'":
        value = value[1:-1].replace(value[0] * 2, value[0])
    return Item(step["name"], tuple(step["holds"].split(".")), value)


def written(pick: Pick) -> str:
    """A path as a mapping writes it, and what is looked up with it; each in one way only."""
    if isinstance(pick, AsItIs):
        return f"{written(pick.value)} as it is"
    if isinstance(pick, Shown):
        return f"{written(pick.path)} > {pick.entity}.{'.'.join(pick.show)}"
    return _path_written(pick)


def _path_written(path: Path) -> str:
    return ".".join(step if isinstance(step, str) else _written(step) for step in path)


def _written(item: Item) -> str:
    value = item.value.replace('"', '""')
    return f'{item.name}[{".".join(item.holds)}="{value}"]'


def picks_of(source: Source) -> tuple[Pick, ...]:
    """The values that Postgres has to pick for a source."""
    return source.paths if isinstance(source, Join) else (source,)


def is_plain(path: Path) -> bool:
    """Whether the path looks into no list."""
    return all(isinstance(step, str) for step in path)


def json_path(path: Path, variables: list[str]) -> str:
    """The path as Postgres' `jsonpath` has it. No value is part of it: what items of lists hold
    joins the `variables`, each as JSON."""
    steps = (f'."{step}"' if isinstance(step, str) else _filtered(step, variables) for step in path)
    return "$" + "".join(steps)


def bound(variables: list[str]) -> str:
    """The variables of a `jsonpath` as JSON, by their names."""
    named = (f'"v{number}": {value}' for number, value in enumerate(variables))
    return f"{{{', '.join(named)}}}"


def _filtered(item: Item, variables: list[str]) -> str:
    names = "".join(f'."{name}"' for name in item.holds)
    meant = list(_meant(item.value))
    numbers = range(len(variables), len(variables) + len(meant))
    variables += meant
    equal = " || ".join(f"@{names} == $v{number}" for number in numbers)
    return f'."{item.name}"[*] ? ({equal})'


def _meant(value: str) -> Iterator[str]:
    """The text as JSON, and the number or truth value that it may be in the record."""
    yield json.dumps(value)
    if _BARE.fullmatch(value):
        yield value
