"""A server that answers with exactly these bytes, right or wrong."""

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def whole_request(connection: socket.socket) -> bytes:
    """Head and body, which may come in pieces."""
    with connection.makefile("rb") as file:
        head = b"".join(iter(file.readline, b"\r\n"))
        size = re.search(rb"(?i)content-length: (\d+)", head)
        return head + b"\r\n" + file.read(int(size[1]) if size else 0)


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers each connection with the next of these bytes; and what it was sent."""
    received: list[bytes] = []
    left = list(answers)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received.append(whole_request(self.request))
            self.request.sendall(left.pop(0) if left else answers[-1])

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
