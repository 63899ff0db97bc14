"""Starts processes that outlive the one that started them, and stops every one of them again.

Each gets a session of its own and is written down with its time of birth, so that a pid which the
system has given to someone else since is never mistaken for ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from demo.home import Home

_PATIENCE = 5.0
_FOREIGN = ("AIRFLOW", "PYTHON", "VIRTUAL_ENV", "DEMO_STARTED")


class ProcessFailed(Exception):
    """A process ended too early or badly; the message names its log and its last lines."""


def environment() -> dict[str, str]:
    """The caller's environment without what would reach into ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    local = [kept[name] for name in ("NO_PROXY", "no_proxy") if kept.get(name)]
    proxies = ",".join([*local[:1], "127.0.0.1", "localhost"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "NO_PROXY": proxies, "no_proxy": proxies}


def start(home: Home, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start a process in the background, its output going to its log."""
    stop(home, [name])  # what a crash may have left of an earlier one
    with home.log(name).open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=home.path,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    born = psutil.Process(process.pid).create_time()
    home.write(_record(name), {"pid": process.pid, "born": born, "command": list(command)})


def run(home: Home, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start a process and wait for its good end."""
    start(home, name, command, environment)
    pid = int(home.read(_record(name))["pid"])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    (home.path / _record(name)).unlink(missing_ok=True)
    if code:
        raise ProcessFailed(f"{name} ended with code {code}.\n{tail(home.log(name))}")


def running(home: Home, name: str) -> bool:
    """Does the process that was started under this name still run?"""
    return _leader(home, name) is not None


def require(home: Home, names: Iterable[str]) -> None:
    """Raise `ProcessFailed` when one of these no longer runs."""
    for name in names:
        if not running(home, name):
            raise ProcessFailed(f"{name} has stopped.\n{tail(home.log(name))}")


def started(home: Home) -> list[str]:
    """The names of all processes that were started and not stopped yet."""
    return sorted(file.stem for file in (home.path / "processes").glob("*.json"))


def stop(home: Home, names: Iterable[str]) -> int:
    """Stop these processes and all that came from them; the number of processes that were there."""
    names = list(names)
    family = {process for name in names for process in _family(home, name)}
    leaders = {leader for name in names if (leader := _leader(home, name))}
    _signal(leaders or family, signal.SIGTERM)
    _wait_for_end(leaders or family, _PATIENCE if leaders else 1)
    family |= {process for name in names for process in _family(home, name)}
    _wait_for_end(family, 1)
    _signal(family, signal.SIGKILL)
    _wait_for_end(family, 5)
    for name in names:
        (home.path / _record(name)).unlink(missing_ok=True)
    return len(family)


def tail(log: Path, lines: int = 15) -> str:
    """The name and the last lines of a log."""
    try:
        last = log.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        last = []
    return "\n".join([f"Its log is {log}", *(f"  {line}" for line in last)])


def _record(name: str) -> str:
    return f"processes/{name}.json"


def _leader(home: Home, name: str) -> psutil.Process | None:
    record = home.read(_record(name))
    process = _process(record)
    return process if process and _alive(process) and _is(process, record) else None


def _family(home: Home, name: str) -> set[psutil.Process]:
    """The process and what it started; or, if it crashed, what is left of its session."""
    if leader := _leader(home, name):
        with suppress(psutil.Error):
            return {leader, *leader.children(recursive=True)}
    record = home.read(_record(name))
    process = _process(record)
    if not record or (process and not _is(process, record)):
        return set()  # the pid is someone else's by now, so nothing of its old session is left
    return {process for process in _session(record) if _directory(process) == home.path}


def _process(record: dict[str, Any]) -> psutil.Process | None:
    with suppress(KeyError, psutil.Error):
        return psutil.Process(int(record["pid"]))
    return None


def _is(process: psutil.Process, record: dict[str, Any]) -> bool:
    with suppress(psutil.Error):
        return bool(abs(process.create_time() - float(record["born"])) < 1)
    return False


def _alive(process: psutil.Process) -> bool:
    """Does it still run? A process nobody has buried yet does not."""
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _wait_for_end(processes: Iterable[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(_alive(process) for process in processes):
        time.sleep(0.05)


def _session(record: dict[str, Any]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            younger = process.create_time() >= float(record["born"]) - 1
            if younger and os.getsid(process.pid) == record["pid"]:
                yield process


def _directory(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


def _signal(processes: Iterable[psutil.Process], signal_number: int) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(signal_number)
