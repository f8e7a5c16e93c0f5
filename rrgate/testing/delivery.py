"""`MemoryDelivery`: the Async API of a gateway in memory: the real queue, worker and sender, on the test's clock.

Belongs here: which parts it is made of. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any, Protocol, TypeVar

from sqlite_utils import Database
from twisted.internet.defer import Deferred, maybeDeferred

from rrgate.api import CallsOutside, Event, Exchange, Proxy, Reply
from rrgate.delivery.accept import Acceptance
from rrgate.delivery.bounds import bounds_of
from rrgate.delivery.calling_back import CallsBack
from rrgate.delivery.commits import AtOnce
from rrgate.delivery.courier import Courier
from rrgate.delivery.left_behind import LeftBehind
from rrgate.delivery.managing import Managing
from rrgate.delivery.queue import Queue
from rrgate.delivery.schema import migrations
from rrgate.delivery.sending import Sender
from rrgate.delivery.table import Keep
from rrgate.delivery.telling import Telling
from rrgate.delivery.times import DeliveryTime
from rrgate.delivery.untold import Untold
from rrgate.delivery.worker import Worker
from rrgate.directory import Directory
from rrgate.pipeline_parts import Records, Upstream
from rrgate.settings import Settings
from rrgate.testing.clock import Clock

T = TypeVar("T")


class NotSealed:
    """In clear, as long as nothing is the matter with the keys."""

    trouble: Exception | None = None

    def seal(self, client_id: str, row: str, plaintext: bytes) -> bytes:
        """`plaintext`. Raises what is the matter."""
        if self.trouble is not None:
            raise self.trouble
        return plaintext

    def unseal(self, client_id: str, row: str, sealed: bytes) -> bytes:
        """`sealed`. Raises what is the matter."""
        if self.trouble is not None:
            raise self.trouble
        return sealed


class _ReadsNow:
    def call(self, work: Callable[[], T]) -> Deferred[T]:
        return maybeDeferred(work)


async def _is_gone(proxy_id: str) -> bool:
    return True


def _secrets(proxy: Proxy, now: int) -> list[bytes]:
    """What was put into a proxy is not sealed."""
    until = proxy.previous_callback_secret_expires_at
    previous = proxy.previous_sealed_callback_secret if until is not None and now < until else None
    return [secret for secret in (proxy.sealed_callback_secret, previous) if secret is not None]


class _Records(Records, Protocol):
    @property
    def ended(self) -> Mapping[str, int]: ...

    @property
    def known(self) -> set[str]: ...


class MemoryDelivery:
    """Opened when it is first used: most tests do not."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        directory: Directory,
        upstream: Upstream,
        outside: CallsOutside,
        records: _Records,
        tell: Callable[[Event], object],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._directory = directory
        self._upstream = upstream
        self._outside = outside
        self._records = records
        self._tell = tell
        self.seals = NotSealed()
        self.dead: set[int] = set()
        """Numbers of processes that took requests before, in `takers`."""

    @cached_property
    def database(self) -> Database:
        """queue.db, in memory; nothing in it is sealed."""
        database = Database(memory=True, execute_plugins=False, strict=True)
        database.conn.execute("PRAGMA foreign_keys = ON")
        migrations.apply(database)
        return database

    @cached_property
    def queue(self) -> Queue:
        """The requests that were taken."""
        now = DeliveryTime(self._clock.seconds, int((self._clock.wall() - self._clock.seconds()) * 1000))
        return Queue(
            AtOnce(self.database),
            _ReadsNow(),
            self.database,
            self.seals,
            now,
            Keep(),
            bounds_of(self._settings),
        )

    @cached_property
    def worker(self) -> Worker:
        """Who delivers them."""
        return self.new_worker()

    def new_worker(self) -> Worker:
        """One as a gateway has that is started on this queue."""
        sender = Sender(
            self._upstream,
            self._clock,
            self._clock.wall,
            prefix=self._settings.header_prefix,
            shown=self._records.shown,
            tell=self._tell,
        )
        worker = Worker(
            self.queue,
            self._directory,
            Courier(self.queue, self._directory, sender, self._telling, _is_gone, self.flushed, self.logged),
            CallsBack(
                self.queue,
                self._directory,
                lambda client_id: self._outside,
                _secrets,
                _is_gone,
                self._clock.wall,
                lambda: 1.0,
                self._tell,
            ),
            LeftBehind(self.queue, self._telling, self.dead.__contains__, self.flushed, self.known),
            self._clock,
            in_flight=self._settings.async_in_flight,
            per_target=self._settings.async_in_flight_per_target,
        )
        worker.start()
        return worker

    @cached_property
    def _telling(self) -> Telling:
        untold = Untold(self.queue, self._clock, self.flushed)
        return Telling(
            self._directory, self._clock, self.queue.now, self._records.put, self._tell, untold.given
        )

    @cached_property
    def managing(self) -> Managing:
        """What the Core API works with."""
        return Managing(self.queue, self._directory, self._telling, self._wake)

    @cached_property
    def _acceptance(self) -> Acceptance:
        return Acceptance(
            self.queue,
            prefix=self._settings.header_prefix,
            public_url=lambda: "http://gateway.test",
            taken=self._taken,
        )

    def _taken(self, proxy_id: str, seconds: float) -> None:
        self.worker.taken(proxy_id, seconds)

    def _wake(self) -> None:
        self.worker.wake()

    async def flushed(self) -> None:
        """The log of a gateway in memory has at once what it is given."""

    async def logged(self, requests: Collection[tuple[str, int]]) -> set[str]:
        ended = self._records.ended
        return {request_id for request_id, attempts in requests if ended.get(request_id, -1) >= attempts}

    async def known(self, request_ids: Collection[str]) -> set[str]:
        return self._records.known.intersection(request_ids)

    def recorded(self, ex: Exchange) -> None:
        """The log of a gateway in memory has at once what it is given."""

    async def accept(self, ex: Exchange) -> Reply:
        """See `rrgate.pipeline_parts.Accepts`."""
        return await self._acceptance.accept(ex)

    async def show(self, ex: Exchange) -> Reply:
        """See `rrgate.pipeline_parts.Accepts`."""
        return await self._acceptance.show(ex)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query of the queue's tables answers."""
        return list(self.database.conn.execute(sql, values).fetchall())
