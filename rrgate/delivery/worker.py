"""`Worker`: delivers what the queue holds: which request when, and what becomes of it.

Belongs here: the turns, their bounds, waiting, taking over at the start, and the end of it all. Does not: an attempt
(sending.py), the states (states.py), rows (table.py). One process of a node delivers: the one that holds a lock.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.api import ConfigError
from rrgate.delivery.lanes import Lanes
from rrgate.delivery.queue import Loaded, Queue
from rrgate.delivery.sending import Sender, Sent
from rrgate.delivery.states import ENDED, WINDOW, State, margin_of
from rrgate.delivery.stored import IDEMPOTENCY_KEY
from rrgate.delivery.table import Due, Row
from rrgate.directory import Directory
from rrgate.exchange import Exchange
from rrgate.messages import Reply
from rrgate.names import fold
from rrgate.route import Route
from rrgate.store.errors import SecretError
from rrgate.waiting import Task, Waiter

LANE: Final = 32
"""Requests of a proxy that are at hand; the others stay on disk."""
LOOK: Final = 5.0
"""Seconds after which it is looked what other processes have taken."""
AGAIN: Final = 1.0
"""Seconds after which a queue that could not be written is tried again."""
TIDY: Final = 60.0
LONGEST_HOLD: Final = WINDOW / 1000
RECOVERED: Final = 100


class Worker:
    """One object a gateway; all on the reactor's thread."""

    def __init__(
        self,
        queue: Queue,
        directory: Directory,
        sender: Sender,
        clock: IReactorTime,
        *,
        in_flight: int,
        per_target: int,
        ended: Callable[[Exchange], object],
        owns: Callable[[], bool] = lambda: True,
    ) -> None:
        """`in_flight`, `per_target`: attempts at one time. `ended`: writes the end of a request into the log.

        `owns`: whether this process delivers from now on, asked until it does.
        """
        self._queue = queue
        self._directory = directory
        self._sender = sender
        self._clock = clock
        self._in_flight = in_flight
        self._per_target = per_target
        self._ended = ended
        self._owns = owns
        self._lanes = Lanes()
        self._claimed: set[int] = set()
        self._tasks: set[Task] = set()
        self._at_target: Counter[str] = Counter()
        self._held: dict[str, float] = {}
        self._timer: Any = None
        self._running = False
        self._looking = False
        self._again = False
        self._more = False
        self._paused_until = 0.0
        self._next_tidying = 0.0
        self._idle: Waiter[None] | None = None
        self._log = Logger("rrgate.delivery")

    @property
    def under_way(self) -> int:
        """Attempts under way."""
        return len(self._claimed)

    def start(self) -> None:
        """Begin as soon as this process owns the queue: first with what its last owner left."""
        self._running = True
        self._own()

    def wake(self) -> None:
        """There may be something to do: a request was taken, or its time has come."""
        if not self._running:
            return
        if self._looking:
            self._again = True
            return
        self._looking = True
        self._spawn(self._look())

    async def stop(self, seconds: float) -> None:
        """Begin nothing more, and give what is under way `seconds`. What has not ended then is as after a crash."""
        self._running = False
        self._set_timer(None)
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
        while self._running:
            try:
                rows = await self._queue.recover(RECOVERED)
            except (sqlite3.Error, OSError) as error:
                self._trouble(error)
                await self._pause(AGAIN)
                continue
            for row in rows:
                self._log.warn("request {id} was being sent when a gateway died: {row.progress.state}", id=row.id, row=row)
                if row.progress.state in ENDED:
                    await self._tell_unsent(row)
            if len(rows) < RECOVERED:
                break
        self.wake()

    async def _pause(self, seconds: float) -> None:
        waiter: Waiter[None] = Waiter()
        timer = self._clock.callLater(seconds, waiter.fire, None)
        try:
            await waiter
        finally:
            if timer.active():
                timer.cancel()

    def _trouble(self, error: BaseException) -> None:
        self._paused_until = self._clock.seconds() + AGAIN
        self._log.error("the queue cannot be used; delivery pauses: {error}", error=error)

    # Whose turn it is.

    async def _look(self) -> None:
        """What is due, from disk."""
        following: int | None = None
        try:
            while True:
                self._again = False
                # What is claimed is due on disk until its attempt has begun.
                lanes, following = await self._queue.due(LANE + self._in_flight)
                self._more = any(len(lane) > LANE for lane in lanes.values())
                self._lanes.fill(
                    {
                        proxy_id: fresh
                        for proxy_id, lane in lanes.items()
                        if (fresh := [due for due in lane if due.id not in self._claimed][:LANE])
                    }
                )
                if not self._again:
                    break
            await self._tidy()
        except (sqlite3.Error, OSError) as error:
            self._trouble(error)
        finally:
            self._looking = False
        wait = LOOK
        if following is not None:
            wait = min(wait, max(0.001, (following - self._queue.now()) / 1000))
        self._set_timer(wait)
        self._turn()

    async def _tidy(self) -> None:
        if self._clock.seconds() >= self._next_tidying:
            removed = await self._queue.purge()
            self._next_tidying = self._clock.seconds() + (AGAIN if removed else TIDY)

    def _set_timer(self, seconds: float | None, call: Callable[[], None] | None = None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if seconds is not None and self._running:
            self._timer = self._clock.callLater(seconds, call or self.wake)

    def _turn(self) -> None:
        now = self._clock.seconds()
        if now < self._paused_until:
            self._sooner(self._paused_until - now)
            return
        while self._running and len(self._claimed) < self._in_flight:
            due = self._lanes.take(self._may)
            if due is None:
                break
            self._claimed.add(due.id)
            self._at_target[self._target_of(due.proxy_id)] += 1
            self._spawn(self._deliver(due))

    def _sooner(self, seconds: float) -> None:
        """Look again in `seconds`, or before."""
        if self._timer is None or not self._timer.active() or self._timer.getTime() > self._clock.seconds() + seconds:
            self._set_timer(max(0.001, seconds))

    def _target_of(self, proxy_id: str) -> str:
        proxy = self._directory.proxies.get(proxy_id)
        return "" if proxy is None else proxy.target_id

    def _may(self, proxy_id: str) -> bool:
        target_id = self._target_of(proxy_id)
        held = self._held.get(target_id)
        if held is not None:
            left = held - self._clock.seconds()
            if left > 0:
                self._sooner(left)
                return False
            del self._held[target_id]
        return self._at_target[target_id] < self._per_target

    # One request.

    async def _deliver(self, due: Due) -> None:
        target_id = self._target_of(due.proxy_id)
        try:
            await self._attempt(due)
        except (sqlite3.Error, OSError) as error:
            self._trouble(error)
        finally:
            self._claimed.discard(due.id)
            self._at_target[target_id] -= 1
            if not self._at_target[target_id]:
                del self._at_target[target_id]
        if len(self._lanes) == 0 and self._more:
            self.wake()
        else:
            self._turn()

    async def _attempt(self, due: Due) -> None:
        proxy = self._directory.proxies.get(due.proxy_id)
        try:
            loaded = await self._queue.load(due.id)
        except LookupError:
            return  # it is over already
        except SecretError as error:
            self._log.error("request {id} cannot be opened: {error}", id=due.id, error=error)
            await self._queue.give_up(due.id, "What was kept of it cannot be opened any more")
            return
        if proxy is None:
            row = await self._queue.give_up(due.id, "Its proxy was deleted")
            self._end(row, self._exchange(loaded, loaded.row), Reply(404, "Its proxy was deleted", "proxy-access-denied"))
            return
        try:
            found = self._directory.find(f"/{due.proxy_id}".encode())
        except ConfigError as error:
            self._log.error("a proxy cannot be compiled: {error}", error=error)
            found = None
        row = await self._queue.begin(due.id)
        ex = self._exchange(loaded, row)
        route = None if found is None else found[0]
        ex.route = route
        if row.progress.state is not State.SENDING:
            self._end(row, ex, _OVER)
            return
        if route is None:
            # Nothing was sent: what a repaired configuration may change is tried again.
            await self._settle(row, ex, None, None)
            return
        if proxy.auto_idempotency_key and not loaded.stored.has_key:
            ex.fields.append((fold(IDEMPOTENCY_KEY), IDEMPOTENCY_KEY, row.request_id.encode()))
        sent = await self._sender.send(ex, route, row.progress.attempts_now)
        await self._settle(row, ex, route, sent)

    async def _settle(self, row: Row, ex: Exchange, route: Route | None, sent: Sent | None) -> None:
        """Write down what came of an attempt, for as long as it takes: until then nobody knows."""
        timeout = 0.0 if route is None or route.target is None else route.target.timeout
        policy = None if route is None else route.proxy.retry_policy
        margin = margin_of(timeout, WINDOW if policy is None else int(policy.window * 1000))
        while True:
            try:
                if sent is None:
                    row = await self._queue.failed_inside(row)
                else:
                    wait = None if sent.wait is None else min(int(sent.wait * 1000), 10 * WINDOW)
                    row = await self._queue.answer(
                        row,
                        sent.outcome,
                        wait,
                        margin,
                        status=sent.answer.status,
                        problem=sent.problem,
                        answer=sent.answer,
                    )
                break
            except (sqlite3.Error, OSError) as error:
                self._trouble(error)
                await self._pause(AGAIN)
        if row.progress.state in ENDED:
            self._end(row, ex, None)
            return
        if sent is not None and sent.told and sent.wait and route is not None:
            # The target's other requests are held back too.
            until = self._clock.seconds() + min(sent.wait, LONGEST_HOLD)
            target_id = route.proxy.target_id
            self._held[target_id] = max(until, self._held.get(target_id, 0.0))
        due_at = row.progress.due_at
        if due_at is not None:
            self._sooner((due_at - self._queue.now()) / 1000)

    def _exchange(self, loaded: Loaded, row: Row) -> Exchange:
        started = self._clock.seconds() - (self._queue.now() - row.accepted_at) / 1000
        return loaded.stored.exchange(row.request_id, row.proxy_id, loaded.body, started, row.progress.attempts)

    # Telling.

    async def _tell_unsent(self, row: Row) -> None:
        """The end of a request that nobody was sending when it came."""
        try:
            loaded = await self._queue.load(row.id)
            found = self._directory.find(f"/{row.proxy_id}".encode())
        except (LookupError, SecretError, ConfigError, sqlite3.Error) as error:
            self._log.error("the log cannot tell of the end of request {id}: {error!r}", id=row.request_id, error=error)
            return
        ex = self._exchange(loaded, row)
        ex.route = None if found is None else found[0]
        self._end(row, ex, _UNKNOWN if row.progress.state is State.UNKNOWN else _OVER)

    def _end(self, row: Row, ex: Exchange, instead: Reply | None) -> None:
        """A request has come to its end. `instead`: what the log tells where no answer is the last."""
        if instead is not None:
            ex.final_status, ex.code, ex.message = instead.status, instead.code, instead.message
            ex.answered_at = self._clock.seconds()
        if row.progress.state is not State.SUCCEEDED:
            self._log.warn("request {id} is {state}", id=row.request_id, state=row.progress.state.value)
        ex.story = "end"
        if ex.route is not None:
            self._ended(ex)


_OVER: Final = Reply(504, "The time for attempts was used up", "target-timeout")
_UNKNOWN: Final = Reply(502, "The gateway stopped before the answer came", "target-unreachable")
