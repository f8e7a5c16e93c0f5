"""`Managing`: what people do with requests that were taken: look at them, cancel them, have them sent again.

Belongs here: these, for the Core API; see `rrgate.deliveries.Deliveries`. Does not: who may (core/), the states
(states.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from rrgate.deliveries import Document, NotNow, Replayed
from rrgate.delivery.kept import Shown
from rrgate.delivery.making_room import NotKept
from rrgate.delivery.queue import Queue
from rrgate.delivery.showing import delivery_document
from rrgate.delivery.states import WINDOW, State, WrongState
from rrgate.delivery.stored import Stored
from rrgate.delivery.table import Row
from rrgate.delivery.telling import CANCELLED, Telling
from rrgate.directory import Directory


class Managing:
    """One object a gateway. Works in every process of a node, whichever delivers."""

    def __init__(self, queue: Queue, directory: Directory, telling: Telling, wake: Callable[[], object]) -> None:
        """`wake`: there may be something to send."""
        self._queue = queue
        self._directory = directory
        self._telling = telling
        self._wake = wake

    async def told(self, proxy_id: str, request_id: str) -> Document | None:
        """See `Deliveries`."""
        shown = await self._shown(proxy_id, request_id)
        return None if shown is None else delivery_document(shown)

    async def cancel(self, proxy_id: str, request_id: str) -> Document | None:
        """See `Deliveries`."""
        shown = await self._shown(proxy_id, request_id)
        if shown is None:
            return None
        # Before: what is cancelled is not kept.
        kept = await self._queue.heads([shown.row.id])
        try:
            row = await self._queue.cancel(shown.row.id)
        except LookupError:
            return None
        except WrongState as error:
            raise NotNow(_not_now(error)) from None
        for stored in kept.values():
            self._telling.end(row, stored, None, CANCELLED, shown.attempts[-1] if shown.attempts else None)
        self._wake()  # somebody may want to be told
        return await self.told(proxy_id, request_id)

    async def replay(self, proxy_id: str, request_id: str) -> Document | None:
        """See `Deliveries`."""
        shown = await self._shown(proxy_id, request_id)
        if shown is None:
            return None
        kept = await self._queue.heads([shown.row.id])
        try:
            row = await self._queue.replay(shown.row.id, self._window(proxy_id))
        except LookupError:
            return None
        except WrongState as error:
            raise NotNow(_not_now(error)) from None
        except NotKept as error:
            raise NotNow(str(error)) from None
        self._again([row], kept)
        return await self.told(proxy_id, request_id)

    async def replay_all(
        self,
        proxy_id: str,
        states: Collection[str],
        after: int | None,
        before: int | None,
        behind: tuple[int, int] | None,
    ) -> Replayed:
        """See `Deliveries`."""
        wanted = [State(state) for state in states]
        rows, last = await self._queue.replay_all(proxy_id, wanted, after, before, behind, self._window(proxy_id))
        self._again(rows, await self._queue.heads([row.id for row in rows]))
        return Replayed(len(rows), last)

    async def _shown(self, proxy_id: str, request_id: str) -> Shown | None:
        return await self._queue.show(proxy_id, request_id, None, with_answer=False)

    def _window(self, proxy_id: str) -> int:
        proxy = self._directory.proxies.get(proxy_id)
        policy = None if proxy is None else proxy.retry_policy
        return WINDOW if policy is None else int(policy.window * 1000)

    def _again(self, rows: Collection[Row], kept: Mapping[int, Stored]) -> None:
        # The log first: what it is told of the end comes behind.
        for row in rows:
            if row.id in kept:
                self._telling.again(row, kept[row.id])
        self._wake()


def _not_now(error: WrongState) -> str:
    if error.state is State.SENDING:
        return f"{error}: wait for the end of the attempt that is under way"
    return str(error)
