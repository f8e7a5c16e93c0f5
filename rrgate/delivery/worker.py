"""`Worker`: delivers what the queue holds: whose turn it is, and when.

Belongs here: the turns, waiting, taking over at the start, and the end of it all. Does not: what is done in a turn
(courier.py), the order of proxies (lanes.py), their bounds (shares.py), rows (table.py).
One process of a node delivers: the one that holds a lock.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.delivery.callbacks import CALLBACKS
from rrgate.delivery.calling_back import CallsBack
from rrgate.delivery.courier import Courier
from rrgate.delivery.lanes import Lanes
from rrgate.delivery.left_behind import LeftBehind
from rrgate.delivery.pausing import Pause
from rrgate.delivery.queue import Queue
from rrgate.delivery.shares import Share, Shares
from rrgate.delivery.table import Due, Row
from rrgate.directory import Directory
from rrgate.store.errors import StoreError
from rrgate.waiting import Task, Waiter

LANE: Final = 32
"""Requests of a proxy that are at hand; the others stay on disk."""
LOOK: Final = 5.0
"""Seconds after which it is looked what other processes have taken."""
AGAIN: Final = 1.0
"""Seconds after which it is tried again to own the queue."""
TIDY: Final = 60.0
TIDY_ON: Final = 0.05
"""Seconds until more is removed of what is old, where there was some."""
RECOVERED: Final = 100


class Worker:
    """One object a gateway; all on the reactor's thread."""

    def __init__(
        self,
        queue: Queue,
        directory: Directory,
        courier: Courier,
        calls_back: CallsBack,
        left: LeftBehind,
        clock: IReactorTime,
        *,
        in_flight: int,
        per_target: int,
        owns: Callable[[], bool] = lambda: True,
    ) -> None:
        """`in_flight`, `per_target`: see Shares. `owns`: whether this process delivers from now on, asked until it
        does."""
        self._queue = queue
        self._courier = courier
        self._calls_back = calls_back
        self._left = left
        self._clock = clock
        self._shares = Shares(directory, clock, self._sooner, in_flight=in_flight, per_target=per_target)
        self._owns = owns
        self._lanes = Lanes()
        self._behind: set[str] = set()
        """Proxies that may have more on disk than is at hand."""
        self._claimed: set[int] = set()
        self._tasks: set[Task] = set()
        self._timer: Any = None
        self._running = False
        self._owner = False
        self._looking = False
        self._again = False
        self._pause = Pause(clock, queue.now, queue.prolong, self._spawn, self.wake)
        self._next_tidying = 0.0
        self._idle: Waiter[None] | None = None
        self._log = Logger("rrgate.delivery")

    @property
    def under_way(self) -> int:
        """Attempts under way, those included whose answers are being written down."""
        return len(self._claimed)

    @property
    def delivers(self) -> bool:
        """Whether this process is the one of its node that does."""
        return self._owner

    @property
    def paused(self) -> bool:
        """The queue cannot be written, and nothing is sent."""
        return self._pause.on

    def start(self) -> None:
        """Begin as soon as this process owns the queue: first with what its last owner left."""
        self._running = True
        self._own()

    def wake(self) -> None:
        """There may be something to do: a request was taken, or its time has come."""
        if not self._running or not self._owner:
            return
        if self._looking:
            self._again = True
            return
        self._looking = True
        self._spawn(self._look())

    def taken(self, proxy_id: str, seconds: float) -> None:
        """A request of that proxy was taken, which is due in so many seconds.

        If others of its lane are at hand, it is found once they are sent: a look for each would cost more than sending.
        """
        if seconds > 0:
            if self._looking:
                self._again = True  # at its end the timer is set, by what it has seen
            elif self._running and self._owner:
                self._sooner(seconds)
        elif proxy_id in self._lanes:
            self._behind.add(proxy_id)
        else:
            self.wake()

    async def stop(self, seconds: float) -> None:
        """Begin nothing more, and give what is under way `seconds`. What has not ended then is as after a crash."""
        self._running = False
        self._set_timer(None)
        if self._pause.on and not self._claimed:
            self.break_off()
        if self._tasks:
            timer = self._clock.callLater(seconds, self.break_off)
            self._idle = Waiter()
            await self._idle
            if timer.active():
                timer.cancel()

    def break_off(self) -> None:
        """End every attempt now."""
        self._running = False
        for task in tuple(self._tasks):
            task.cancel()

    def _spawn(self, work: Any) -> None:
        def done(error: BaseException | None) -> None:
            self._tasks.discard(task)
            if error is not None and not isinstance(error, CancelledError):
                self._log.error("the delivery failed inside the gateway: {error!r}", error=error)
            if not self._tasks and self._idle is not None:
                idle, self._idle = self._idle, None
                idle.fire(None)

        task = Task(work, done)
        self._tasks.add(task)
        task.start()

    def _own(self) -> None:
        if not self._running:
            return
        if self._owns():
            self._spawn(self._begin())
        else:
            self._set_timer(AGAIN, self._own)

    async def _begin(self) -> None:
        await self._left.tell()
        # Beside the rest: what is to be delivered does not wait for the log.
        self._spawn(self._left.settle())
        self._spawn(self._tell_once_more(self._queue.now()))
        more = True
        rows: deque[Row] = deque()
        while self._running and (more or rows):
            try:
                if not rows:
                    rows.extend(await self._queue.recover(RECOVERED))
                    more = len(rows) == RECOVERED
                while rows:
                    await self._courier.recovered(rows[0])
                    rows.popleft()
            except (sqlite3.Error, OSError) as error:
                await self._pause.wait_out(error)
        # Not before: what is begun by now is not what a dead one has left.
        self._owner = True
        self.wake()

    async def _tell_once_more(self, until: int) -> None:
        behind: int | None = 0
        while self._running and behind is not None:
            try:
                behind = await self._courier.tell_once_more(until, behind)
            except (sqlite3.Error, OSError) as error:
                await self._pause.wait_out(error)

    # Whose turn it is.

    async def _look(self) -> None:
        """What is due, from disk."""
        following: int | None = None
        try:
            while True:
                self._again = self._queue.callback_made = self._queue.retry_made = False
                self._behind.clear()
                lanes, following = await self._queue.due(LANE + len(self._claimed))
                # What is claimed is due on disk until its attempt has begun.
                fresh = {
                    proxy_id: [due for due in lane if due.id not in self._claimed] for proxy_id, lane in lanes.items()
                }
                self._behind.update(proxy_id for proxy_id, lane in fresh.items() if len(lane) > LANE)
                self._lanes.fill({proxy_id: lane[:LANE] for proxy_id, lane in fresh.items() if lane})
                self._turn()  # not at the end: there may be more to look at for as long as requests are taken
                await self._tidy()
                if not self._again:
                    break
        except (sqlite3.Error, OSError) as error:
            self._pause.begin(error)
        except Exception:
            self._set_timer(LOOK)  # a bug of ours: nobody else looks again
            raise
        finally:
            self._looking = False
        wait = LOOK
        if not self._pause.on:
            wait = min(wait, max(0.001, self._next_tidying - self._clock.seconds()))
        if following is not None:
            wait = min(wait, max(0.001, (following - self._queue.now()) / 1000))
        self._set_timer(wait)
        self._turn()

    async def _tidy(self) -> None:
        if self._clock.seconds() >= self._next_tidying and not self._pause.on:
            removed = await self._queue.purge()
            more = await self._queue.makes_room.forgets.some()
            await self._left.tell()
            self._spawn(self._left.settle())
            self._next_tidying = self._clock.seconds() + (TIDY_ON if removed or more else TIDY)

    def _set_timer(self, seconds: float | None, call: Callable[[], None] | None = None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if seconds is not None and self._running:
            self._timer = self._clock.callLater(seconds, call or self.wake)

    def _turn(self) -> None:
        while self._running and self._shares.left:
            if self._pause.on:
                break  # it wakes this up when it is over
            due = self._lanes.take(self._shares.may)
            if due is None:
                break
            self._claimed.add(due.id)
            self._spawn(self._deliver(due, self._shares.begin(due.proxy_id)))
        if any(proxy_id not in self._lanes for proxy_id in self._behind):
            self.wake()

    def _sooner(self, seconds: float) -> None:
        """Look again in `seconds`, or before."""
        if self._timer is None or not self._timer.active() or self._timer.getTime() > self._clock.seconds() + seconds:
            self._set_timer(max(0.001, seconds))

    # One request.

    async def _deliver(self, due: Due, share: Share) -> None:
        counts = True

        def answered() -> None:
            # Its target is done with it: another begins, and shares the commit by which that is written down.
            nonlocal counts
            if counts:
                counts = False
                self._shares.end(share)
                self._turn()

        try:
            courier = self._calls_back if due.proxy_id.startswith(CALLBACKS) else self._courier
            hold = await courier.deliver(due, self._pause.wait_out, answered)
            if hold:
                self._shares.hold(share, hold)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._pause.begin(error)
        finally:
            self._claimed.discard(due.id)
            if counts:
                self._shares.end(share)
        if self._queue.callback_made:
            self.wake()
        elif due.proxy_id in self._lanes:
            if counts:
                self._turn()
        elif not self._looking or self._queue.retry_made:
            self.wake()  # there may be more on disk; what was there before is seen by a look that is under way
