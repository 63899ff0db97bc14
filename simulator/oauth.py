"""Intuit's OAuth 2.0: codes, access tokens, and refresh tokens whose value rotates."""

import copy
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from simulator.clock import DAY, Clock

ACCESS_SECONDS = 3600
REFRESH_SECONDS = 100 * DAY
HARD_SECONDS = 5 * 365 * DAY
CODE_SECONDS = 600
ROTATIONS = ("daily", "every_use", "never")
REUSES = ("reject", "kill_family")


class Denied(Exception):
    """An OAuth error answer: its status, `error` and `error_description`."""

    def __init__(self, error: str, description: str | None = None, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error}
        if description:
            self.body["error_description"] = description


@dataclass
class Family:
    """One consent and all refresh tokens that came of it; only the newest is alive."""

    first: str
    born: float
    turned: float
    used: float
    generation: int = 0
    access: dict[str, float] = field(default_factory=dict)

    def token(self, generation: int) -> str:
        """The refresh token of a generation; signed, so that a restarted simulator knows it."""
        if generation == 0:
            return self.first
        text = f"{self.first}.{generation}"
        signature = hmac.new(self.first.encode(), text.encode(), hashlib.sha256).hexdigest()
        return f"{text}.{signature[:24]}"

    def generation_of(self, token: str) -> int | None:
        """Which generation a refresh token is of; None for one that is not of this family."""
        if token == self.first:
            return 0
        middle = token.removeprefix(f"{self.first}.").partition(".")[0]
        number = int(middle) if middle.isascii() and middle.isdigit() else 0
        return number if self.token(number) == token else None


class Tokens:
    """The tokens of one company and one app."""

    def __init__(
        self, clock: Clock, first: str, rotation: str, reuse: str, grace_seconds: float
    ) -> None:
        if rotation not in ROTATIONS or reuse not in REUSES:
            raise ValueError(f"rotation is one of {ROTATIONS}, reuse one of {REUSES}")
        self._clock = clock
        self._rotation = rotation
        self._reuse = reuse
        self._grace = grace_seconds
        self._codes: dict[str, tuple[str, float]] = {}
        self._family: Family | None = self._begin(first)

    def copy(self, clock: Clock) -> "Tokens":
        """The same tokens by another clock, which go their own way from here on."""
        other = copy.copy(self)
        other._clock, other._codes = clock, dict(self._codes)
        other._family = copy.deepcopy(self._family)
        return other

    def _begin(self, first: str) -> Family:
        now = self._clock.now()
        return Family(first, born=now, turned=now, used=now)

    @property
    def refresh_token(self) -> str | None:
        """The refresh token alive now, or None when the app is disconnected."""
        return self._family.token(self._family.generation) if self._family else None

    def code(self, redirect_uri: str) -> str:
        """A code for the consent that was just given."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = (redirect_uri, self._clock.now() + CODE_SECONDS)
        return code

    def exchange(self, code: str, redirect_uri: str) -> dict[str, Any]:
        """The first tokens of a consent; a code works once."""
        expected, until = self._codes.pop(code, ("", 0.0))
        if not expected or expected != redirect_uri or until < self._clock.now():
            raise Denied("invalid_grant", "Invalid authorization code")
        self._family = self._begin(secrets.token_urlsafe(32))
        return self._issue(self._family)

    def refresh(self, token: str) -> dict[str, Any]:
        """New tokens for a refresh token; raises `Denied` for any but the newest.

        Within its grace the one before it is as good, and is answered with the newest.
        """
        family, now = self._family, self._clock.now()
        generation = family.generation_of(token) if family else None
        if (
            family is None
            or generation is None
            or now > min(family.used + REFRESH_SECONDS, _death(family))
        ):
            raise Denied("invalid_grant", "Incorrect or invalid refresh token")
        if generation == family.generation - 1 and now <= family.turned + self._grace:
            family.used = now
            return self._issue(family)
        if generation < family.generation:
            if self._reuse == "kill_family":
                self._family = None
            raise Denied("invalid_grant", "Incorrect or invalid refresh token")
        family.generation, family.used = generation, now
        if self._rotation == "every_use" or (
            self._rotation == "daily" and now - family.turned >= DAY
        ):
            family.generation, family.turned = generation + 1, now
        return self._issue(family)

    def _issue(self, family: Family) -> dict[str, Any]:
        now = self._clock.now()
        access = f"simulator-access-{secrets.token_urlsafe(48)}"
        family.access = {known: until for known, until in family.access.items() if until > now}
        family.access[access] = now + ACCESS_SECONDS
        return {
            "token_type": "bearer",
            "access_token": access,
            "expires_in": ACCESS_SECONDS,
            "refresh_token": family.token(family.generation),
            "x_refresh_token_expires_in": int(min(REFRESH_SECONDS, _death(family) - now)),
            "x_refresh_token_hard_expires_in": int(_death(family) - now),
        }

    def valid(self, access: str) -> bool:
        """Whether an access token opens the company now."""
        family = self._family
        return family is not None and family.access.get(access, 0) > self._clock.now()

    def revoke(self, token: str) -> bool:
        """Disconnect the app by either of its tokens; whether the token was known."""
        family = self._family
        if family is None or (token not in family.access and family.generation_of(token) is None):
            return False
        self._family = None
        return True

    def expire_access(self) -> None:
        """Let every access token be too old."""
        if self._family:
            self._family.access.clear()

    def disconnect(self) -> None:
        """The user disconnects the app: no token works any more."""
        self._family = None

    def connect(self, first: str) -> None:
        """A consent given outside the pages: this refresh token works from now on."""
        self._family = self._begin(first)


def _death(family: Family) -> float:
    return family.born + HARD_SECONDS
