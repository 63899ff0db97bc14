"""A file for the moment between Intuit's answer and the commit: a crash there loses no token.

Each file holds one refresh token, encrypted, and the hash of the one that it was given for. So it
is known what it is worth: it is newer than the database exactly when the database still has the
token that it follows.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quickbooks_crm.errors import SettingsError

_ROOM = 8192

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A refresh token that was given for another one, in its stored form."""

    follows: str
    stored: str = field(repr=False)


class Spool:
    """The files of one name in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._seen: set[Path] = set()

    def prepare(self, used: str) -> None:
        """Prove that what will come of this token can be kept, before it is used. Raises
        `SettingsError` when it cannot."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._new_file(used), b" " * _ROOM)
        except OSError as error:
            raise SettingsError(
                f"Nothing can be written to {self._directory} ({type(error).__name__}: "
                f"{error.strerror}), where a new QuickBooks token is kept until the database has "
                "it. Intuit was not asked. Make room there and let Airflow's user write, or name "
                "another directory in AIRFLOW__QUICKBOOKS_CRM__TOKEN_DIRECTORY."
            ) from None

    def keep(self, used: str, stored: str) -> None:
        """Keep what this token was exchanged for, until `clear`. A disk that has failed since
        `prepare` is only logged: the database can still take the token."""
        file = self._file(used)
        self._seen.add(file)
        text = json.dumps({"follows": hash_of(used), "refresh_token": stored})
        try:
            _write(self._new_file(used), text.encode())
            os.replace(self._new_file(used), file)
            _sync(self._directory)
        except OSError as error:
            log.warning("A new QuickBooks token could not be kept in %s: %s", file, error.strerror)

    def kept(self) -> Sequence[Kept]:
        """What was kept and not cleared, the newest first."""
        files = sorted(self._directory.glob(f"{self._name}-*.json"), key=_written, reverse=True)
        self._seen.update(files)
        return [found for file in files if (found := _read(file))]

    def clear(self) -> None:
        """Remove what `kept` has shown and `keep` has written: the database has it. What another
        process writes meanwhile stays."""
        for file in self._seen:
            file.unlink(missing_ok=True)
        self._seen.clear()

    def _file(self, used: str) -> Path:
        return self._directory / f"{self._name}-{hash_of(used)[:16]}.json"

    def _new_file(self, used: str) -> Path:
        return self._file(used).with_suffix(".new")


def hash_of(text: str) -> str:
    """How a token is remembered where nobody may read it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _write(file: Path, content: bytes) -> None:
    """Into the room that the file has already, so that a full disk does not matter any more."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        written = 0
        while written < len(content):
            written += os.write(descriptor, content[written:])
        os.ftruncate(descriptor, written)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    """A renamed file outlives a crash of the machine only when its directory was written too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read(file: Path) -> Kept | None:
    try:
        written = json.loads(file.read_bytes())
        return Kept(str(written["follows"]), str(written["refresh_token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be used: %s", file, type(error).__name__)
        return None
