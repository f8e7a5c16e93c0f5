"""Bodies in the request log: sealed as they are written, and shown to those who may see them.

Belongs here: their form, sealed and shown. Does not: keeping them as they pass (kept_bodies.py), the table
(store/request_log.py), who may see them (core/requests.py).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

import orjson

from rrgate.careful_log import CarefulLogger
from rrgate.exchange import Exchange
from rrgate.json_text import json_text, read_json
from rrgate.kept_bodies import KeptBodies
from rrgate.store.log_rows import BodyRow, LogRow

Seal = Callable[[str, str, bytes], bytes]
"""Seals bytes for a client, by id, and a request, by id. On any thread; raises what says that it cannot."""

Document = dict[str, Any]

DEEPEST: Final = 64
"""Levels of a body that is shown as JSON; a deeper one is shown as text."""


MOST_WAITING: Final = 64 * 1024 * 1024
"""Bytes of bodies that wait to be written; beyond it bodies are shed, and their rows are not."""


def seals_nothing(client_id: str, request_id: str, plain: bytes) -> bytes:
    """For a journal without bodies."""
    raise LookupError("nothing seals bodies here")


class BodyLog:
    """Bodies on their way to the log. `admit` on the reactor's thread, the rest on the journal's."""

    def __init__(self, seal: Seal, most: int = MOST_WAITING) -> None:
        """`most`: bytes that may wait."""
        self._seal = seal
        self._most = most
        # Two, because each thread counts for itself.
        self._admitted = 0
        self._done = 0
        self.shed = 0
        """Requests whose bodies are not in the log, because too many waited."""
        self._rows: list[BodyRow] = []
        self._log = CarefulLogger("rrgate.journal")

    def admit(self, ex: Exchange) -> None:
        """Decide whether the bodies of the finished `ex` are logged."""
        kept = ex.kept
        if kept is None:
            return
        body = ex.request_body
        kept.requested = body.received
        kept.request = bytes(body.kept or b"")
        if ex.identity is None:
            # Whoever may not even ask does not fill the log.
            ex.kept = None
        elif self._admitted - self._done + kept.size > self._most:
            ex.kept = None
            self.shed += 1
        else:
            self._admitted += kept.size

    def left(self, kept: KeptBodies) -> None:
        """These wait no longer."""
        self._done += kept.size

    def add(self, row: LogRow, kept: KeptBodies) -> None:
        """Seal the bodies of a request. What cannot be sealed is not logged."""
        head = orjson.dumps([len(kept.request), kept.requested, len(kept.answer), kept.answered])
        plain = b"%b\n%b%b" % (head, kept.request, bytes(kept.answer))
        try:
            sealed = self._seal(row.client_id, row.request_id, plain)
        except Exception as error:  # noqa: BLE001 - the row goes without them
            kind = type(error).__name__
            self._log.error("the bodies of request {id} are not logged: {kind}", id=row.request_id, kind=kind)
        else:
            self._rows.append(BodyRow(row.request_id, row.client_id, sealed))

    def take(self) -> list[BodyRow]:
        """What was added since the last time."""
        rows, self._rows = self._rows, []
        return rows


def bodies_shown(plain: bytes) -> Document:
    """What the single view of a request adds: its bodies, as JSON, text or Base64, and whether that is not all."""
    head, _, content = plain.partition(b"\n")
    here, requested, answer_here, answered = orjson.loads(head)
    return {
        **_shown("request", content[:here], requested),
        **_shown("response", content[here : here + answer_here], answered),
    }


def _shown(which: str, content: bytes, whole: int) -> Document:
    cut = len(content) < whole
    return {f"{which}Body": _readable(content, cut), f"{which}BodyCut": cut}


def _readable(content: bytes, cut: bool) -> Any:
    if not content:
        return None
    if not cut:
        try:
            return _as_json(content)
        except (ValueError, RecursionError):
            pass
    try:
        return _text(content, cut)
    except UnicodeDecodeError:
        return {"base64": b64encode(content).decode("ascii")}


def _as_json(content: bytes) -> Any:
    """The value, if it can be answered as JSON again. Raises ValueError, RecursionError."""
    value = read_json(content, constant=_refuse)
    waiting = [(value, 0)]
    for current, depth in waiting:
        if depth > DEEPEST:
            raise ValueError
        if isinstance(current, dict | list):
            inside = current.values() if isinstance(current, dict) else current
            waiting.extend((each, depth + 1) for each in inside)
    json_text(value).encode()  # halves of surrogate pairs are no text
    return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _text(content: bytes, cut: bool) -> str:
    """Raises UnicodeDecodeError."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that was cut in two does not make it less of a text.
        if not cut or len(content) - error.start > 3 or error.reason != "unexpected end of data":
            raise
        return content[: error.start].decode("utf-8")
