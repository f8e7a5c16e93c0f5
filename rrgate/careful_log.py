"""`CarefulLogger`, `CarefulObserver`: failures in the operator's log as types and places, without what they say.

Belongs here: that form. Exceptions quote what they could not handle (`KeyError: 's3cret'`), and plugins raise what
they like; what is to be read in a log for years must hold no value of a request or a secret. Does not: any message.
"""

from __future__ import annotations

import sqlite3
import traceback
from typing import Any

from attrs import frozen
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer


class CarefulLogger(Logger):
    """A Logger whose `failure` leaves out texts, but for those that quote nothing.

    These are of exceptions that have `holds_no_values = True`, and what the system or SQLite says of a disk.
    """

    def failure(
        self, format: str, failure: Failure | None = None, level: Any = LogLevel.critical, **kwargs: Any
    ) -> None:
        """Log the exception that is being handled, or `failure`. Nothing of it is in the event but its `trace`."""
        self.emit(level, f"{format}\n{{trace}}", trace=trace_of(failure or Failure()), **kwargs)


@implementer(ILogObserver)
@frozen
class CarefulObserver:
    """Hands every event to `observer`, those that hold a failure in the form that a `CarefulLogger` gives them.

    For what others log: Twisted ("Unhandled error in Deferred"), libraries, a plugin's own Logger. Texts that hold no
    failure are handed on as they are.
    """

    observer: ILogObserver

    def __call__(self, event: LogEvent) -> None:
        """An observer of Twisted's log."""
        failure = event.get("log_failure") or event.get("failure")
        if not isinstance(failure, Failure):
            self.observer(event)
            return
        kept = {key: event[key] for key in _ABOUT_AN_EVENT if key in event}
        self.observer({**kept, "log_format": "{said}\n{trace}", "said": _said(event), "trace": trace_of(failure)})


_ABOUT_AN_EVENT = ("log_level", "log_namespace", "log_system", "log_time", "log_logger", "log_source", "time", "system")


def _said(event: LogEvent) -> str:
    """What the event says beside its failure."""
    if "log_text" in event:  # of twisted.python.log, where it holds the failure's text
        return str(event.get("why") or "Unhandled error")
    return formatEvent({key: _harmless(value) for key, value in event.items()})


def _harmless(value: object) -> object:
    if isinstance(value, Failure):
        value = value.value
    return f"{_type_of(value)} {_harmless_text(value)}" if isinstance(value, BaseException) else value


def trace_of(failure: Failure) -> str:
    """The type and the places of `failure` and of what it was raised from; one line of source for each place."""
    error = failure.value
    if error is None:
        return ""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    # A failure that a Deferred has passed on has its places yet, though its exception has lost them.
    trace = error.__traceback__ or failure.getTracebackObject()
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append(f"{'raised from ' if len(parts) else ''}{_type_of(current)} {_harmless_text(current)}")
        parts += [f"  {place.filename}:{place.lineno} in {place.name}: {place.line}" for place in _places(trace)]
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        trace = None if current is None else current.__traceback__
    return "\n".join(parts)


def _places(trace: Any) -> list[traceback.FrameSummary]:
    return [] if trace is None else list(traceback.extract_tb(trace))


def _type_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _harmless_text(error: BaseException) -> str:
    if getattr(type(error), "holds_no_values", False) or isinstance(error, sqlite3.OperationalError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        # Without the file's name.
        return error.strerror
    return "(its text is left out)"
