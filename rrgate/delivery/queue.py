"""`Queue`: the requests that were taken, on disk: what is in them sealed with their client's data key.

Belongs here: the operations of accepting and delivering, as Deferreds, and encryption. Does not: SQL (table.py), when
anything is done (worker.py). A seal is a checksum too: what was changed on disk does not open.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, TypeVar

from sqlite_utils import Database
from twisted.internet.defer import Deferred

from rrgate.delivery import steering, table, takers, untold
from rrgate.delivery.bounds import NO_BOUNDS, Bounds, Full
from rrgate.delivery.callbacks import CALLBACKS, add_callback
from rrgate.delivery.commits import Work, Writes
from rrgate.delivery.kept import Answer, Loaded, Seals
from rrgate.delivery.keys import forget_old
from rrgate.delivery.making_room import MakesRoom, NotKept, Removed, all_over, make_room
from rrgate.delivery.reading import Reading, Reads
from rrgate.delivery.refusing import Refused, raising, refusing, told
from rrgate.delivery.states import ENDED, Outcome, State
from rrgate.delivery.table import Keep, Row
from rrgate.delivery.taking import New, Takes
from rrgate.delivery.turns import Answered, Turns

T = TypeVar("T")

FAULT_WAIT: Final = 30_000
"""Milliseconds until an attempt is made again that a fault of the gateway's own has kept from being sent."""
MOST_REPLAYED: Final = 200
"""Requests at a time, so that no accept waits for long."""
MOST_PUT_OFF: Final = 500
"""The same; they need less."""


