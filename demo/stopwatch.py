"""Says what is being done and, at the end, where the seconds went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Phase(NamedTuple):
    """What took how long; `beside` says that it did so while others went on."""

    begin: float
    end: float
    name: str
    beside: bool = False


class Stopwatch:
    """Phases of a start, some at the same time, measured from when the person pressed Enter."""

    def __init__(self, started: float | None = None) -> None:
        """Begin now, or at an earlier second of the system's clock."""
        now = time.time()
        self._started = min(started or now, now)
        self._phases: list[Phase] = []
        if now - self._started >= 1:
            self._phases.append(Phase(self._started, now, "packages, .venv"))

    @contextmanager
    def phase(self, name: str, beside: bool = False) -> Iterator[None]:
        """Measure what happens inside the block, and say when it is done."""
        begin = time.time()
        yield
        end = time.time()
        self._phases.append(Phase(begin, end, name, beside))
        print(f"  {end - begin:5.1f} s  {name}", flush=True)

    def table(self) -> str:
        """When each phase began and how long it took: those in brackets ran while others did."""
        total = round(time.time() - self._started, 1)
        rest = total
        lines = ["   from     took  what"]
        for phase in sorted(self._phases):
            took = round(phase.end - phase.begin, 1)
            rest -= 0 if phase.beside else took
            number = f"({took:.1f})" if phase.beside else f"{took:.1f} "
            note = ", meanwhile" if phase.beside else ""
            lines.append(f"  {phase.begin - self._started:5.1f}  {number:>8}  {phase.name}{note}")
        lines.append(f"         {rest + 0.0:7.1f}   the rest")
        lines.append(f"         {total:7.1f}   seconds in all")
        return "\n".join(lines)
