"""Requests that a process took before it died: the log and telemetry have the 202 of each, once, whatever it had told.

Belongs here: what is told of them, and what is not. Does not: ends (test_told_once_more.py), killed processes
(tests/processes/test_delivery.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rrgate.delivery import left_behind
from rrgate.delivery.takers import enter
from rrgate.store.database import transaction
from rrgate.testing import MemoryGateway
from tests.delivery.test_attempts_counted import added_up
from tests.delivery.test_delivering import CALLER, send, status


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    gateway.clock.advance(1)
    yield gateway
    gateway.stop()


def dies(gateway: MemoryGateway, *, told: int = 0) -> None:
    """What was taken so far was by a process that is dead, and had seen that the log has it up to that number."""
    gateway.delivery.worker.break_off()
    with transaction(gateway.delivery.database) as connection:
        taker = enter(connection)
        connection.execute("UPDATE takers SET told = ?", (told,))
        connection.execute("UPDATE requests SET taker = ?", (taker,))
    gateway.delivery.dead.add(taker)


def starts_again(gateway: MemoryGateway) -> None:
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.settle()


def codes(gateway: MemoryGateway, scope: str) -> dict[str, int]:
    return {key: number for key, (number, _) in added_up(gateway.tally.take(), scope).codes.items()}


def shown(gateway: MemoryGateway, request_id: str) -> list[tuple[int, bool]]:
    records: list[Any] = [record for record, _ in gateway.records]
    return [(each["proxyData"]["status"], each["processed"]) for each in records if each["sKey"] == request_id]


LATER = {"requestrocket-delay": "3600"}


def test_what_the_log_did_not_have_is_told_and_counted(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_behind, "MOST_LOOKED_AT", 2)
    proxy = gateway.proxy(caller=CALLER)
    ids = [send(gateway, proxy, headers=LATER) for _ in range(5)]
    before = {record["sKey"]: (record, detail) for record, detail in gateway.records}
    dies(gateway)
    gateway.clock.advance(60)
    gateway.tally.take()
    del gateway.records[2:]  # the log has two, and telemetry
    starts_again(gateway)
    for id in ids:
        assert shown(gateway, id) == [(202, False)]
    assert codes(gateway, proxy.id) == {"202:proxy": 3}
    for record, detail in gateway.records[2:]:
        was, was_in_detail = before[str(record["sKey"])]
        # Of what was in memory alone nothing is made up.
        known: Any = record
        known_before: Any = was
        assert known["proxyData"]["duration"] == 0
        for gone in ("timeline", "proxyData", "ruleId"):
            known[gone] = known_before[gone] = None
        assert known == known_before
        assert detail["requestHeaders"].items() <= was_in_detail["requestHeaders"].items()
        assert (detail["statusCode"], detail["path"], detail["responseHeaders"]) == (202, "/work", {})
    assert gateway.delivery.rows("SELECT * FROM takers") == []
    starts_again(gateway)
    assert codes(gateway, proxy.id) == {}


def test_it_is_told_before_its_end_is(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    under_way, over = send(gateway, proxy, headers={"requestrocket-delay": "60"}), send(gateway, proxy)
    gateway.clock.settle()
    dies(gateway)
    gateway.records.clear()
    gateway.tally.take()
    with transaction(gateway.delivery.database) as connection:  # its turn has come by then
        connection.execute("UPDATE requests SET due_at = accepted_at WHERE due_at IS NOT NULL")
    starts_again(gateway)
    assert status(gateway, proxy, under_way)["status"] == "succeeded"
    for id in (under_way, over):
        assert shown(gateway, id) == [(202, False), (200, True)]
    assert codes(gateway, proxy.id) == {"202:proxy": 2, "200:target": 2}


@pytest.mark.parametrize("why", ["the log has its end", "it was told before", "who took it lives", "no proxy"])
def test_nothing_is_told_twice_or_of_others(gateway: MemoryGateway, why: str) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, headers={} if why == "the log has its end" else LATER)
    gateway.clock.settle()
    dies(gateway, told=1 if why == "it was told before" else 0)
    gateway.tally.take()
    if why == "the log has its end":
        del gateway.records[0]
    else:
        gateway.records.clear()
    if why == "who took it lives":
        gateway.delivery.dead.clear()
    if why == "no proxy":
        gateway.directory.drop(proxy)
    starts_again(gateway)
    assert (202, False) not in shown(gateway, request_id)
    assert codes(gateway, proxy.id) == {}
    left = gateway.delivery.rows("SELECT * FROM takers")
    assert len(left) == (1 if why == "who took it lives" else 0)


def test_one_that_dies_while_another_delivers_is_noticed(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, headers=LATER)
    dies(gateway)
    dead, gateway.delivery.dead = gateway.delivery.dead, set()
    gateway.records.clear()
    starts_again(gateway)
    assert shown(gateway, request_id) == []
    gateway.delivery.dead |= dead
    for _ in range(13):
        gateway.clock.advance(5)
    assert shown(gateway, request_id) == [(202, False)]
