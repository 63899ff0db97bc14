"""HTTP that always ends, and takes no redirect, proxy or password from its surroundings."""

import http.client
import io
import socket
import time
from contextvars import ContextVar
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

_CHUNK = 1 << 16
_end: ContextVar[float] = ContextVar("when the request under way must be over")


class BoundedSession(requests.Session):
    """A session whose every request is over, answered or not, after `deadline` seconds and a bit.

    Nothing follows a redirect: the next host would be handed the token.
    """

    connect_timeout = 10.0
    read_timeout = 120.0
    deadline = 150.0

    def request(
        self, method: str | bytes, url: str | bytes, *args: Any, **options: Any
    ) -> requests.Response:
        """As `requests` does, with the body read. Raises `requests.RequestException` only."""
        self.trust_env = False
        if not isinstance(self.adapters["https://"], _Adapter):
            self.mount("http://", _Adapter())
            self.mount("https://", _Adapter())
        options |= {
            "timeout": (self.connect_timeout, self.read_timeout),
            "allow_redirects": False,
            "stream": True,
        }
        _end.set(time.monotonic() + self.deadline)
        response = super().request(method, url, *args, **options)
        try:
            # What requests itself keeps a body in once it is read.
            response._content = _body(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise requests.exceptions.ChunkedEncodingError(type(error).__name__) from None
        finally:
            if not response._content:
                response.close()
        return response


def never_sent(error: requests.RequestException) -> bool:
    """Whether the request surely got nowhere: nobody was reached who could have taken it."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _body(response: requests.Response) -> bytes:
    chunks = []
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
    return b"".join(chunks)


class _UntilTheEnd(io.RawIOBase):
    """What a socket receives, until the request must be over.

    A timeout of the socket alone would not do: a drip of single bytes beats it, in the headers as
    in the body.
    """

    def __init__(self, received: io.RawIOBase, source: socket.socket, end: float) -> None:
        self._received = received
        self._source = source
        self._each = source.gettimeout() or BoundedSession.read_timeout
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._source.settimeout(min(left, self._each))
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_UntilTheEnd(self.fp.detach(), sock, _end.get()))


class _Connection(HTTPConnection):
    response_class = _Answer


class _SafeConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SafePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SafeConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SafePool}
