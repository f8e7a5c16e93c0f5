"""`Courier`: one turn of one request: its attempt, what is written down before and after, and the end in the log.

Belongs here: the order of these. Does not: whose turn it is (worker.py), the attempt itself (sending.py), the states
(states.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from rrgate.delivery.callbacks import CALLBACKS
from rrgate.delivery.kept import Loaded, Untold
from rrgate.delivery.keyless import Keyless
from rrgate.delivery.queue import Queue
from rrgate.delivery.sending import Sender, Sent
from rrgate.delivery.states import ENDED, WINDOW, State, WrongState, margin_of
from rrgate.delivery.stored import IDEMPOTENCY_KEY
from rrgate.delivery.table import Due, Row
from rrgate.delivery.telling import BROKEN, GONE, OVER, UNKNOWN, Telling
from rrgate.directory import Directory
from rrgate.names import fold
from rrgate.route import Route
from rrgate.store.errors import SecretError
from rrgate.store.thread import ThreadClosed

LONGEST_WAIT: Final = 10 * WINDOW
MOST_TOLD: Final = 100
"""Requests at a time, so that none of them is long in memory."""
SMALL: Final = 64 * 1024
"""Bytes of one that is read where its attempt is written down; a larger one would hold up whoever waits there."""
UNKNOWN_PROXY: Final = 30.0
"""Seconds after which it is looked again whether a proxy is known by now."""

Trouble = Callable[[Exception], Awaitable[None]]
"""Told of what keeps something from being written down; returns when it is worth another try."""


def _nothing() -> None:
    pass


async def written(
    write: Callable[[], Awaitable[Row]], trouble: Trouble, asked: Callable[[], object] = _nothing
) -> Row:
    """Write down what came of an attempt, however long that takes: until then nobody else knows it. `asked`: called
    when that was asked for."""
    while True:
        try:
            writing = write()
            asked()
            return await writing
        except (sqlite3.Error, OSError) as error:
            await trouble(error)


class Courier:
    """One object a gateway; all on the reactor's thread."""

    def __init__(
        self,
        queue: Queue,
        directory: Directory,
        sender: Sender,
        telling: Telling,
        is_gone: Callable[[str], Awaitable[bool]],
        flushed: Callable[[], Awaitable[object]],
        logged: Callable[[Collection[tuple[str, int]]], Awaitable[Collection[str]]],
    ) -> None:
        """`is_gone`: whether the proxy of that id, which is not in the Directory, was deleted; else another process has
        made it, and this one does not know it yet. `flushed`: returns once the log has on disk what it was given.
        `logged`: those of these requests, each with the number of its attempts, whose end the log has."""
        self._queue = queue
        self._directory = directory
        self._sender = sender
        self._telling = telling
        self._is_gone = is_gone
        self._flushed = flushed
        self._logged = logged
        self._keyless = Keyless(queue)
        self._log = Logger("rrgate.delivery")

    async def deliver(self, due: Due, trouble: Trouble, answered: Callable[[], object]) -> float:
        """Make an attempt at a request whose turn it is, or end it. For how many seconds its target wants to be left
        alone.

        `trouble` is told when what came of it cannot be written down, and returns when it is worth another try.
        `answered` is called, each time that is tried, where the target wants nothing of the kind: others may have its
        turn meanwhile.
        Raises sqlite3.Error where nothing was sent yet.
        """
        id, proxy_id = due.id, due.proxy_id
        known = proxy_id in self._directory.proxies
        try:
            if known and due.size <= SMALL:
                loaded = await self._queue.begin_small(id)
                row = loaded.row
            else:
                loaded = await self._queue.load(id)
                if not known:
                    return await self._unknown(loaded)
                row = await self._queue.begin(id)
        except (LookupError, WrongState):
            return 0.0  # it is over already, or was cancelled
        except SecretError as error:
            return await self._unopened(due, error)
        route = self._telling.route(proxy_id)
        if row.progress.state is not State.SENDING:
            self._queue.over(row)
            self._telling.end(row, loaded.stored, None, OVER)
            return 0.0
        if route is None:
            # Nothing was sent: what a repaired configuration may change is tried again.
            row = await written(lambda: self._queue.failed_inside(row), trouble)
            if row.progress.state in ENDED:
                self._telling.end(row, loaded.stored, None, OVER)
            return 0.0
        ex = self._telling.exchange(row, loaded.stored, loaded.body)
        if route.proxy.auto_idempotency_key and not loaded.stored.has_key:
            ex.fields.append((fold(IDEMPOTENCY_KEY), IDEMPOTENCY_KEY, row.request_id.encode()))
        try:
            sent = await self._sender.send(ex, route, row.progress.attempts_now)
        except CancelledError:
            self._telling.broken_off(ex)
            raise
        held = sent.told and sent.wait
        row = await written(lambda: self._answered(row, route, sent), trouble, _nothing if held else answered)
        if row.progress.state in ENDED:
            self._telling.end(row, loaded.stored, ex, None)
        else:
            self._telling.attempt(ex)
        if not sent.told or not sent.wait:
            return 0.0
        # Not beyond its own next attempt, which may have been moved forward.
        due_at = row.progress.due_at
        hold = min(sent.told, sent.wait)
        return hold if due_at is None else min(hold, (due_at - self._queue.now()) / 1000)

    async def _unknown(self, loaded: Loaded) -> float:
        """Its proxy is not in the Directory. Raises WrongState."""
        row = loaded.row
        if not await self._is_gone(row.proxy_id):
            self._log.error("proxy {proxy} is not known here; what it has to deliver waits", proxy=row.proxy_id)
            return UNKNOWN_PROXY
        self._telling.end(await self._queue.give_up(row.id, GONE.message), loaded.stored, None, GONE)
        return 0.0

    async def _unopened(self, due: Due, error: SecretError) -> float:
        gone = due.proxy_id not in self._directory.proxies and await self._is_gone(due.proxy_id)
        if not gone and await self._keyless.waits(due.proxy_id, error):
            return 0.0
        self._log.error("request {id} cannot be opened: {error}", id=due.id, error=error)
        try:
            row = await self._queue.give_up(due.id, GONE.message if gone else BROKEN.message)
        except (LookupError, WrongState):
            return 0.0  # it is over already
        if not gone:
            # The log is told of what it needs no body for.
            for stored in (await self._queue.heads([row.id])).values():
                self._telling.end(row, stored, None, BROKEN)
        return 0.0

    def _answered(self, row: Row, route: Route, sent: Sent) -> Awaitable[Row]:
        policy = route.proxy.retry_policy
        timeout = 0.0 if route.target is None else route.target.timeout
        return self._queue.answer(
            row,
            sent.outcome,
            None if sent.wait is None else int(min(sent.wait * 1000, LONGEST_WAIT)),
            margin_of(timeout, WINDOW if policy is None else int(policy.window * 1000)),
            status=sent.answer.status,
            problem=sent.problem,
            answer=sent.answer,
            tells_body=route.proxy.callback_body,
        )

    # Telling.

    async def tell_once_more(self, until: int, behind: int) -> int | None:
        """Tell the log of some requests that had ended by `until`, before a gateway died, and of which it may not know.

        Returns when it has them. By number, `behind` that one; the number of the last, None where there are no more.
        Raises sqlite3.Error.
        """
        found = await self._queue.untold(until, behind, MOST_TOLD)
        known = await self._known(found)
        if known is None:
            return None  # until another gateway starts
        for untold in found:
            self._telling.once_more(untold, known=untold.row.request_id in known)
        if len(found) < MOST_TOLD:
            return None
        # Given all at once, a hundred thousand would be shed where they do not fit.
        await self._flushed()
        return found[-1].row.id

    async def _known(self, found: Collection[Untold]) -> Collection[str] | None:
        """Of which the log knows; None where it does not say. It alone knows whether telemetry has an attempt."""
        try:
            return await self._logged([(untold.row.request_id, untold.row.progress.attempts) for untold in found])
        except (sqlite3.Error, OSError, ThreadClosed) as error:
            # Nothing for the queue to wait for, which can be written.
            self._log.error("the log is not told what ended before, as it cannot be read: {error}", error=error)
            return None

    async def recovered(self, row: Row) -> None:
        """A request that was being sent when its gateway died is what `row` says now. Raises sqlite3.Error."""
        state = row.progress.state
        if row.proxy_id.startswith(CALLBACKS):
            return  # a callback, which is sent again
        self._log.warn("request {id} was being sent when a gateway died; it is {state}", id=row.request_id, state=state)
        if state not in ENDED:
            return
        for stored in (await self._queue.heads([row.id])).values():
            self._telling.end(row, stored, None, UNKNOWN if state is State.UNKNOWN else OVER)
