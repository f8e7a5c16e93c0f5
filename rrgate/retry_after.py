"""`retry_after`: what a `Retry-After` field says (RFC 9110 10.2.3).

Belongs here: reading it. Does not: what is done about it (plugins, delivery/).
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after(value: bytes | None, now: float) -> float:
    """Seconds from `now` (since the epoch) for which a server wants to be left alone; 0 where it says nothing, or
    something that is neither seconds nor a date."""
    if value is None:
        return 0.0
    text = value.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for numbers of any length
        return 0.0
    # A date without a zone says -0000: it is UTC nevertheless.
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
