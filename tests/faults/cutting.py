"""Something between the program and Postgres that cuts the connection at a COMMIT."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

COMMIT = b"COMMIT\0"
"""As it stands in the message that asks for it, and in the one that says it is done."""


@dataclass
class Cutting:
    """Cuts the connection at the `at`-th COMMIT that passes, once: before the server has it, or, if
    it is `done`, when only its answer is missing."""

    server: tuple[str, int]
    at: int = 0
    done: bool = False
    passed: int = 0
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def cut(self, at: int, done: bool) -> None:
        """Count from here on."""
        self.at, self.done, self.passed = at, done, 0

    def lead(self, client: socket.socket) -> None:
        """Carry what both sides say, until one of them ends or is cut off."""
        with client, socket.create_connection(self.server) as server:
            cut = threading.Event()
            answers = threading.Thread(target=self._answers, args=(server, client, cut))
            answers.start()
            with suppress(OSError):
                while said := client.recv(65536):
                    if COMMIT in said and self._is_the_one():
                        cut.set()
                        if not self.done:
                            break
                    server.sendall(said)
            if not (cut.is_set() and self.done):
                _end(server)
            answers.join()

    def _is_the_one(self) -> bool:
        with self._one_at_a_time:
            self.passed += 1
            return self.passed == self.at

    def _answers(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while (said := server.recv(65536)) and not (cut.is_set() and COMMIT in said):
                client.sendall(said)
        _end(client)
        _end(server)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(url: str) -> Iterator[tuple[str, Cutting]]:
    """Where the same database is reached through it, and what cuts there."""
    known = urlsplit(url)
    between = Cutting((str(known.hostname), known.port or 0))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_listen, args=(listening, between))
        thread.start()
        try:
            port = listening.getsockname()[1]
            yield url.replace(f":{known.port}/", f":{port}/"), between
        finally:
            _end(listening)
            thread.join()


def _listen(listening: socket.socket, between: Cutting) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=between.lead, args=(client,), daemon=True).start()
