"""`Acceptance`: the pipeline's way for the Async API: taking requests, and telling callers of theirs.

Belongs here: what a caller is answered. Does not: judging the request (pipeline.py), keeping it (queue.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Final

from twisted.logger import Logger

from rrgate.answers import BAD_REQUEST, DENIED, GRANTED, GRANTED_MESSAGE
from rrgate.delivery.bounds import Full
from rrgate.delivery.callbacks import NotCallable, check_url
from rrgate.delivery.keys import AnotherRequest, Key
from rrgate.delivery.queue import Queue
from rrgate.delivery.showing import status_document
from rrgate.delivery.states import WINDOW
from rrgate.delivery.stored import IDEMPOTENCY_KEY, Stored, whose
from rrgate.delivery.takers import Takers
from rrgate.delivery.taking import New
from rrgate.exchange import Exchange
from rrgate.ids import UUID_FORM
from rrgate.messages import Reply
from rrgate.pipeline_parts import OURS
from rrgate.store.errors import StoreError

MOST_BODY: Final = 6 * 1024 * 1024
"""Bytes of a request's body, unless its proxy sets another bound."""
LARGEST_BODY: Final = 64 * 1024 * 1024
"""Whatever a proxy sets: it is held in memory, to be sealed and to be sent."""
FULL_WAIT: Final = 30
"""Seconds after which there may be room again."""
LONGEST_DELAY: Final = 7 * 86_400
"""Seconds."""


class Acceptance:
    """One object a gateway."""

    def __init__(
        self,
        queue: Queue,
        *,
        prefix: str,
        public_url: Callable[[], str],
        taken: Callable[[str, float], object],
        keyed: Callable[[str], Awaitable[object]] | None = None,
        takers: Takers | None = None,
    ) -> None:
        """`prefix`: of our headers. `public_url`: where callers reach the gateway. `taken`: told of each, by
        its proxy's id and in how many seconds it is due.

        `keyed`: returns when the data key of a client, by its id, is safe on disk. `takers`: sees to it that the log
        has what is taken; None where the log is in memory.
        """
        self._queue = queue
        self._delay = f"{prefix}delay".encode()
        self._callback = f"{prefix}callback-url".encode()
        self._public_url = public_url
        self._taken = taken
        self._keyed = keyed
        self._takers = takers
        self._log = Logger("rrgate.delivery")

    async def accept(self, ex: Exchange) -> Reply:
        """202 once the request, its body included, is on disk; nothing is sent before. See `Accepts`."""
        route, identity = ex.route, ex.identity
        assert route is not None
        assert identity is not None
        delay = _seconds(ex.headers(self._delay))
        if delay is None:
            name = self._delay.decode()
            return Reply(400, f"{name} must be a whole number of seconds up to {LONGEST_DELAY}", BAD_REQUEST)
        try:
            callback = check_url(ex.headers(self._callback), route.proxy.callback_hosts)
            if callback is not None and route.proxy.sealed_callback_secret is None:
                raise NotCallable("is given, and the proxy has no secret to sign callbacks with")
        except NotCallable as error:
            return Reply(400, f"{self._callback.decode()} {error}", BAD_REQUEST)
        keys = ex.headers(IDEMPOTENCY_KEY)
        if keys and not any(keys):
            # All that have none would be one request, and the second not taken.
            return Reply(400, "Idempotency-Key must not be empty: leave it out where there is none", BAD_REQUEST)
        limit = route.proxy.max_request_bytes
        body = await ex.whole_body(MOST_BODY if limit is None else min(limit, LARGEST_BODY))
        policy = route.proxy.retry_policy
        window = WINDOW if policy is None else int(policy.window * 1000)
        try:
            if self._keyed is not None:
                await self._keyed(route.client.id)
            new = New(
                ex.id,
                route.proxy.id,
                route.client.id,
                whose(identity),
                Stored.of(ex),
                body,
                delay=delay * 1000,
                window=window,
                key=Key.of(keys, ex.method, ex.origin_path, ex.crossing_query(), body),
                callback=callback,
            )
            if self._takers is not None:
                self._takers.begun(ex.id)
            taken = await self._queue.add(new)
        except AnotherRequest:
            text = "This Idempotency-Key was used for another request in the last 24 hours; use a new one for each"
            return Reply(422, text, BAD_REQUEST)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._log.error("request {id} was not taken: the queue cannot be written ({error})", id=ex.id, error=error)
            text = "The gateway cannot keep requests at the moment; this one was not taken"
            return Reply(503, text, "unavailable", headers=((b"Retry-After", b"5"),))
        if isinstance(taken, Full):
            self._log.debug("request {id} was not taken: {why}", id=ex.id, why=taken.why)
            return Reply(503, taken.why, "unavailable", headers=((b"Retry-After", b"%d" % FULL_WAIT),))
        request_id = taken
        if request_id == ex.id:
            ex.story, ex.attempt = "beginning", 0
            self._taken(route.proxy.id, delay)
        location = f"{self._public_url()}/async/{route.proxy.id}{OURS.decode()}/{request_id}"
        document = {
            "status": "queued",
            "requestId": request_id,
            "message": "Your request has been queued for processing.",
        }
        fields = ((b"Location", location.encode("latin-1", "replace")),)
        return Reply(202, GRANTED_MESSAGE, GRANTED, document=document, headers=fields)

    def recorded(self, ex: Exchange) -> None:
        """See `Accepts`."""
        if self._takers is not None:
            self._takers.recorded(ex.id)

    async def show(self, ex: Exchange) -> Reply:
        """The status of a request, to whoever it is of; to all others there is none. See `Accepts`."""
        if ex.method not in (b"GET", b"HEAD"):
            allow = ((b"Allow", b"GET, HEAD"),)
            return Reply(405, "The status of a request is read with GET", BAD_REQUEST, headers=allow)
        route, identity = ex.route, ex.identity
        assert route is not None
        shown = None
        request_id = ex.origin_path[len(OURS) + 1 :].decode("latin-1")
        if identity is not None and UUID_FORM.match(request_id):
            try:
                shown = await self._queue.show(route.proxy.id, request_id, whose(identity))
            except (sqlite3.Error, OSError, StoreError) as error:
                self._log.error("the status of request {id} cannot be read ({error})", id=request_id, error=error)
                text = "The gateway cannot read what it keeps of requests at the moment"
                return Reply(503, text, "unavailable", headers=((b"Retry-After", b"5"),))
        if shown is None:
            return Reply(404, "There is no such request, or it is no longer kept", DENIED)
        return Reply(200, GRANTED_MESSAGE, GRANTED, document=status_document(shown))


def _seconds(values: list[bytes]) -> int | None:
    """How long to wait, 0 where nothing is said, None for what is no number of seconds."""
    if not values:
        return 0
    text = values[0].strip()
    if len(values) > 1 or not text.isdigit() or len(text) > 6 or int(text) > LONGEST_DELAY:
        return None
    return int(text)
