"""HTTP that always ends, and takes no redirect, proxy or password from its surroundings."""

import time
from typing import Any

import requests
import urllib3

_CHUNK = 1 << 16


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
        options |= {
            "timeout": (self.connect_timeout, self.read_timeout),
            "allow_redirects": False,
            "stream": True,
        }
        end = time.monotonic() + self.deadline
        response = super().request(method, url, *args, **options)
        try:
            # What requests itself keeps a body in once it is read.
            response._content = _body(response, end)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise requests.exceptions.ChunkedEncodingError(type(error).__name__) from None
        finally:
            if not response._content:
                response.close()
        return response


def _body(response: requests.Response, end: float) -> bytes:
    """The whole body, if it comes before `end`: a drip of single bytes beats any read timeout."""
    chunks = []
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
        if time.monotonic() > end:
            raise TimeoutError
    return b"".join(chunks)
