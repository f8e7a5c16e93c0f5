"""`Queue`: the requests that were taken, on disk: what is in them sealed with their client's data key.

Belongs here: the operations of accepting and delivering, as Deferreds, and encryption. Does not: SQL (table.py), when
anything is done (worker.py). A seal is a checksum too: what was changed on disk does not open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from typing import Final, Protocol, TypeVar

from sqlite_utils import Database
from twisted.internet.defer import Deferred

from rrgate.delivery import states, table, untold
from rrgate.delivery.commits import Work, Writes
from rrgate.delivery.kept import Answer, Loaded, Shown, Untold, answer_row, body_row, head_row
from rrgate.delivery.keys import Key, forget_old, taken_before
from rrgate.delivery.states import ENDED, Outcome, State
from rrgate.delivery.stored import Stored
from rrgate.delivery.table import Due, Keep, Row
from rrgate.store.errors import BrokenSecret, SecretError

T = TypeVar("T")

FAULT_WAIT: Final = 30_000
"""Milliseconds until an attempt is made again that a fault of the gateway's own has kept from being sent."""
MOST_REPLAYED: Final = 200
"""Requests at a time, so that no accept waits for long."""


class Seals(Protocol):
    """Encrypts for a client, on any thread; see `Secrets`."""

    def seal(self, client_id: str, row: str, plaintext: bytes) -> bytes: ...

    def unseal(self, client_id: str, row: str, sealed: bytes) -> bytes: ...


class Reads(Protocol):
    """Does reading work on another connection, in its turn."""

    def call(self, work: Callable[[], T]) -> Deferred[T]: ...


