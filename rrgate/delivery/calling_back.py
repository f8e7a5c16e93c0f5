"""`CallsBack`: one turn of one callback: the call, what is written down before and after.

Belongs here: the order of these, and when another call may help. Does not: whose turn it is (worker.py), the message
(callbacks.py), the call itself (rrgate/outside.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from rrgate.api import CallsOutside, Event, OutsideAnswer, OutsideError
from rrgate.delivery.callbacks import CALLBACKS, NotCallable, check_url, signed
from rrgate.delivery.courier import UNKNOWN_PROXY, Trouble, written
from rrgate.delivery.keyless import Keyless
from rrgate.delivery.queue import Queue
from rrgate.delivery.states import ENDED, Outcome, State, WrongState, margin_of
from rrgate.delivery.table import Due, Row
from rrgate.directory import Directory
from rrgate.model import Proxy
from rrgate.model.retry_policy import RetryPolicy
from rrgate.retry_after import retry_after
from rrgate.store.errors import SecretError

TIMEOUT: Final = 20.0
"""Seconds of one call."""
POLICY: Final = RetryPolicy()
_GONE: Final = 410
"""By which a receiver says that it never wants to hear of this again (Standard Webhooks 1.0)."""


class CallsBack:
    """One object a gateway; on the reactor's thread. A Courier for callbacks."""

    def __init__(
        self,
        queue: Queue,
        directory: Directory,
        outside: Callable[[str], CallsOutside],
        secrets: Callable[[Proxy, int], list[bytes]],
        is_gone: Callable[[str], Awaitable[bool]],
        wall: Callable[[], float],
        random: Callable[[], float],
        tell: Callable[[Event], object],
    ) -> None:
        """`outside`: guarded calls for a client, by its id. `secrets`: see `Unsealer.unseal_callback_secrets`.
        `is_gone`: see Courier. `random`: from 0 to 1. `tell`: see `BootHooks.tell`."""
        self._queue = queue
        self._keyless = Keyless(queue)
        self._directory = directory
        self._outside = outside
        self._secrets = secrets
        self._is_gone = is_gone
        self._wall = wall
        self._random = random
        self._tell = tell
        self._log = Logger("rrgate.delivery")

    async def deliver(self, due: Due, trouble: Trouble, answered: Callable[[], object]) -> float:
        """See `Courier.deliver`; nobody is ever held back."""
        id, proxy_id = due.id, due.proxy_id.removeprefix(CALLBACKS)
        proxy = self._directory.proxies.get(proxy_id)
        if proxy is None and not await self._is_gone(proxy_id):
            return UNKNOWN_PROXY
        try:
            row, url, body = await self._queue.load_callback(id)
            problem = "Its proxy was deleted" if proxy is None else ""
            secrets = []
            if proxy is not None:
                check_url([url.encode()], proxy.callback_hosts)
                secrets = self._secrets(proxy, int(self._wall() * 1000))
                problem = "" if secrets else "Its proxy has no secret to sign it"
        except LookupError:
            return 0.0  # it is over already
        except NotCallable as error:
            problem = f"The URL {error}"
        except SecretError as error:
            if proxy is not None and await self._keyless.waits(due.proxy_id, error):
                return 0.0
            self._log.error("callback {id} cannot be opened: {error}", id=id, error=error)
            problem = "What was kept of it, or the secret to sign it, cannot be opened any more"
        try:
            if problem:
                self._over(await self._queue.give_up(id, problem))
                return 0.0
            row = await self._queue.begin(id)
        except WrongState:
            return 0.0
        if row.progress.state is not State.SENDING:
            self._over(self._queue.over(row))
            return 0.0
        fields = signed(row.request_id, int(self._wall()), body, secrets)
        answer, status, failure = None, None, None
        try:
            answer = await self._outside(row.client_id).request(
                "POST", url, headers=fields, data=body, timeout=TIMEOUT
            )
            status = answer.status
        except CancelledError:
            raise
        except OutsideError as error:
            # A receiver says by its status that it has it: what else it says, and in which form, is not asked.
            status, failure = error.status, str(error)
        except Exception:  # noqa: BLE001 - a bug of ours: the callback is not lost for it
            self._log.failure("callback {id} failed inside the gateway", id=row.request_id)
            failure = "It failed inside the gateway"
        row = await written(lambda: self._answered(row, answer, status, failure), trouble, answered)
        self._over(row)
        return 0.0

    def _answered(
        self, row: Row, answer: OutsideAnswer | None, status: int | None, failure: str | None
    ) -> Awaitable[Row]:
        outcome, wait = Outcome.TRANSIENT, None
        if status is not None and 200 <= status < 300:
            outcome, failure = Outcome.GOOD, None
        elif status == _GONE:
            outcome, failure = Outcome.BAD, "The receiver wants no more of these"
        else:
            failure = failure or f"The receiver answered {status}"
            wait = int(self._wait(row.progress.attempts_now, answer) * 1000)
        margin = margin_of(TIMEOUT, int(POLICY.window * 1000))
        return self._queue.answer(row, outcome, wait, margin, status=status, problem=failure, answer=None)

    def _wait(self, attempt: int, answer: OutsideAnswer | None) -> float:
        """Exponential, with full jitter, or for as long as the receiver says."""
        longest = min(POLICY.cap, POLICY.base * POLICY.factor ** (attempt - 1))
        told = None if answer is None else answer.header(b"Retry-After")
        return max(longest * self._random(), retry_after(told, self._wall()))

    def _over(self, row: Row) -> None:
        state = row.progress.state
        if state in ENDED and state is not State.SUCCEEDED:
            self._log.warn("callback {id} is {state}: {why}", id=row.request_id, state=state.value, why=row.problem)
            proxy_id = row.proxy_id.removeprefix(CALLBACKS)
            self._tell(Event("callback-failed", f"a callback of a proxy is {state.value}", proxy_id))
