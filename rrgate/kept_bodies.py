"""What the request log keeps of bodies where a client has that switched on: the first bytes of each, on their way past.

Belongs here: keeping them. Does not: sealing them, and showing them again (body_log.py).
"""

from __future__ import annotations

from collections.abc import Awaitable

from rrgate.body import KEPT_BYTES, Body
from rrgate.door import Door


class KeptBodies:
    """The beginnings of a request's body and of its answer's, and how long they really were."""

    __slots__ = ("answer", "answered", "request", "requested")

    def __init__(self) -> None:
        self.request = b""
        self.requested = 0
        self.answer = bytearray()
        self.answered = 0

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return len(self.request) + len(self.answer)


class KeepingDoor:
    """A Door that remembers the beginning of what goes through it."""

    __slots__ = ("_door", "_kept", "_without_body")

    def __init__(self, door: Door, kept: KeptBodies, without_body: bool) -> None:
        """`without_body`: the answer has none, whatever is given for it (HEAD)."""
        self._door = door
        self._kept = kept
        self._without_body = without_body

    def begin(
        self,
        status: int,
        reason: bytes,
        fields: list[tuple[bytes, bytes]],
        length: int | None,
        first: bytes,
        last: bool,
        close: bool,
    ) -> None:
        """See Door."""
        self._door.begin(status, reason, fields, length, first, last, close)
        if not self._without_body:
            self._keep(first)

    def write(self, data: bytes) -> Awaitable[None]:
        """See Door."""
        self._keep(data)
        return self._door.write(data)

    def end(self) -> None:
        """See Door."""
        self._door.end()

    def abort(self) -> None:
        """See Door."""
        self._door.abort()

    def _keep(self, data: bytes) -> None:
        kept = self._kept
        kept.answered += len(data)
        room = KEPT_BYTES - len(kept.answer)
        if room > 0:
            kept.answer += data[:room]


def keep_bodies(request_body: Body, door: Door, without_body: bool) -> tuple[KeptBodies, Door]:
    """Keep the beginnings of what comes by `request_body` and goes out by `door` from now on.

    Answers what is kept, and the door to use instead. Framing and order stay. `without_body`: as KeepingDoor.
    """
    kept = KeptBodies()
    request_body.keep()
    return kept, KeepingDoor(door, kept, without_body)
