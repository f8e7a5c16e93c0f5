"""`OpenedState`: what a running gateway has open on disk: the Store, the request log, the journal that writes it,
and the counters.

Belongs here: opening them from the settings, in order. Does not: what they do (store/, journal.py), who uses them
(gateway.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from attrs import frozen

from rrgate.body_log import bodies_shown
from rrgate.boot import BootHooks
from rrgate.boot_values import Event
from rrgate.counters import Counters, open_memory
from rrgate.countries import Countries
from rrgate.journal import Journal
from rrgate.model import Client
from rrgate.record_view import Document, WrittenRecords, checks_written, listing, published
from rrgate.settings import Settings
from rrgate.store import AsyncStore, RequestLog, Store, given_keys
from rrgate.store.inventory import LateInventory
from rrgate.store.log_rows import BodyRow, ListedRow
from rrgate.store.secrets import Secrets, bodies_row


@frozen
class OpenedState:
    """The parts, and what was in the Store when it was opened."""

    store: AsyncStore
    secrets: Secrets
    inventory: LateInventory
    request_log: RequestLog
    journal: Journal
    counters: Counters


def open_state(
    settings: Settings,
    reactor: Any,
    wall: Callable[[], float],
    boot: BootHooks,
    closed_by: Callable[[Callable[[], Any]], None],
    client: Callable[[str], Client | None],
) -> OpenedState:
    """Open what lies in `settings.data`. `wall`: seconds since the epoch. `closed_by` is given what closes each part as
    soon as it is open. `client`: one by its id, asked on any thread.

    Raises StoreError, SettingsError; what was opened before it can be closed by then.
    """
    given = given_keys(settings.key_command, os.environ)
    opened = Store.open(settings.data, boot.migrations(), given)
    store = AsyncStore(opened, reactor)
    closed_by(store.close)
    counters = Counters(open_memory(settings.data, wall()), wall)
    closed_by(counters.close)
    inventory = opened.load_late()

    def keeps(client_id: str) -> int:
        days, known = settings.log_retention_days, client(client_id)
        return days if known is None else known.configuration.retention_days(days)

    secrets = opened.secrets

    def seal(client_id: str, request_id: str, plain: bytes) -> bytes:
        return secrets.seal(client_id, bodies_row(request_id), plain)

    def unsealed(bodies: BodyRow) -> dict[str, Any]:
        return bodies_shown(secrets.unseal(bodies.client_id, bodies_row(bodies.request_id), bodies.sealed))

    def listing_of(proxy_id: str, client_id: str, rows: Sequence[ListedRow]) -> Iterator[Document]:
        return map(listing(proxy_id, client_id, keeps(client_id), checks_written), rows)

    records = WrittenRecords()

    def writing_of(proxy_id: str, client_id: str, rows: Sequence[ListedRow]) -> Iterator[object]:
        return records.of(proxy_id, client_id, keeps(client_id), rows)

    request_log = RequestLog.open(
        settings.data,
        reactor,
        partial(published, keeps=keeps),
        keeps,
        unsealed,
        listing_of,
        writing_of,
    )
    closed_by(request_log.close)
    journal = Journal(
        request_log,
        batch=settings.journal_batch,
        interval=settings.journal_interval,
        queue_limit=settings.journal_queue,
        countries=Countries(settings.country_file),
        seal=seal,
        reactor=reactor,
        on_trouble=lambda text: boot.tell(Event("journal-trouble", text)),
    )
    closed_by(journal.close)
    return OpenedState(store, secrets, inventory, request_log, journal, counters)
