"""`Takes`: writes down new requests, all that share a commit together.

Belongs here: room, keys and seals of new requests, on the thread that writes. Does not: their SQL (new_rows.py),
what their callers are answered (accept.py).
Why together: each statement gives the GIL away and must have it back, which the reactor's thread and this one then hand
to and fro; with one statement for all, an accept costs this thread a third.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from attrs import field, frozen

from rrgate.delivery import new_rows, states, takers
from rrgate.delivery.bounds import Bounds, Full, Room
from rrgate.delivery.kept import Seals, body_row, callback_row, head_row
from rrgate.delivery.keys import AnotherRequest, Key, remember, taken_before
from rrgate.delivery.refusing import Refused
from rrgate.delivery.stored import Stored


@frozen(eq=False)
class New:
    """A request to be taken. `identity`: whose it is. `delay`, `window`: milliseconds.

    `key`: the caller's Idempotency-Key. `callback`: the URL that is told of its end.
    """

    request_id: str
    proxy_id: str
    client_id: str
    identity: bytes
    stored: Stored
    body: bytes = field(repr=False)
    delay: int
    window: int
    key: Key | None = None
    callback: str | None = field(default=None, repr=False)


class Takes:
    """One object a queue; called on the thread that writes."""

    def __init__(
        self,
        seals: Seals,
        now: Callable[[], int],
        bounds: Bounds,
        no_room: Callable[[], Full | None],
        taker: int = 0,
    ) -> None:
        """See Queue."""
        self._seals = seals
        self._now = now
        self._bounds = bounds
        self._no_room = no_room
        self._taker = taker
        self.told = self._written = 0
        """The number of a request up to which the log has all; written with what is taken next."""

    def all(self, connection: sqlite3.Connection, asked: Sequence[New]) -> list[str | Full | Refused]:
        """For each its id; or that of the one that had the same `key` before; or Full where there is no room; or
        Refused with AnotherRequest."""
        now = self._now()
        room = Room(connection, self._bounds)
        answers: list[str | Full | Refused] = []
        taken: list[tuple[New, bytes]] = []
        for new in asked:
            head = new.stored.head()
            answer = self._answer(connection, new, len(head) + len(new.body), room, now)
            if answer is None:
                answer = new.request_id
                taken.append((new, head))
            answers.append(answer)
        if taken:
            numbers = new_rows.insert_all(connection, (self._row(new, head, now) for new, head in taken))
            for number, (new, _) in zip(numbers, taken, strict=True):
                if new.callback is not None:
                    url = self._seals.seal(new.client_id, callback_row(new.request_id), new.callback.encode())
                    connection.execute("INSERT INTO callbacks VALUES (?, ?)", (number, url))
            if (told := self.told) != self._written:
                takers.tell(connection, self._taker, told)
                self._written = told  # if this is not committed, it is written the next time that there is more
        return answers

    def _answer(
        self, connection: sqlite3.Connection, new: New, size: int, room: Room, now: int
    ) -> str | Full | Refused | None:
        """Why it is not taken; None if it is."""
        if new.key is not None:
            try:
                before = taken_before(connection, new.key, new.proxy_id, new.identity, now)
            except AnotherRequest as error:
                return Refused(error)
            if before is not None:
                return before
        # Answered, not raised: what is raised takes those that share the commit apart.
        refused = self._no_room() or room.take(new.proxy_id, new.client_id, size)
        if refused is None and new.key is not None:
            remember(connection, new.key, new.proxy_id, new.identity, new.request_id, now)
        return refused

    def _row(self, new: New, head: bytes, now: int) -> new_rows.NewRow:
        return new_rows.NewRow(
            new.request_id,
            new.proxy_id,
            new.client_id,
            new.identity,
            now,
            states.accepted(now, delay=new.delay, window=new.window, repeatable=new.stored.repeatable),
            self._seals.seal(new.client_id, head_row(new.request_id), head),
            self._seals.seal(new.client_id, body_row(new.request_id), new.body),
            taker=self._taker,
        )
