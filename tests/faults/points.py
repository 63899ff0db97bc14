"""A process that dies at its k-th point: a statement, a step of a request, a step of a file write.

The process is a fork, so that it knows what its parent knows and dies as a killed worker does.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import psycopg

FILE_STEPS = {"open", "write", "ftruncate", "fsync", "replace", "unlink"}
REQUEST_STEPS = {"connect", "send", "sendall", "recv_into"}


def killed_at(point: int, act: Callable[[Callable[[str], None]], object]) -> tuple[bool, list[str]]:
    """Let a process act, and kill it at this point, a number or a name; whether it came so far, and
    the points it reached. `act` is given what to call with the name of a point of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _act_until(point, act, writing)
    os.close(writing)
    with open(reading) as told:
        reached = told.read().splitlines()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"failed after {reached[-1:]}"
    return os.WIFSIGNALED(status), reached


def _act_until(point: int | str, act: Callable[[Callable[[str], None]], object], told: int) -> None:
    """Never returns."""
    seen, busy = 0, False

    def reached(name: str) -> None:
        nonlocal seen, busy
        if not busy:
            busy, seen = True, seen + 1
            os.write(told, f"{name}\n".encode())
            if point in (seen, name):
                os.kill(os.getpid(), signal.SIGKILL)
            busy = False

    def profile(_: Any, event: str, function: Any) -> None:
        if event in ("c_call", "c_return") and _is_step(function):
            reached(f"{'before' if event == 'c_call' else 'after'} {function.__name__}")

    try:
        sys.setprofile(profile)
        act(reached)
        sys.setprofile(None)
        os._exit(0)
    finally:
        os._exit(1)


def _is_step(function: Any) -> bool:
    owner = getattr(function, "__self__", None)
    if isinstance(owner, socket.socket):
        return function.__name__ in REQUEST_STEPS
    return function.__module__ == "posix" and function.__name__ in FILE_STEPS


def watched(url: str, reached: Callable[[str], None]) -> psycopg.Connection[Any]:
    """A connection that tells before and after each of its statements."""

    class Watched(psycopg.Cursor[Any]):
        def execute(self, query: Any, *values: Any, **how: Any) -> Any:
            lines = [line for line in query.as_string().splitlines() if line[:2] != "--"]
            name = " ".join(" ".join(lines).split()[:4])
            reached(f"before {name}")
            found = super().execute(query, *values, **how)
            reached(f"after {name}")
            return found

    connection = psycopg.connect(url, autocommit=True)
    connection.cursor_factory = Watched
    return connection
