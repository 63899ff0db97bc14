"""How often one person may do something in a while; what goes on at Intuit is theirs to pay for."""

import time
from collections import deque

from fastapi import HTTPException

from quickbooks_crm.pages.security import User


class Seldom:
    """A dependency: answers 429 to a person who has asked `most` times within so many seconds. Each
    process of Airflow's API server counts by itself."""

    def __init__(self, most: int, seconds: int) -> None:
        self._most, self._seconds = most, seconds
        self._asked: dict[str, deque[float]] = {}

    def __call__(self, user: User) -> None:
        now = time.monotonic()
        self._forget(now - self._seconds)
        lately = self._asked.setdefault(str(user.get_id()), deque())
        if len(lately) >= self._most:
            wait = int(lately[0] + self._seconds - now) + 1
            raise HTTPException(429, headers={"retry-after": str(wait)})
        lately.append(now)

    def start_anew(self) -> None:
        """Nobody has asked yet."""
        self._asked.clear()

    def _forget(self, before: float) -> None:
        for who, lately in list(self._asked.items()):
            while lately and lately[0] <= before:
                lately.popleft()
            if not lately:
                del self._asked[who]
