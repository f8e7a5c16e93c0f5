"""`JsonLines`: the process's own log as one JSON object a line, for programs that collect logs.

Belongs here: that form. Does not: which events are written and where (log_output.py), what failures may say
(careful_log.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from string import Formatter
from typing import Any, Final, Protocol

import orjson
from attrs import field, frozen
from twisted.logger import ILogObserver, LogEvent, formatEvent
from zope.interface import implementer

_PLAIN: Final = (str, int, float, bool)
_SAID_ALREADY: Final = frozenset(("said", "text"))
"""Names that stand for the whole message."""
_MOST_CHARACTERS: Final = 1000
"""Of one field beside the message."""


class TextFile(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


@implementer(ILogObserver)
@frozen
class JsonLines:
    """An observer of Twisted's log. Each event is one line with `time` (UTC), `level`, `logger` and `message`.

    A failure's places stand in `trace`. Besides, what the message is made of, where that is a plain value: so `plugin`
    and `phase` of a plugin's failure can be searched for. Nothing is in a line that the text log would not show.
    """

    file: TextFile = field(repr=False)

    def __call__(self, event: LogEvent) -> None:
        """Write one line."""
        line: dict[str, Any] = {
            "time": _moment(event),
            "level": event["log_level"].name if event.get("log_level") is not None else "info",
            "logger": _logger(event),
            "message": formatEvent(event),
        }
        if event.get("trace"):
            line["message"] = line["message"].removesuffix(event["trace"]).rstrip("\n")
            line["trace"] = event["trace"]
        for name in _named_in(event):
            value = event.get(name)
            if name not in line and name not in _SAID_ALREADY and isinstance(value, _PLAIN):
                line[name] = value[:_MOST_CHARACTERS] if isinstance(value, str) else value
        self.file.write(_encoded(line) + "\n")
        self.file.flush()


def _logger(event: LogEvent) -> str:
    # What is logged the old way has one namespace for all of it, and a system that says more.
    system = event.get("log_system")
    return str(system if system and system != "-" else event.get("log_namespace") or "")


def _moment(event: LogEvent) -> str:
    seconds = float(event.get("log_time") or event.get("time") or 0)
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _named_in(event: LogEvent) -> list[str]:
    """The names that the event's format shows whole, such as `plugin` in "plugin {plugin!r} failed"."""
    form = event.get("log_format")
    if not isinstance(form, str):
        return []
    names = []
    try:
        for _, name, spec, _ in Formatter().parse(form):
            if name and name.isidentifier() and not spec:
                names.append(name)
    except ValueError:  # a brace too many: the message says so
        return []
    return names


def _encoded(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line).decode()
    except TypeError:  # half a surrogate pair, or a number over 64 bits
        shown = {name: str(value).encode("utf-8", "replace").decode() for name, value in line.items()}
        return orjson.dumps(shown).decode()