class Queue:
    """Used on the reactor's thread. A change that a Deferred has told of survives any crash."""

    def __init__(
        self, writes: Writes, reads: Reads, reader: Database, seals: Seals, now: Callable[[], int], keep: Keep
    ) -> None:
        """`reads` works on `reader`. `now`: the delivery's time."""
        self._writes = writes
        self._reads = reads
        self._reader = reader
        self._seals = seals
        self.now = now
        self._keep = keep

    # Taking.

    def add(
        self,
        request_id: str,
        proxy_id: str,
        client_id: str,
        identity: bytes,
        stored: Stored,
        body: bytes,
        *,
        delay: int,
        window: int,
        key: Key | None = None,
    ) -> Deferred[str]:
        """Take a request, and answer its id; or that of the one that had the same `key` before. `identity`: whose it
        is. `delay`, `window`: milliseconds. Raises AnotherRequest."""
        seals = self._seals

        def work(connection: sqlite3.Connection) -> str:
            now = self.now()
            if key is not None:
                before = taken_before(connection, key, proxy_id, identity, request_id, now)
                if before is not None:
                    return before
            table.insert(
                connection,
                request_id,
                proxy_id,
                client_id,
                identity,
                now,
                states.accepted(now, delay=delay, window=window, repeatable=stored.repeatable),
                seals.seal(client_id, head_row(request_id), stored.head()),
                seals.seal(client_id, body_row(request_id), body),
            )
            return request_id

        return self._do(work)

    def show(
        self, proxy_id: str, request_id: str, identity: bytes | None, *, with_answer: bool = True
    ) -> Deferred[Shown | None]:
        """A request of a proxy, if it is whose that is, or whoever's where `identity` is None."""

        def work() -> Shown | None:
            connection = self._reader.conn
            row = table.find(connection, proxy_id, request_id, identity)
            if row is None:
                return None
            answer = sealed = None
            if with_answer:
                sealed = connection.execute("SELECT sealed FROM answers WHERE request = ?", (row.id,)).fetchone()
            if sealed is not None:
                packed = self._seals.unseal(row.client_id, answer_row(request_id), sealed[0])
                answer = Answer.unpacked(packed)
            return Shown(row, table.attempts(connection, row.id), answer)

        return self._reads.call(work)

    # Delivering.

    def due(self, most: int) -> Deferred[tuple[dict[str, list[Due]], int | None]]:
        """See `table.due`."""
        return self._reads.call(lambda: table.due(self._reader.conn, self.now(), most))

    def load(self, id: int) -> Deferred[Loaded]:
        """All of a request. Raises LookupError where it is gone, SecretError where it cannot be opened."""

        def work() -> Loaded:
            connection = self._reader.conn
            row = table.read(connection, id)
            if row.progress.state in ENDED:
                raise LookupError("it is over")
            found = connection.execute("SELECT head, body FROM payloads WHERE request = ?", (id,)).fetchone()
            if found is None:
                raise BrokenSecret("what was to be sent is gone")
            head = self._seals.unseal(row.client_id, head_row(row.request_id), found[0])
            body = self._seals.unseal(row.client_id, body_row(row.request_id), found[1])
            return Loaded(row, Stored.of_head(head), body)

        return self._reads.call(work)

    def begin(self, id: int) -> Deferred[Row]:
        """See `table.begin`."""
        return self._do(lambda connection: table.begin(connection, id, self.now(), self._keep))

    def answer(
        self,
        row: Row,
        outcome: Outcome,
        wait: int | None,
        margin: int,
        *,
        status: int | None,
        problem: str | None,
        answer: Answer | None,
    ) -> Deferred[Row]:
        """See `table.answer`."""

        def work(connection: sqlite3.Connection) -> Row:
            sealed = None
            if answer is not None:
                sealed = self._seals.seal(row.client_id, answer_row(row.request_id), answer.packed())
            return table.answer(
                connection,
                row.id,
                self.now(),
                outcome,
                wait,
                margin,
                self._keep,
                status=status,
                problem=problem,
                sealed=sealed,
            )

        return self._do(work)

    def failed_inside(self, row: Row) -> Deferred[Row]:
        """An attempt was not sent for a fault of the gateway's own: in a while there is another."""
        return self.answer(
            row,
            Outcome.TRANSIENT,
            FAULT_WAIT,
            0,
            status=None,
            problem="The configuration of its proxy does not work",
            answer=None,
        )

    def give_up(self, id: int, problem: str) -> Deferred[Row]:
        """See `table.give_up`."""
        return self._do(lambda connection: table.give_up(connection, id, self.now(), self._keep, problem))

    # Managing.

    def cancel(self, id: int) -> Deferred[Row]:
        """See `table.cancel`."""
        return self._do(lambda connection: table.cancel(connection, id, self.now(), self._keep))

    def replay(self, id: int, window: int) -> Deferred[Row]:
        """See `table.replay`."""
        return self._do(lambda connection: table.replay(connection, id, self.now(), self._keep, window))

    def replay_all(
        self,
        proxy_id: str,
        wanted: Collection[State],
        after: int | None,
        before: int | None,
        behind: tuple[int, int] | None,
        window: int,
    ) -> Deferred[tuple[list[Row], tuple[int, int] | None]]:
        """See `table.dead`: some of these, sent again; and behind which to go on, None at the end."""

        def work(connection: sqlite3.Connection) -> tuple[list[Row], tuple[int, int] | None]:
            found = table.dead(connection, proxy_id, wanted, after, before, behind, MOST_REPLAYED)
            rows = [table.replay(connection, row.id, self.now(), self._keep, window) for row in found]
            more = len(found) == MOST_REPLAYED
            return rows, (found[-1].accepted_at, found[-1].id) if more else None

        return self._do(work)

    def heads(self, ids: Collection[int]) -> Deferred[dict[int, Stored]]:
        """What is kept of those of these requests that may yet be sent. Raises SecretError."""

        def work() -> dict[int, Stored]:
            kept = {}
            for id in ids:
                found = self._reader.conn.execute(
                    "SELECT client_id, request_id, head FROM requests JOIN payloads ON request = id WHERE id = ?", (id,)
                ).fetchone()
                if found is not None:
                    client_id, request_id, head = found
                    kept[id] = Stored.of_head(self._seals.unseal(client_id, head_row(request_id), head))
            return kept

        return self._reads.call(work)

    def untold(self, behind: int, most: int) -> Deferred[list[Untold]]:
        """Up to `most` requests that have ended, of which the log may not know; by number, `behind` that one."""

        def work() -> list[Untold]:
            found = []
            for id, head in untold.remembered(self._reader.conn, behind, most):
                row = table.read(self._reader.conn, id)
                last = table.attempts(self._reader.conn, id)[-1:]
                try:
                    stored = Stored.of_head(self._seals.unseal(row.client_id, head_row(row.request_id), head))
                except SecretError:
                    stored = None
                found.append(Untold(row, stored, last[0] if last else None))
            return found

        return self._reads.call(work)

    def told(self, ids: Collection[int]) -> Deferred[None]:
        """The log knows of these."""
        return self._do(lambda connection: untold.forget(connection, ids))

    def recover(self, most: int) -> Deferred[tuple[Row, ...]]:
        """See `table.recover`."""
        return self._do(lambda connection: table.recover(connection, self.now(), self._keep, most))

    def purge(self) -> Deferred[int]:
        """See `table.purge`; forgets old keys too."""

        def work(connection: sqlite3.Connection) -> int:
            forget_old(connection, self.now())
            return table.purge(connection, self.now())

        return self._do(work)

    def _do(self, work: Work[T]) -> Deferred[T]:
        return self._writes.do(work)
