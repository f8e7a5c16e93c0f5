"""ISO 8601 times: reading those that callers send, writing those that we answer.

Belongs here: text to time and back. Does not: which bounds are exclusive (core/), or what the time is now (`wall`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_FORM: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{0,9}))?)?"
    r"(?:([Zz])|([+\- ])(\d\d)(?::?(\d\d))?)?)?\Z",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
WANTED: Final = "must be an ISO 8601 time such as 2024-01-31T12:00:00Z"


def parse_nanoseconds(text: str) -> int:
    """The nanoseconds since the epoch of an ISO 8601 time with 0 to 9 fraction digits, or of a date's midnight.

    No zone means UTC. A space before the offset is read as `+`: that is what `+` in a query decodes to.
    Raises ValueError, whose text does not hold `text`.
    """
    parts = _FORM.match(text)
    if parts is None:
        raise ValueError(WANTED)
    year, month, day, hour, minute, second, fraction, _, sign, zone_hours, zone_minutes = parts.groups(default="0")
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=zone)
        since = moment.astimezone(UTC) - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError(f"{WANTED}; this one has a part that is out of range") from None
    return (since.days * 86400 + since.seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))


def parse_milliseconds(text: str) -> int:
    """The same in whole milliseconds, rounded down."""
    return parse_nanoseconds(text) // 1_000_000


def format_milliseconds(milliseconds: int) -> str:
    """ISO 8601 with milliseconds and `Z`."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
