"""Starts processes that outlive the one that started them, and stops every one of them again.

Each gets a session of its own and is written down with its time of birth, so that a pid which the
system has given to someone else since is never mistaken for ours. What a crash leaves behind is
found by that session and by a mark in its environment. Both are needed: Airflow's tasks hide their
environment from everyone but root, and a session is known only while its record is.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from demo.home import Home
from demo.names import title

NEXT = "All logs: make logs. To start afresh with the same data: make down, then make demo."

_PATIENCE = 5.0
# Python would wait for those it has forgotten, and take away the exit code of one we wait for.
_children: list[subprocess.Popen[bytes]] = []
_MARK = "DEMO_SERVICE_OF"
_FOREIGN = ("AIRFLOW", "PYTHON", "VIRTUAL_ENV", "DEMO_STARTED", _MARK)


class ProcessFailed(Exception):
    """A process ended too early or badly; the message names its log and its last lines."""


def environment() -> dict[str, str]:
    """The caller's environment without what would reach into ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    local = [kept[name] for name in ("NO_PROXY", "no_proxy") if kept.get(name)]
    proxies = ",".join([*local[:1], "127.0.0.1", "localhost"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "NO_PROXY": proxies, "no_proxy": proxies}


def start(
    home: Home, name: str, command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process in the background, its output going to its log."""
    stop(home, [name])  # what a crash may have left of an earlier one
    with home.log(name).open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=home.path,
            env={**environment, _MARK: str(home.path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children.append(process)
    born = psutil.Process(process.pid).create_time()
    home.write(_record(name), {"pid": process.pid, "born": born, "command": list(command)})
    return process


@atexit.register
def _let_go() -> None:
    """What was started outlives this process on purpose: Python need not warn of it."""
    for child in _children:
        if child.poll() is None:
            child.returncode = 0


def run(home: Home, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start a process and wait for its good end."""
    code = start(home, name, command, environment).wait()
    (home.path / _record(name)).unlink(missing_ok=True)
    if code:
        raise failed(home, name, f"ended with code {code}")


def failed(home: Home, name: str, what: str) -> ProcessFailed:
    """The error that says what became of a process, where to look, and what to do."""
    return ProcessFailed(f"{title(name)} {what}.\n{tail(home.log(name))}\n{NEXT}")


def running(home: Home, name: str) -> bool:
    """Does the process that was started under this name still run?"""
    return _leader(home, name) is not None


def require(home: Home, names: Iterable[str]) -> None:
    """Raise `ProcessFailed` when one of these no longer runs."""
    for name in names:
        if not running(home, name):
            raise failed(home, name, "has stopped")


def started(home: Home) -> list[str]:
    """The names of all processes that were started and not stopped yet."""
    return sorted(file.stem for file in (home.path / "processes").glob("*.json"))


def stop(home: Home, names: Iterable[str]) -> list[str]:
    """Stop these processes and all that came from them; the names of those that were there."""
    names = list(names)
    there = [name for name in names if _family(home, [name])]
    leaders = {leader for name in there if (leader := _leader(home, name))}
    family = _family(home, there)
    _signal(leaders, signal.SIGTERM)
    _wait_for_end(leaders, _PATIENCE)
    end(family | _family(home, there))
    left = [name for name in there if _family(home, [name])]
    for name in set(names) - set(left):
        (home.path / _record(name)).unlink(missing_ok=True)
    if left:
        pids = ", ".join(str(process.pid) for process in _family(home, left))
        told = ", ".join(title(name) for name in left)
        raise ProcessFailed(f"{told} did not stop: process {pids}. Does another user own it?")
    return there


def sweep(home: Home) -> int:
    """End whatever was started for this demo and is in no record; how many processes that were."""
    return end(_with_descendants(lambda process: _mark(process) == str(home.path)))


def end(processes: Iterable[psutil.Process]) -> int:
    """Ask these processes to end, make those that do not; how many there were."""
    alive = {process for process in processes if _alive(process)}
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        _signal(alive, signal_number)
        _wait_for_end(alive, 3)
    return len(alive)


def tail(log: Path, lines: int = 5) -> str:
    """The name and the last lines of a log, each cut to what one can read at a glance."""
    try:
        last = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        last = []
    return "\n".join([f"Its log is {log}", *(f"  {_cut(line)}" for line in last)])


def alive(pid: int) -> psutil.Process | None:
    """The process with this pid, if it still runs; one that nobody has buried yet does not."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return process if _alive(process) else None
    return None


def _cut(line: str, width: int = 160) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def _record(name: str) -> str:
    return f"processes/{name}.json"


def _leader(home: Home, name: str) -> psutil.Process | None:
    record = home.read(_record(name))
    process = alive(int(record["pid"])) if record else None
    return process if process and _is(process, record) else None


def _family(home: Home, names: Iterable[str]) -> set[psutil.Process]:
    """These processes and what came from them, also when they themselves have crashed."""
    records = [record for name in names if (record := home.read(_record(name)))]
    return _with_descendants(
        lambda process: any(
            _is(process, record) or (_of_session(process, record) and _ours(process, home))
            for record in records
        )
    )


def _with_descendants(wanted: Callable[[psutil.Process], bool]) -> set[psutil.Process]:
    everyone = {process.pid: process for process in psutil.process_iter(["ppid"])}
    found = {process for process in everyone.values() if _alive(process) and wanted(process)}
    while more := {
        process
        for process in everyone.values()
        if process not in found and everyone.get(process.info["ppid"]) in found
    }:
        found |= more
    return {process for process in found if _alive(process)}


def _is(process: psutil.Process, record: Mapping[str, Any]) -> bool:
    with suppress(psutil.Error):
        same = process.pid == record["pid"]
        return same and bool(abs(process.create_time() - float(record["born"])) < 1)
    return False


def _of_session(process: psutil.Process, record: Mapping[str, Any]) -> bool:
    with suppress(psutil.Error, OSError):
        younger = process.create_time() >= float(record["born"]) - 1
        return younger and os.getsid(process.pid) == record["pid"]
    return False


def _ours(process: psutil.Process, home: Home) -> bool:
    """Is a process of a session that we once began still one of ours?

    The system may have given the session's number away after all of it had ended.
    """
    if directory := _directory(process):
        return directory == home.path
    with suppress(psutil.Error):  # a task of Airflow's, which lets nobody look into it
        mine = process.uids().real == os.getuid()
        return mine and "airflow" in " ".join(process.cmdline())
    return False


def _mark(process: psutil.Process) -> str | None:
    with suppress(psutil.Error, OSError):
        return str(process.environ().get(_MARK))
    return None


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _wait_for_end(processes: Iterable[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(_alive(process) for process in processes):
        time.sleep(0.05)


def _directory(process: psutil.Process) -> Path | None:
    with suppress(psutil.Error, OSError):
        return Path(directory) if (directory := process.cwd()) else None
    return None


def _signal(processes: Iterable[psutil.Process], signal_number: int) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(signal_number)
