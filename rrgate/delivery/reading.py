"""`Reading`: what is asked of the queue's file: what is due, what is in a request, how far one has come.

Belongs here: reading, on a thread of its own, and unsealing. Does not: changes (queue.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from sqlite_utils import Database
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rrgate.delivery import steering, table, takers, untold
from rrgate.delivery.bounds import Depth, depth
from rrgate.delivery.kept import Answer, Loaded, Seals, Shown, Untold, answer_row, head_row, opened
from rrgate.delivery.looking import due
from rrgate.delivery.states import ENDED
from rrgate.delivery.stored import Stored
from rrgate.delivery.table import Due, Row
from rrgate.store.errors import BrokenSecret, SecretError

T = TypeVar("T")

_log = Logger("rrgate.delivery")


class Reads(Protocol):
    """Does reading work on another connection, in its turn."""

    def call(self, work: Callable[[], T]) -> Deferred[T]: ...


class Reading:
    """One object a gateway; used on the reactor's thread."""

    def __init__(self, reads: Reads, reader: Database, seals: Seals, now: Callable[[], int]) -> None:
        """See Queue."""
        self._reads = reads
        self._reader = reader
        self._seals = seals
        self.now = now
        self.depth = Depth(0, 0, None)
        """As it was when it was last looked what is due."""

    def show(
        self, proxy_id: str, request_id: str, identity: bytes | None, *, with_answer: bool = True
    ) -> Deferred[Shown | None]:
        """A request of a proxy, if it is whose that is, or whoever's where `identity` is None. Raises SecretError where
        a key is not at hand."""

        def work() -> Shown | None:
            connection = self._reader.conn
            row = table.find(connection, proxy_id, request_id, identity)
            if row is None:
                return None
            answer = sealed = None
            if with_answer:
                sealed = connection.execute("SELECT sealed FROM answers WHERE request = ?", (row.id,)).fetchone()
            if sealed is not None:
                try:
                    answer = Answer.unpacked(self._seals.unseal(row.client_id, answer_row(request_id), sealed[0]))
                except BrokenSecret as error:
                    _log.error("the answer of request {id} cannot be opened: {error}", id=request_id, error=error)
            return Shown(
                row,
                table.attempts(connection, row.id),
                answer,
                steering.callback_of(connection, row.id),
                steering.removed_early(connection, row.id),
            )

        return self._reads.call(work)

    def due(self, most: int) -> Deferred[tuple[dict[str, list[Due]], int | None]]:
        """See `looking.due`."""

        def work() -> tuple[dict[str, list[Due]], int | None]:
            now = self.now()
            self.depth = depth(self._reader.conn)
            return due(self._reader.conn, now, most)

        return self._reads.call(work)

    def load(self, id: int) -> Deferred[Loaded]:
        """All of a request. Raises LookupError where it is gone, SecretError where it cannot be opened."""

        def work() -> Loaded:
            row, head, body = self._opened(id)
            return Loaded(row, Stored.of_head(head), body)

        return self._reads.call(work)

    def load_callback(self, id: int) -> Deferred[tuple[Row, str, bytes]]:
        """A call that tells of a request's end: its URL and message. Raises as `load`."""

        def work() -> tuple[Row, str, bytes]:
            row, head, body = self._opened(id)
            return row, head.decode(), body

        return self._reads.call(work)

    def _opened(self, id: int) -> tuple[Row, bytes, bytes]:
        row = table.read(self._reader.conn, id)
        if row.progress.state in ENDED:
            raise LookupError("it is over")
        return row, *opened(self._seals, row, table.read_payloads(self._reader.conn, [id]).get(id))

    def heads(self, ids: Collection[int]) -> Deferred[dict[int, Stored]]:
        """For the log: what is kept of those of these requests that may yet be sent, and that opens."""

        def work() -> dict[int, Stored]:
            kept = {}
            for id in ids:
                found = self._reader.conn.execute(
                    "SELECT client_id, request_id, head FROM requests JOIN payloads ON request = id WHERE id = ?", (id,)
                ).fetchone()
                if found is not None:
                    client_id, request_id, head = found
                    try:
                        kept[id] = Stored.of_head(self._seals.unseal(client_id, head_row(request_id), head))
                    except SecretError as error:
                        _log.error("the log is not told of request {id}: {error}", id=request_id, error=error)
            return kept

        return self._reads.call(work)

    def newest(self) -> Deferred[int]:
        """See `takers.newest`."""
        return self._reads.call(lambda: takers.newest(self._reader.conn))

    def other_takers(self, id: int) -> Deferred[list[takers.Left]]:
        """See `takers.all_but`."""
        return self._reads.call(lambda: takers.all_but(self._reader.conn, id))

    def taken_by(self, id: int, behind: int, most: int) -> Deferred[list[tuple[int, str]]]:
        """See `takers.taken_by`."""
        return self._reads.call(lambda: takers.taken_by(self._reader.conn, id, behind, most))

    def begun(self, ids: Collection[int]) -> Deferred[list[tuple[Row, Stored]]]:
        """For the log: those of these requests of which the head is there still, and opens."""

        def work() -> list[tuple[Row, Stored]]:
            found = []
            for id, row in table.read_all(self._reader.conn, [*ids]).items():
                for head in table.heads(self._reader.conn, id):
                    try:
                        opened = self._seals.unseal(row.client_id, head_row(row.request_id), head)
                        found.append((row, Stored.of_head(opened)))
                    except SecretError as error:
                        _log.error("the log is not told of request {id}: {error}", id=row.request_id, error=error)
            return found

        return self._reads.call(work)

    def untold(self, until: int, behind: int, most: int) -> Deferred[list[Untold]]:
        """Up to `most` requests that had ended by `until`, of which the log may not know; by number, `behind` that
        one."""

        def work() -> list[Untold]:
            found = []
            for id, head in untold.remembered(self._reader.conn, until, behind, most):
                row = table.read(self._reader.conn, id)
                last = table.attempts(self._reader.conn, id)[-1:]
                try:
                    stored = Stored.of_head(self._seals.unseal(row.client_id, head_row(row.request_id), head))
                except SecretError:
                    stored = None
                found.append(Untold(row, stored, last[0] if last else None))
            return found

        return self._reads.call(work)
