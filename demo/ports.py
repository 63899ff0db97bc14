"""Finds a port that nobody listens on."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


def free(preferred: int, whose: str = "") -> int:
    """The preferred port, or the next one above it that is free; says so when `whose` is told."""
    port = _first_free(preferred)
    if whose and port != preferred:
        print(f"Port {preferred} is in use, so {whose} takes {port}.", flush=True)
    return port


def _first_free(preferred: int) -> int:
    for port in range(preferred, min(preferred + 500, 65536)):
        if _is_free(port):
            return port
    raise OSError(f"No free port from {preferred} to {preferred + 499}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
