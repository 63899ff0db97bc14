"""A notifier as a customer may have one: it writes what it is told into a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class ToFile(BaseNotifier):
    """Adds what it says to a file; its texts are templates, as of Airflow's own notifiers."""

    template_fields: Sequence[str] = ("subject", "text", "to")

    def __init__(self, path: str, subject: str, text: str = "", to: Sequence[str] = ()) -> None:
        super().__init__()
        self.path, self.subject, self.text, self.to = Path(path), subject, text, to

    def notify(self, context: Any) -> None:
        with self.path.open("a") as file:
            file.write(f"{', '.join(self.to)}: {self.subject}\n{self.text}\n")


class Down(BaseNotifier):
    """One whose service is down."""

    def notify(self, context: Any) -> None:
        raise ConnectionError("down")
