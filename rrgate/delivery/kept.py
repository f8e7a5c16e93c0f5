"""A request as it is read from the queue, its final answer, and under which names its parts are sealed.

Belongs here: these values, and opening them. Does not: rows (table.py), what of a request is kept (stored.py), who is
shown it.
"""

from __future__ import annotations

from typing import Protocol

import orjson
from attrs import field, frozen

from rrgate.delivery.stored import Stored
from rrgate.delivery.table import Attempt, Row
from rrgate.store.errors import BrokenSecret


class Seals(Protocol):
    """Encrypts for a client, on any thread; see `Secrets`."""

    def seal(self, client_id: str, row: str, plaintext: bytes) -> bytes: ...

    def unseal(self, client_id: str, row: str, sealed: bytes) -> bytes: ...


@frozen
class Answer:
    """An answer that is kept. `fields`: names and values, as the caller would have had them."""

    status: int
    fields: list[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)

    def packed(self) -> bytes:
        """As bytes, to be sealed."""
        return orjson.dumps([self.status, self.fields]) + b"\n" + self.body

    @classmethod
    def unpacked(cls, packed: bytes) -> Answer:
        """What `packed` made bytes of."""
        head, _, body = packed.partition(b"\n")
        status, fields = orjson.loads(head)
        return cls(status, [(name, value) for name, value in fields], body)


@frozen
class Loaded:
    """A request with what is in it."""

    row: Row
    stored: Stored
    body: bytes = field(repr=False)


@frozen
class Shown:
    """A request as its caller may see it. `answer`: None while there is none, or it is no longer kept."""

    row: Row
    attempts: tuple[Attempt, ...]
    answer: Answer | None
    callback: Row | None = None
    """The last call that told its caller of its end; None if there was none."""
    removed_early: bool = False
    """Its answer, and what was sent, were removed before their time, to make room for others."""


@frozen
class Untold:
    """One whose end the log may not know. `stored`: None where it cannot be opened. `last`: its last attempt."""

    row: Row
    stored: Stored | None
    last: Attempt | None


def opened(seals: Seals, row: Row, sealed: tuple[bytes, bytes] | None) -> tuple[bytes, bytes]:
    """Head and body of a request. Raises SecretError where they cannot be opened, or are no more."""
    if sealed is None:
        raise BrokenSecret("what was to be sent is gone")
    head, body = sealed
    return (
        seals.unseal(row.client_id, head_row(row.request_id), head),
        seals.unseal(row.client_id, body_row(row.request_id), body),
    )


def head_row(request_id: str) -> str:
    """The `row` under which the head of a request is sealed."""
    return f"queue/{request_id}/head"


def callback_row(request_id: str) -> str:
    """The `row` under which is sealed whom its caller wants to be told of its end."""
    return f"queue/{request_id}/callback"


def body_row(request_id: str) -> str:
    """The `row` under which its body is sealed."""
    return f"queue/{request_id}/body"


def answer_row(request_id: str) -> str:
    """The `row` under which its final answer is sealed."""
    return f"queue/{request_id}/answer"
