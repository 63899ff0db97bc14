"""What is wrong with a settings file, said to the person who wrote it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

_SHOWN = 40

CHECK_AGAIN = "Check again with: make mappings (a CRM of your own: python -m quickbooks_crm check)"
"""What to do when files are corrected."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend: its line, and a sentence: where, what was written, what to write."""

    line: int
    said: str


def report(
    problems: Mapping[str, Iterable[Problem]], what: str = "mapping", then: str = CHECK_AGAIN
) -> str:
    """One message for all problems of all files, each file's in the order of its lines, and what to
    do then."""
    parts = [_of_one_file(file, found, what) for file, found in problems.items()]
    return "\n".join([part for part in parts if part] + [then])


def _of_one_file(file: str, problems: Iterable[Problem], what: str) -> str:
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
    if not found:
        return ""
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    lines = [f"  line {problem.line}: {problem.said}" for problem in found]
    return "\n".join([f"{file} is not a valid {what} ({count})", *lines])


def quoted(written: object) -> str:
    """What was written, shortened, on one line."""
    text = written if isinstance(written, str) else str(written).lower()
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def suggestion(written: str, options: Iterable[str]) -> str:
    """The nearest of the options, or all of them when none is near and they are few."""
    choices = list(dict.fromkeys(options))
    if near := nearest(written, choices):
        return f"Did you mean {near!r}?"
    if choices and len(choices) <= 20:
        return f"Write one of: {', '.join(choices)}."
    return "Remove it."


def nearest(written: str, options: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The option that was probably meant, if one is near, whatever the case of its letters."""
    by_folded = {option.casefold(): option for option in reversed(list(options))}
    near = get_close_matches(written.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[near[0]] if near else None
