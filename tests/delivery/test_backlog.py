"""Many requests that wait: they hold nobody else's up, and stay on disk.

Belongs here: thousands, in memory. Does not: 100,000 and a whole process (`python -m bench.backlog`).
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from rrgate.delivery import new_rows, states
from rrgate.delivery.stored import Stored
from rrgate.ids import new_id
from rrgate.model import Proxy
from rrgate.store.database import transaction
from rrgate.testing import MemoryGateway, Says

MANY = 5_000


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway(installed=False)
    yield gateway
    gateway.stop()


def wait(gateway: MemoryGateway, proxy: Proxy, count: int) -> None:
    """So many requests of the proxy are due, as they would be on disk."""
    head = Stored("POST", "/flood", "", "", [], [], "", "", {}, [], "127.0.0.1", 0, 0.0).head()
    now = gateway.delivery.queue.now()
    with transaction(gateway.delivery.database) as connection:
        for _ in range(count):
            progress = states.accepted(now, delay=0, window=900_000, repeatable=False)
            row = new_rows.NewRow(new_id(), proxy.id, proxy.client_id, b"", now, progress, head, b"load")
            new_rows.insert(connection, row)


def test_anothers_request_is_sent_at_once(gateway: MemoryGateway) -> None:
    flooded, other = gateway.proxy(), gateway.proxy(url="https://other.test")
    wait(gateway, flooded, MANY)
    gateway.target.says = Says(after=5)
    gateway.delivery.worker.wake()
    gateway.clock.settle()
    assert 0 < len(gateway.target.received) < 100, "as many as may be under way"
    assert gateway.call("POST", other, "/", (), b"mine", api="async").answer.status == 202
    gateway.clock.settle()
    assert len(gateway.target_at("other.test").received) == 1


def test_keys_that_are_old_are_removed_faster_than_they_come(gateway: MemoryGateway) -> None:
    with transaction(gateway.delivery.database) as connection:
        rows = [(b"%d" % number,) for number in range(MANY)]
        connection.executemany("INSERT INTO keys VALUES ('p', x'', ?, 'r', x'', 1)", rows)
    gateway.delivery.worker.wake()
    gateway.clock.advance(5)
    assert gateway.delivery.rows("SELECT count(*) FROM keys") == [(0,)], "1,000 a second"


def test_what_is_old_is_removed_faster_than_it_comes(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    wait(gateway, proxy, MANY)
    with transaction(gateway.delivery.database) as connection:
        connection.execute("UPDATE requests SET state = 'succeeded', due_at = NULL, ended_at = 1, keep_until = 1")
    gateway.delivery.worker.wake()
    gateway.clock.advance(5)
    assert gateway.delivery.rows("SELECT count(*) FROM requests") == [(0,)], "1,000 a second"


def peak(gateway: MemoryGateway) -> int:
    """Bytes that looking for whose turn it is, and sending some, has taken at most."""
    tracemalloc.start()
    gateway.delivery.worker.wake()
    gateway.clock.settle()
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return taken


def test_they_are_not_in_memory() -> None:
    peaks = []
    for count in (500, 500, MANY):  # the first one loads what the others have
        gateway = MemoryGateway(installed=False)
        wait(gateway, gateway.proxy(), count)
        gateway.target.says = Says(after=5)
        peaks.append(peak(gateway))
        gateway.stop()
    assert peaks[2] < 1.5 * peaks[1]
