"""QuickBooks' own word for when it may be asked again."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

SHORTEST, LONGEST = 1.0, 15 * 60.0
"""Seconds for which QuickBooks is taken at its word."""


def seconds_of(retry_after: str | None) -> float | None:
    """A Retry-After in either of its forms, within reason; nothing when it cannot be read."""
    if not retry_after:
        return None
    try:
        if re.fullmatch(r"\s*-?\d+(\.\d*)?\s*", retry_after):
            seconds = float(retry_after)
        else:
            until = parsedate_to_datetime(retry_after) - datetime.now(UTC)
            seconds = until / timedelta(seconds=1)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, SHORTEST), LONGEST)
