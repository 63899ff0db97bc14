"""Says what is being done and, at the end, where the seconds went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Phases of a start, some at the same time, measured from when the person pressed Enter."""

    def __init__(self, started: float | None = None) -> None:
        """Begin now, or at an earlier second of the system's clock."""
        now = time.time()
        self._started = min(started or now, now)
        self._phases: list[tuple[str, float, float]] = []
        if now - self._started >= 1:
            self._phases.append(("packages, .venv", self._started, now))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what happens inside the block, and say when it is done."""
        begin = time.time()
        yield
        end = time.time()
        self._phases.append((name, begin, end))
        print(f"  {end - begin:5.1f} s  {name}", flush=True)

    def table(self) -> str:
        """When each phase began, how long it took, and the whole."""
        lines = ["   from    took  what"]
        for name, begin, end in sorted(self._phases, key=lambda phase: phase[1]):
            lines.append(f"  {begin - self._started:5.1f}   {end - begin:5.1f}  {name}")
        lines.append(f"          {time.time() - self._started:5.1f}  seconds in all")
        return "\n".join(lines)
