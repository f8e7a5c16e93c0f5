"""Ends that a dead gateway left untold: the log is told as fast as it takes them, and nothing waits for that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from rrgate.delivery import courier
from rrgate.delivery.untold import LAST, MOMENT, Untold
from rrgate.store.database import transaction
from rrgate.testing import MemoryGateway
from rrgate.waiting import run_deferred
from tests.delivery.test_delivering import CALLER, send, status


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


def test_the_log_is_given_no_more_than_it_takes_and_delivery_goes_on_meanwhile(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "MOST_TOLD", 2)
    gateway.clock.advance(1)
    proxy = gateway.proxy(caller=CALLER)
    left = [send(gateway, proxy) for _ in range(5)]
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    gateway.records.clear()  # it dies before the log has written anything
    flushes: list[Deferred[None]] = []

    def flushed() -> Deferred[None]:
        flushes.append(Deferred())
        return flushes[-1]

    monkeypatch.setattr(gateway.delivery, "flushed", flushed)
    gateway.delivery.worker = gateway.delivery.new_worker()
    assert [len(gateway.records), len(flushes)] == [2, 1]
    gateway.clock.advance(0.5)
    meanwhile = send(gateway, proxy)
    gateway.clock.settle()
    assert status(gateway, proxy, meanwhile)["status"] == "succeeded"
    for told in (4, 5):
        flushes.pop().callback(None)
        assert sum(record["processed"] and record["sKey"] in left for record, _ in gateway.records) == told
    assert flushes == []
    ended = [record["sKey"] for record, _ in gateway.records if record["processed"]]
    assert sorted(ended) == sorted([*left, meanwhile]), "each once"
    for record, _ in gateway.records:
        if record["processed"]:
            seen: Any = record["targetData"]
            assert (record["attempts"], seen["status"], seen["duration"]) == (1, 200, 0.0)


def test_what_is_sent_again_meanwhile_is_told_at_its_new_end_alone(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy)
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    gateway.records.clear()
    with transaction(gateway.delivery.database) as connection:
        connection.execute("UPDATE requests SET state = 'waiting', due_at = 2e15, ended_at = NULL, keep_until = NULL")
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.settle()
    assert list(gateway.records) == []
    assert len(gateway.delivery.rows("SELECT * FROM untold")) == 1


class _Queue:
    def told(self, ids: object) -> Deferred[None]:
        return succeed(None)


@pytest.mark.parametrize("seconds", [0.0, MOMENT])
def test_who_ends_does_not_wait_for_ever_for_a_log_that_cannot_be_written(seconds: float) -> None:
    clock = Clock()
    flushes: list[Deferred[None]] = []

    def flushed() -> Deferred[None]:
        flushes.append(Deferred())
        return flushes[-1]

    untold = Untold(_Queue(), clock, flushed)
    untold.given(1)
    clock.advance(seconds)
    ended = run_deferred(untold.close())
    clock.advance(LAST)
    assert ended.called
    assert clock.getDelayedCalls() == []
    for each in flushes:
        each.callback(None)  # as the journal does at its end
