"""`CarefulLogger`: a failure in the operator's log as its types and places, without what it says.

Belongs here: that form. Exceptions quote what they could not handle (`KeyError: 's3cret'`), and plugins raise what
they like; what is to be read in a log for years must hold no value of a request or a secret. Does not: any message.
"""

from __future__ import annotations

import sqlite3
import traceback
from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure


class CarefulLogger(Logger):
    """A Logger whose `failure` leaves out texts, but for those that quote nothing.

    These are of exceptions that have `holds_no_values = True`, and what the system or SQLite says of a disk.
    """

    def failure(
        self, format: str, failure: Failure | None = None, level: Any = LogLevel.critical, **kwargs: Any
    ) -> None:
        """Log the exception that is being handled, or `failure`. Nothing of it is in the event but its `trace`."""
        error = (failure or Failure()).value
        self.emit(level, f"{format}\n{{trace}}", trace="" if error is None else trace_of(error), **kwargs)


def trace_of(error: BaseException) -> str:
    """The type and the places of `error` and of what it was raised from; one line of source for each place."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        kind = type(current)
        text = _harmless_text(current)
        parts.append(f"{'raised from ' if len(parts) else ''}{kind.__module__}.{kind.__qualname__} {text}")
        places = traceback.extract_tb(current.__traceback__)
        parts += [f"  {place.filename}:{place.lineno} in {place.name}: {place.line}" for place in places]
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\n".join(parts)


def _harmless_text(error: BaseException) -> str:
    if getattr(type(error), "holds_no_values", False) or isinstance(error, sqlite3.OperationalError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        # Without the file's name.
        return error.strerror
    return "(its text is left out)"
