"""Where the demo keeps what it made: data, logs, ports, passwords. It can all be thrown away."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Home:
    """The demo's directory; its files are readable by their owner only."""

    path: Path

    @property
    def logs(self) -> Path:
        """The directory with one log file for each process."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Make the directory, unless it is there."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def read(self, name: str) -> dict[str, Any]:
        """A stored JSON object; empty when there is none."""
        try:
            stored = (self.path / name).read_text()
        except FileNotFoundError:
            return {}
        return dict(json.loads(stored)) if stored else {}

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Store a JSON object so that a reader sees the old or the new one, never half of it."""
        self.write_text(name, json.dumps(value, indent=2) + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Store a file that only its owner can read, and say where it is."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = target.with_name(target.name + ".new")
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return fresh.replace(target)


def home() -> Home:
    """The directory named by DEMO_HOME, or `.demo` in the project; it need not be there yet."""
    return Home(Path(os.environ.get("DEMO_HOME") or PROJECT / ".demo").resolve())
