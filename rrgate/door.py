"""`Door`: where the answer to a request goes.

Belongs here: this interface. Does not: the doors: a caller's connection (wire/caller_answer.py), a host application's
request (resource.py), a call from this process (agent.py).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol


class Door(Protocol):
    """Where the answer goes: a caller's connection, a host application's request, or a call from this process."""

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
        """Send the head and `first`; `last` says that nothing follows. The framing is the door's own.

        `length` is what the head tells of the body; None where it is not known. `close`: end the connection after it.
        """

    def write(self, data: bytes) -> Awaitable[None]:
        """Send more of the body, or nothing; returns when more may come. Raises `CancelledError` when the caller has
        gone."""

    def end(self) -> None:
        """The body is whole."""

    def abort(self) -> None:
        """Break off, so that the caller can tell that the answer is not whole."""
