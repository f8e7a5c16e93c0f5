"""What telemetry counts of attempts at asynchronous requests: each that was sent, once, whoever dies meanwhile.

Belongs here: which attempts are counted, as what, and in which minute. Does not: adding up (tests/test_tally.py), over
sockets and on disk (tests/gateway/test_telemetry.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import fail

from rrgate.store.counts import Counts, Tallied
from rrgate.store.database import transaction
from rrgate.testing import MemoryGateway, Says
from rrgate.upstream import TargetUnreachable
from tests.delivery.test_delivering import CALLER, answers, send, status
from tests.delivery.test_managing import now

ACCEPTED = {"202:proxy": 1}


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    gateway.clock.advance(1)  # at 0 nothing was sent
    yield gateway
    gateway.stop()


def added_up(tallied: Tallied, scope: str) -> Counts:
    counts = Counts()
    for entry in tallied:
        if entry[0] == scope:
            counts.add(Counts.of(entry))
    return counts


def codes(gateway: MemoryGateway, scope: str) -> dict[str, int]:
    """How many by code, since the last time."""
    return {key: number for key, (number, _) in added_up(gateway.tally.take(), scope).codes.items()}


@pytest.mark.parametrize(
    ("says", "counted"),
    [
        ([200], {"200:target": 1}),
        ([404], {"404:target": 1}),
        ([503, 503, 201], {"503:target": 2, "201:target": 1}),
        ([503], {"503:target": 11}),
        ([Says(raw=b"SSH-2.0\r\n"), 200], {"502:target": 1, "200:target": 1}),
        ([Says(after=None), 200], {"504:target": 1, "200:target": 1}),
        ([Says(200, body=b"half", breaks_off=True), 204], {"200:target": 1, "204:target": 1}),
    ],
    ids=str,
)
def test_each_attempt_that_was_sent_counts_once(
    gateway: MemoryGateway, says: list[Any], counted: dict[str, int]
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(*says)
    send(gateway, proxy)
    gateway.clock.advance(900)
    tallied = gateway.tally.take()
    for scope in (proxy.id, proxy.client_id):
        counts = added_up(tallied, scope)
        assert {key: number for key, (number, _) in counts.codes.items()} == ACCEPTED | counted
        assert counts.requests == 1, "the average is of requests"


def test_one_that_was_not_sent_does_not_count(gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: object, **__: object) -> None:
        raise TargetUnreachable("nobody is there")

    monkeypatch.setattr(gateway.dialer, "connect", refuses)
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy)
    gateway.clock.advance(900)
    assert codes(gateway, proxy.id) == ACCEPTED


def test_it_is_counted_in_the_minute_in_which_it_was_sent_with_the_time_that_the_target_took(
    gateway: MemoryGateway,
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(200, after=1.5)
    send(gateway, proxy, headers={"requestrocket-delay": "3600"})
    minute = int(gateway.clock.wall() // 60)
    gateway.clock.advance(3700)
    found = {entry[1]: entry for entry in gateway.tally.take() if entry[0] == proxy.id}
    assert list(found) == [minute, minute + 60]
    counts = Counts.of(found[minute + 60])
    assert (counts.requests, counts.codes) == (0, {"200:target": [1, 1_500_000]})
    assert counts.countries == {"ZZ:target": [1, 1_500_000]}


def test_metrics_have_them_too(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(503, 200)
    send(gateway, proxy)
    gateway.clock.advance(10)
    gateway.tally.take()
    figures = gateway.tally.figures
    assert (figures.statuses, figures.target_statuses) == ({202: 1}, {503: 1, 200: 1})
    assert (sum(figures.proxy_times.buckets), sum(figures.target_times.buckets)) == (1, 2)


def test_a_replay_counts_its_own(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(404, 200)
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    assert codes(gateway, proxy.id) == ACCEPTED | {"404:target": 1}
    now(gateway.delivery.managing.replay(proxy.id, request_id))
    gateway.clock.settle()
    assert codes(gateway, proxy.id) == {"200:target": 1}


def test_an_end_that_comes_of_no_attempt_counts_none_again(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(503, headers={"Retry-After": "60"})
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    assert codes(gateway, proxy.id) == ACCEPTED | {"503:target": 1}
    now(gateway.delivery.managing.cancel(proxy.id, request_id))
    assert codes(gateway, proxy.id) == {}


# When the gateway ends in between.


def dies(gateway: MemoryGateway, *, before_the_log: bool = True) -> None:
    """The next one is started on the same queue."""
    gateway.delivery.worker.break_off()
    if before_the_log:
        gateway.records.clear()
        gateway.tally.take()
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.settle()


@pytest.mark.parametrize("says", [201, 404])
def test_an_end_that_the_log_does_not_have_is_counted_when_it_is_told(gateway: MemoryGateway, says: int) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(says)
    send(gateway, proxy)
    gateway.clock.settle()
    dies(gateway)
    assert codes(gateway, proxy.id) == {f"{says}:target": 1}


def test_an_end_that_the_log_has_is_not_counted_again(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy)
    gateway.clock.settle()
    assert codes(gateway, proxy.id) == ACCEPTED | {"200:target": 1}
    dies(gateway, before_the_log=False)
    assert codes(gateway, proxy.id) == {}
    assert sum(record["processed"] for record, _ in gateway.records) == 2, "told once more nevertheless"


def test_the_end_of_a_replay_is_not_taken_for_the_end_before(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(404, 200)
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    first_end = gateway.records[:]
    now(gateway.delivery.managing.replay(proxy.id, request_id))
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    gateway.records[:] = first_end
    gateway.tally.take()
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.settle()
    assert codes(gateway, proxy.id) == {"200:target": 1}


@pytest.mark.parametrize("how", ["cancelled", "no time left"])
def test_an_attempt_that_another_was_to_follow_is_not_counted_with_the_end(
    gateway: MemoryGateway, how: str
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(503, headers={"Retry-After": "60"})
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    if how == "cancelled":
        now(gateway.delivery.managing.cancel(proxy.id, request_id))
    else:
        with transaction(gateway.delivery.database) as connection:
            connection.execute("UPDATE requests SET due_at = 0, deadline = 0")
        gateway.delivery.worker.wake()
        gateway.clock.settle()
    dies(gateway)
    assert codes(gateway, proxy.id) == {}
    (record,) = [record for record, _ in gateway.records if record["processed"]]
    assert record["proxyData"]["status"] == (499 if how == "cancelled" else 504)


def test_one_that_the_gateway_s_stop_cuts_off_counts_as_502(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(after=None)
    request_id = send(gateway, proxy, "GET")
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    assert codes(gateway, proxy.id) == ACCEPTED | {"502:target": 1}
    gateway.target.says = Says()
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.settle()
    assert status(gateway, proxy, request_id)["status"] == "succeeded"
    assert codes(gateway, proxy.id) == {"200:target": 1}


def test_while_the_log_cannot_be_read_nothing_is_told_twice_and_delivery_goes_on(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy)
    gateway.clock.settle()
    monkeypatch.setattr(gateway.delivery, "logged", lambda requests: fail(OSError("disk")))
    dies(gateway)
    assert list(gateway.records) == []
    later = send(gateway, proxy)
    gateway.clock.settle()
    assert status(gateway, proxy, later)["status"] == "succeeded"
    assert len(gateway.delivery.rows("SELECT * FROM untold")) == 2, "the next gateway tells it"
