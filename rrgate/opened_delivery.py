"""`OpenedDelivery`: the Async API of a running gateway: its queue on disk, who takes requests, and who delivers them.

Belongs here: opening them from the settings, and the lock by which one process of a node delivers. Does not: what they
do (delivery/), who uses them (gateway.py).
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import frozen

from rrgate.api import CallsOutside
from rrgate.boot import BootHooks
from rrgate.delivery.accept import Acceptance
from rrgate.delivery.bounds import bounds_of
from rrgate.delivery.calling_back import CallsBack
from rrgate.delivery.commits import Commits
from rrgate.delivery.courier import Courier
from rrgate.delivery.left_behind import LeftBehind
from rrgate.delivery.managing import Managing
from rrgate.delivery.owning import DeliveryLock
from rrgate.delivery.queue import Queue
from rrgate.delivery.schema import migrations
from rrgate.delivery.sending import Sender
from rrgate.delivery.space import Space
from rrgate.delivery.table import Keep
from rrgate.delivery.takers import Locks, Takers, enter
from rrgate.delivery.telling import Telling
from rrgate.delivery.times import DeliveryTime
from rrgate.delivery.untold import Untold
from rrgate.delivery.worker import Worker
from rrgate.directory import Directory
from rrgate.node import Node
from rrgate.opened_state import OpenedState
from rrgate.pipeline_parts import Upstream
from rrgate.settings import Settings
from rrgate.store.damage import unusable
from rrgate.store.database import connect, open_migrated, transaction
from rrgate.store.errors import StoreError
from rrgate.store.folder import BALLAST, DELIVERY_LOCK, QUEUE_DATABASE, TAKERS_LOCK
from rrgate.store.thread import WorkThread
from rrgate.store.unsealing import Unsealer
from rrgate.waiting import run_deferred

_HOUR = 3_600_000


@frozen
class OpenedDelivery:
    """The parts that others use. The worker is started, and stopped, by whoever has this."""

    acceptance: Acceptance
    worker: Worker
    queue: Queue
    managing: Managing


def open_delivery(
    settings: Settings,
    reactor: Any,
    wall: Callable[[], float],
    boot: BootHooks,
    *,
    state: OpenedState,
    directory: Directory,
    node: Node,
    upstream: Upstream,
    outside: Callable[[str], CallsOutside],
    public_url: Callable[[], str],
    closed_by: Callable[[Callable[[], Any]], None],
) -> OpenedDelivery:
    """Open the queue in `settings.data`, made if it is not there. `wall`: seconds since the epoch.

    `outside`: guarded calls for a client, by its id.
    `closed_by` is given what closes each part as soon as it is open. Raises StoreError.
    """
    path = settings.data / QUEUE_DATABASE
    database = open_migrated(path, migrations, synchronous="FULL")
    # As of the request log: what a statement might undo is copied into memory, not into a file.
    database.conn.execute("PRAGMA temp_store = MEMORY")
    space = Space(settings.data / BALLAST, settings.async_free_disk)
    commits = Commits(database, reactor, space.failed)
    closed_by(lambda: commits.close(database.close))
    locks = Locks(settings.data / TAKERS_LOCK)
    closed_by(locks.free)
    try:
        with transaction(database) as connection:
            now = DeliveryTime.of(connection, wall)
            taker = enter(connection)
            locks.hold(taker)  # before anybody sees that it is there
    except sqlite3.Error as error:  # another process has it, say, or the disk is full
        raise unusable(path, "cannot be written", error) from error
    reader = connect(path, synchronous="FULL", read_only=True)
    reads = WorkThread(reactor, "rrgate-delivery-reader")
    closed_by(lambda: reads.close(reader.close))
    lock = DeliveryLock(settings.data / DELIVERY_LOCK)
    closed_by(lock.free)
    keep = Keep(settings.async_dead_letters_hours * _HOUR, settings.async_answers_hours * _HOUR)
    queue = Queue(commits, reads, reader, state.secrets, now, keep, bounds_of(settings), space.full, taker)
    sender = Sender(
        upstream, reactor, wall, prefix=settings.header_prefix, shown=state.journal.shown, tell=boot.tell
    )

    async def is_gone(proxy_id: str) -> bool:
        inventory = await state.store.load()
        return all(proxy.id != proxy_id for proxy in inventory.proxies)

    untold = Untold(queue, reactor, state.journal.flush)
    closed_by(lambda: run_deferred(untold.close()))
    telling = Telling(directory, reactor, now, state.journal.put, boot.tell, untold.given)
    takers = Takers(queue, reactor, state.journal.flush)
    closed_by(lambda: run_deferred(takers.close()))
    worker = Worker(
        queue,
        directory,
        Courier(queue, directory, sender, telling, is_gone, state.journal.flush, state.request_log.ended),
        CallsBack(
            queue,
            directory,
            outside,
            Unsealer(state.secrets).unseal_callback_secrets,
            is_gone,
            wall,
            random.random,
            boot.tell,
        ),
        LeftBehind(queue, telling, locks.is_dead, state.journal.flush, state.request_log.known),
        reactor,
        in_flight=settings.async_in_flight,
        per_target=settings.async_in_flight_per_target,
        owns=lambda: node.may_deliver() and lock.take(),
    )
    acceptance = Acceptance(
        queue,
        prefix=settings.header_prefix,
        public_url=public_url,
        taken=node.taken(worker.taken, worker.wake),
        keyed=_DataKeys(state).safe,
        takers=takers,
    )
    return OpenedDelivery(acceptance, worker, queue, Managing(queue, directory, telling, node.wakes(worker.wake)))


class _DataKeys:
    """What is sealed in queue.db must not be there before the key that opens it is in rrgate.db."""

    def __init__(self, state: OpenedState) -> None:
        self._state = state
        self._safe: set[str] = set()

    async def safe(self, client_id: str) -> None:
        """Returns when the client's data key is on disk. Raises StoreError, also if the client has been deleted."""
        if client_id in self._safe:
            return
        secrets = self._state.secrets
        secrets.seal(client_id, "queue", b"")  # which makes the key, if there is none
        if client_id in secrets.unsaved():
            await self._state.store.save()
            if client_id in secrets.unsaved():
                raise StoreError("its client is no more")
        self._safe.add(client_id)