class Queue(Reading):
    """Used on the reactor's thread. A change that was told of survives any crash. What is asked for is asked for at
    once, whenever it is awaited."""

    def __init__(
        self,
        writes: Writes,
        reads: Reads,
        reader: Database,
        seals: Seals,
        now: Callable[[], int],
        keep: Keep,
        bounds: Bounds = NO_BOUNDS,
        no_room: Callable[[], Full | None] = lambda: None,
        taker: int = 0,
    ) -> None:
        """`reads` works on `reader`. `now`: the delivery's time. `no_room`: says when the disk has none for a new
        request; on the thread that writes. `taker`: which process this is (takers.py)."""
        super().__init__(reads, reader, seals, now)
        self._writes = writes
        self._keep = keep
        self._takes = Takes(seals, now, bounds, no_room, taker)
        self.taker = taker
        self._turns = Turns(seals, now, keep, self._told)
        self.makes_room = MakesRoom(writes.do, bounds.kept, now)
        self.attempts: Counter[tuple[str, str]] = Counter()
        """That have ended, by what they were of, `request` or `callback`, and the state that they led to."""
        self.callback_made = False
        """There is a callback that was not looked for yet."""
        self.retry_made = False
        """The same of a request that waits for another attempt."""

    @property
    def commits(self) -> int:
        """How often the disk was written; many changes share one."""
        return self._writes.commits

    # Taking.

    def add(self, new: New) -> Awaitable[str | Full]:
        """Take a request, and answer its id; or that of the one that had the same `key` before; or Full, where there
        is no room for it. Raises AnotherRequest."""
        return told(self._writes.do_together(self._takes.all, new))

    def told_until(self, number: int) -> None:
        """The log has all that this process has taken up to the request of that number."""
        self._takes.told = number

    def leave(self, id: int) -> Deferred[None]:
        """The log has all that the process of that number, in `takers`, has taken."""
        return self._do(lambda connection: takers.leave(connection, id))

    # Delivering.

    def prolong(self, since: int) -> Deferred[None]:
        """See `table.prolong`."""
        return self._do(lambda connection: table.prolong(connection, since, self.now()))

    def put_off(self, lane: str, wait: int) -> Deferred[None]:
        """See `table.put_off`."""
        return self._do(lambda connection: table.put_off(connection, lane, self.now(), wait, MOST_PUT_OFF))

    def begin(self, id: int) -> Awaitable[Row]:
        """Its turn has come: a new attempt, or its end. Raises WrongState, LookupError."""
        return told(self._writes.do_together(self._turns.begin_all, id))

    def begin_small(self, id: int) -> Awaitable[Loaded]:
        """`begin` and `load` in one: a small request need not be read first by another thread (0.1 ms). Raises as both;
        what cannot be opened has not begun."""
        return told(self._writes.do_together(self._turns.begin_small_all, id))

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
        tells_body: bool = False,
    ) -> Awaitable[Row]:
        """Its attempt is over; see Answered. Raises WrongState, LookupError."""
        answered = Answered(row, outcome, wait, margin, status, problem, answer, tells_body)
        return self._answered(self._writes.do_together(self._turns.answer_all, answered))

    async def _answered(self, asked: Awaitable[Row | Refused]) -> Row:
        return self._counted(await told(asked))

    def failed_inside(self, row: Row) -> Awaitable[Row]:
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
        return self._do(
            lambda connection: self._told(
                connection, table.give_up(connection, id, self.now(), self._keep, problem)
            )
        ).addCallback(self.over)

    # Managing.

    def cancel(self, id: int) -> Deferred[Row]:
        """See `steering.cancel`."""
        return self._do(
            lambda connection: self._told(connection, steering.cancel(connection, id, self.now(), self._keep))
        )

    def replay(self, id: int, window: int) -> Deferred[Row]:
        """See `steering.replay`."""
        return self._do(lambda connection: steering.replay(connection, id, self.now(), self._keep, window))

    def replay_all(
        self,
        proxy_id: str,
        wanted: Collection[State],
        after: int | None,
        before: int | None,
        behind: tuple[int, int] | None,
        window: int,
    ) -> Deferred[tuple[list[Row], tuple[int, int] | None]]:
        """See `steering.dead`: those of some of these that are in one of `wanted`, and still kept, sent again; and
        behind which to go on, None at the end. There may be none of them among those that were looked at."""

        def work(connection: sqlite3.Connection) -> tuple[list[Row], tuple[int, int] | None]:
            found = steering.dead(connection, proxy_id, after, before, behind, MOST_REPLAYED)
            rows = []
            for row in found:
                if row.progress.state in wanted:
                    with suppress(NotKept):
                        rows.append(steering.replay(connection, row.id, self.now(), self._keep, window))
            more = len(found) == MOST_REPLAYED
            return rows, (found[-1].accepted_at, found[-1].id) if more else None

        return self._do(work)

    def told(self, ids: Collection[int]) -> Deferred[None]:
        """The log knows of these."""
        return self._do(lambda connection: untold.forget(connection, ids))

    def recover(self, most: int) -> Deferred[tuple[Row, ...]]:
        """See `table.recover`."""

        def work(connection: sqlite3.Connection) -> tuple[Row, ...]:
            recovered = table.recover(connection, self.now(), self._keep, most)
            for row in recovered:
                self._told(connection, row)
            return recovered

        return self._do(work)

    def purge(self) -> Deferred[int]:
        """See `table.purge`; forgets old keys too, and makes room, and counts that."""

        def work(connection: sqlite3.Connection) -> tuple[int, Removed]:
            old = forget_old(connection, self.now()) + table.purge(connection, self.now())
            kept = self.makes_room.bounds
            return old, make_room(connection, kept, all_over(connection, kept))

        return self._do(work).addCallback(lambda removed: removed[0] + self.makes_room.count(removed[1]))

    def _told(
        self, connection: sqlite3.Connection, row: Row, status: int | None = None, answer: Answer | None = None
    ) -> Row:
        """If it is over, and somebody is to be told, that is in the queue with the same commit."""
        if row.progress.state in ENDED and add_callback(connection, self._seals, row, status, answer, self.now()):
            self.callback_made = True
        return row

    def over(self, row: Row) -> Row:
        """That, if it is over, may be more to keep than there is room for."""
        if row.ended_at is not None:
            self.makes_room.ended(row)
        return row

    def _counted(self, row: Row) -> Row:
        of = "callback" if row.proxy_id.startswith(CALLBACKS) else "request"
        self.attempts[of, row.progress.state.value] += 1
        self.retry_made |= row.progress.due_at is not None
        return self.over(row)

    def _do(self, work: Work[T]) -> Deferred[T]:
        """Do `work`, which writes nothing before it refuses."""
        return self._writes.do(refusing(work)).addCallback(raising)
