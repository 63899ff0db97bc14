"""Whether Intuit sent it: HMAC-SHA256 over the raw bytes, keyed with the app's verifier token."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers

HEADER = "intuit-signature"
_SIZE = hashlib.sha256().digest_size


def told(headers: Headers) -> bytes | None:
    """The signature that a delivery claims to have; None when there is not exactly one, well
    formed."""
    given = headers.getlist(HEADER)
    if len(given) != 1:
        return None
    try:
        signature = base64.b64decode(given[0].encode("latin-1"), validate=True)
    except binascii.Error:
        return None
    return signature if len(signature) == _SIZE else None


class Signing:
    """A body that is signed while it is read, with every token that may be valid."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._macs = [hmac.new(token.encode(), digestmod=hashlib.sha256) for token in tokens]
        self._sha256 = hashlib.sha256()
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """The next bytes of the body, as they came."""
        self.size += len(chunk)
        self._sha256.update(chunk)
        for mac in self._macs:
            mac.update(chunk)

    def fits(self, signature: bytes) -> bool:
        """Whether one of the tokens gives this signature; takes as long whichever it is."""
        fitting = [hmac.compare_digest(mac.digest(), signature) for mac in self._macs]
        return any(fitting)

    @property
    def sha256(self) -> str:
        """What tells this body from others."""
        return self._sha256.hexdigest()
