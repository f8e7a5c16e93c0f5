"""What people do with requests that were taken: looking at them, cancelling, sending again; and what the log says then.

Belongs here: the real queue in memory, on a turned clock. Does not: routes (tests/core/test_deliveries.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from rrgate.api import Proxy
from rrgate.deliveries import NotNow
from rrgate.store.database import transaction
from rrgate.testing import MemoryGateway, Says
from tests.delivery.test_delivering import CALLER, KEY, answers, send, status

DEAD = ("failed", "exhausted", "unknown")


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


def now(asked: Awaitable[Any]) -> Any:
    """What it answers at once; raises what it raises."""
    told: list[Any] = []
    Deferred.fromCoroutine(asked).addBoth(told.append)  # type: ignore[arg-type]
    (answer,) = told
    if hasattr(answer, "raiseException"):
        answer.raiseException()
    return answer


def records_of(gateway: MemoryGateway, request_id: str) -> list[tuple[bool, int]]:
    return [
        (record["processed"], record["proxyData"]["status"])
        for record, _ in gateway.records
        if record["sKey"] == request_id
    ]


def test_it_is_told_without_its_answer(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(503, Says(201, body=b"for the caller"))
    request_id = send(gateway, proxy)
    gateway.clock.advance(5)
    told = now(gateway.delivery.managing.told(proxy.id, request_id))
    assert (told["state"], [each["status"] for each in told["attempts"]]) == ("succeeded", [503, 201])
    assert "for the caller" not in repr(told)
    moments = {"acceptedAt", "endedAt", "nextAttemptAt"}
    assert set(told) == {"state", "message", "removedEarly", "attempts", "callback", *moments}


def test_of_another_proxy_there_is_nothing_to_tell_cancel_or_replay(gateway: MemoryGateway) -> None:
    mine, other = gateway.proxy(caller=CALLER), gateway.proxy(caller=CALLER)
    request_id = send(gateway, mine, headers={"requestrocket-delay": "60"})
    managing = gateway.delivery.managing
    for ask in (managing.told, managing.cancel, managing.replay):
        assert now(ask(other.id, request_id)) is None
    assert now(managing.replay_all(other.id, DEAD, None, None, None)).count == 0
    assert status(gateway, mine, request_id)["status"] == "queued"


def test_what_does_not_open_any_more_can_be_cancelled(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, headers={"requestrocket-delay": "60"})
    with transaction(gateway.delivery.database) as connection:
        connection.execute("UPDATE payloads SET head = CAST('[1]' AS BLOB)")
    assert now(gateway.delivery.managing.cancel(proxy.id, request_id))["state"] == "cancelled"
    gateway.clock.advance(100)
    assert gateway.target.received == []


def test_one_that_does_not_open_keeps_none_of_the_others_out_of_the_log(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(404)
    first, second = [send(gateway, proxy) for _ in range(2)]
    gateway.clock.advance(5)
    with transaction(gateway.delivery.database) as connection:
        connection.execute("UPDATE payloads SET head = CAST('[1]' AS BLOB) WHERE request = 1")
    gateway.target.says = Says(after=None)
    assert now(gateway.delivery.managing.replay_all(proxy.id, DEAD, None, None, None)).count == 2
    assert records_of(gateway, second)[-1] == (False, 202)
    assert records_of(gateway, first)[-1] == (True, 404)


@pytest.mark.parametrize("waits", ["for its first attempt", "for its next attempt"])
def test_what_is_cancelled_is_not_sent_any_more(gateway: MemoryGateway, waits: str) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(status=503, headers={"Retry-After": "60"})
    first = waits == "for its first attempt"
    gateway.clock.advance(1)
    request_id = send(gateway, proxy, headers={"requestrocket-delay": "60"} if first else {})
    gateway.clock.advance(1)
    sent = len(gateway.target.received)
    assert now(gateway.delivery.managing.cancel(proxy.id, request_id))["state"] == "cancelled"
    gateway.clock.advance(1000)
    assert len(gateway.target.received) == sent
    told = status(gateway, proxy, request_id)
    assert (told["status"], told["message"], told["nextAttemptAt"]) == ("cancelled", "It was cancelled", None)
    assert gateway.delivery.rows("SELECT * FROM payloads") == []
    assert records_of(gateway, request_id) == [(False, 202), (True, 499)]
    assert gateway.events == []
    record: Any = gateway.records[-1][0]
    assert record["attempts"] == sent == (0 if first else 1)
    assert (record["targetData"] or {}).get("status") == (None if first else 503)
    assert record["validationData"]["requestSent"] is record["validationData"]["responseReceived"] is not first


def test_what_is_being_sent_or_over_is_not_cancelled(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(after=1)
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    with pytest.raises(NotNow, match="sending cannot be cancelled: wait"):
        now(gateway.delivery.managing.cancel(proxy.id, request_id))
    gateway.clock.advance(2)
    with pytest.raises(NotNow, match="succeeded cannot be cancelled"):
        now(gateway.delivery.managing.cancel(proxy.id, request_id))
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


def dead(gateway: MemoryGateway, proxy: Proxy, state: str) -> str:
    """A request that has come to this."""
    gateway.target.says = {"failed": Says(404), "exhausted": Says(503), "unknown": Says(after=None)}[state]
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    if state == "unknown":
        gateway.delivery.worker.break_off()
        gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.advance(1000 if state == "exhausted" else 1)
    assert status(gateway, proxy, request_id)["status"] == state
    return request_id


@pytest.mark.parametrize("state", DEAD)
def test_a_replay_is_a_new_beginning(gateway: MemoryGateway, state: str) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = dead(gateway, proxy, state)
    before = len(gateway.target.received)
    gateway.target.says = answers(*[503] * 10, Says(200, body=b"at last"))
    told = now(gateway.delivery.managing.replay(proxy.id, request_id))
    assert told["state"] in ("queued", "sending"), "it begins at once"
    assert (told["message"], told["endedAt"]) == (None, None)
    assert records_of(gateway, request_id)[2:] == [(False, 202)]
    gateway.clock.advance(1000)
    told = status(gateway, proxy, request_id)
    assert (told["status"], told["answer"]["body"]) == ("succeeded", "at last")
    assert len(told["attempts"]) == before + 11, "ten retries of its own"
    assert {seen["idempotency-key"] for seen in gateway.target.received} == {request_id}
    assert records_of(gateway, request_id)[3:] == [(True, 200)]


def test_a_replay_has_the_proxy_as_it_is_now(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER, proxyRetryPolicy={"maxRetries": 0, "window": 2})
    request_id = dead(gateway, proxy, "exhausted")
    gateway.directory.put(evolve(proxy, retry_policy=None))
    gateway.target.says = answers(Says(503, headers={"Retry-After": "60"}), 200)
    now(gateway.delivery.managing.replay(proxy.id, request_id))
    gateway.clock.advance(62)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


def test_what_was_delivered_cancelled_or_is_under_way_is_not_replayed(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    delivered = send(gateway, proxy)
    gateway.clock.advance(1)
    waiting = send(gateway, proxy, headers={"requestrocket-delay": "60"})
    cancelled = send(gateway, proxy, headers={"requestrocket-delay": "60"})
    now(gateway.delivery.managing.cancel(proxy.id, cancelled))
    for request_id, state in ((delivered, "succeeded"), (waiting, "queued"), (cancelled, "cancelled")):
        with pytest.raises(NotNow, match=f"{state} cannot be replayed"):
            now(gateway.delivery.managing.replay(proxy.id, request_id))
    assert now(gateway.delivery.managing.replay_all(proxy.id, DEAD, None, None, None)).count == 0
    assert len(gateway.target.received) == 1


def test_a_range_takes_what_came_in_it_and_is_in_these_states(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    ids = [dead(gateway, proxy, state) for state in ("failed", "exhausted", "unknown", "failed")]
    times = [time for (time,) in gateway.delivery.rows("SELECT accepted_at FROM requests ORDER BY id")]
    gateway.target.says = Says()
    done = now(gateway.delivery.managing.replay_all(proxy.id, ("failed", "unknown"), times[0], times[3], None))
    assert (done.count, done.behind) == (1, None)
    gateway.clock.advance(1)
    states = [status(gateway, proxy, each)["status"] for each in ids]
    assert states == ["failed", "exhausted", "succeeded", "failed"]
    now(gateway.delivery.managing.replay_all(proxy.id, DEAD, times[0] - 1, times[3] + 1, None))
    gateway.clock.advance(1)
    assert {status(gateway, proxy, each)["status"] for each in ids} == {"succeeded"}


def test_a_long_range_goes_on_where_it_was_and_takes_none_twice(gateway: MemoryGateway, monkeypatch: Any) -> None:
    monkeypatch.setattr("rrgate.delivery.queue.MOST_REPLAYED", 2)
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(404)
    for _ in range(5):
        send(gateway, proxy)
    gateway.clock.advance(1)
    counts, behind = [], None
    while True:
        done = now(gateway.delivery.managing.replay_all(proxy.id, DEAD, None, None, behind))
        gateway.clock.advance(1)  # and it fails again
        counts.append(done.count)
        behind = done.behind
        if behind is None:
            break
    assert counts == [2, 2, 1]
    assert len(gateway.target.received) == 10


def test_what_nobody_sends_again_by_itself_is_told_of(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    for state in DEAD:
        dead(gateway, proxy, state)
    assert [(event.kind, event.subject) for event in gateway.events] == [
        ("delivery-exhausted", proxy.id),
        ("delivery-unknown", proxy.id),
    ]
    assert KEY not in repr(gateway.events)


def test_a_replay_looks_at_some_at_a_time_whatever_is_wanted_of_them(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rrgate.delivery.queue.MOST_REPLAYED", 2)
    proxy = gateway.proxy(caller=CALLER)
    dead(gateway, proxy, "failed")
    dead(gateway, proxy, "failed")
    wanted = dead(gateway, proxy, "exhausted")
    first = now(gateway.delivery.managing.replay_all(proxy.id, ["exhausted"], None, None, None))
    assert (first.count, first.behind is None) == (0, False), "nobody's accept waits for those before"
    second = now(gateway.delivery.managing.replay_all(proxy.id, ["exhausted"], None, None, first.behind))
    assert (second.count, second.behind) == (1, None)
    assert status(gateway, proxy, wanted)["status"] != "exhausted"
