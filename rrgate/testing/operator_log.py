"""`operator_log`: everything that is written where an operator may read it, while a block of a test runs.

Belongs here: gathering it, of Twisted's log, the standard library's, and what is printed. Does not: judging it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogBeginner, globalLogPublisher
from zope.interface import implementer


@implementer(ILogObserver)
class OperatorLog:
    """`text`: all that was logged at any level, as an operator reads it; `raw`: and as an observer is given it."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._raw: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        """An observer of Twisted's log."""
        failure = event.get("log_failure")
        self._texts.append(eventAsText(event, includeTraceback=True))
        self._raw.append(f"{event!r}\n{failure.getTraceback(detail='verbose') if failure else ''}")

    def add(self, text: str) -> None:
        """Something that was written elsewhere."""
        self._texts.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self._texts)

    @property
    def raw(self) -> str:
        return "\n".join([*self._texts, *self._raw])


class _Handler(logging.Handler):
    def __init__(self, log: OperatorLog) -> None:
        super().__init__(logging.NOTSET)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.add(self.format(record))


@contextmanager
def operator_log() -> Iterator[OperatorLog]:
    """What is logged and printed while the block runs; nothing of it is printed."""
    log = OperatorLog()
    handler = _Handler(log)
    root = logging.getLogger()
    level = root.level
    printed: Any = StringIO()
    # Before anybody has begun to log, Twisted prints what is critical: faults made on purpose are not.
    printing: Any = getattr(globalLogBeginner, "_temporaryObserver", None)
    if printing is not None:
        globalLogPublisher.removeObserver(printing)
    globalLogPublisher.addObserver(log)
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            yield log
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        globalLogPublisher.removeObserver(log)
        still = getattr(globalLogBeginner, "_temporaryObserver", None) is not None
        if printing is not None and still:
            globalLogPublisher.addObserver(printing)
        log.add(printed.getvalue())
