"""Requests that are delivered later, in memory, on a turned clock: retries, waits, ends, and what callers are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from rrgate.api import Exchange, Identity, Kind, NoConfig, Parts, Plugin, Side
from rrgate.delivery.courier import SMALL
from rrgate.delivery.stored import Stored
from rrgate.delivery.table import Row
from rrgate.json_text import WrittenNumber
from rrgate.model import Proxy
from rrgate.store.database import transaction
from rrgate.testing import MemoryGateway, Says
from rrgate.testing.messages import Received

KEY = "the-caller's-key-of-these-tests"
CALLER = ("apiKey", {"key": "X-Api-Key", "value": KEY})
TRANSIENT = (408, 429, 500, 502, 503, 504, 507, 509, *range(520, 527), 530, 598, 599)
FINAL_BAD = (400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 413, 415, 418, 422, 426, 428, 431, 451, 501, 505, 506)


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


def send(gateway: MemoryGateway, proxy: Proxy, method: str = "POST", **more: Any) -> str:
    """An asynchronous request; its id."""
    headers = {"X-Api-Key": KEY, **more.pop("headers", {})}
    answer = gateway.call(method, proxy, more.pop("path", "/work"), headers, more.pop("body", b"load"), api="async")
    told = answer.answer
    assert told.status == 202, told.body
    return told["requestrocket-request-id"]


def status(gateway: MemoryGateway, proxy: Proxy, request_id: str) -> Any:
    told = gateway.call("GET", proxy, f"/.requests/{request_id}", {"X-Api-Key": KEY}, api="async").answer
    assert told.status == 200, told.body
    return told.document


def answers(*statuses: int | Says) -> Callable[[Received], Says]:
    """A target that answers these in turn, and the last for ever."""
    left = [each if isinstance(each, Says) else Says(status=each) for each in statuses]

    def say(_: Received) -> Says:
        return left.pop(0) if len(left) > 1 else left[0]

    return say


def test_it_is_answered_at_once_and_delivered_as_it_came(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER, towards=("bearer", {"token": "the-target's-token"}))
    headers = {"X-Api-Key": KEY, "Content-Type": "text/x", "X-Own": "1"}
    told = gateway.call("POST", proxy, "/work?a=1&b=%20", headers, b"load", api="async").answer
    document = told.document
    request_id = document["requestId"]
    assert told.status == 202
    assert document == {
        "status": "queued",
        "requestId": request_id,
        "message": "Your request has been queued for processing.",
    }
    assert told["location"] == f"http://gateway.test/async/{proxy.id}/.requests/{request_id}"
    assert told["requestrocket-request-id"] == request_id
    gateway.clock.settle()
    (seen,) = gateway.target.received
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/work", "a=1&b=%20", b"load")
    assert seen["authorization"] == "Bearer the-target's-token"
    assert seen["content-type"] == "text/x"
    assert seen["x-own"] == "1"
    assert seen["x-api-key"] == "", "the caller's credential is not kept, nor sent"
    assert seen["idempotency-key"] == request_id
    assert seen["requestrocket-attempt"] == ""


@pytest.mark.parametrize("size", [0, SMALL, SMALL + 1])
def test_a_body_of_any_size_is_delivered(gateway: MemoryGateway, size: int) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, body=b"x" * size)
    gateway.clock.settle()
    assert [len(seen.body) for seen in gateway.target.received] == [size]
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


@pytest.mark.parametrize("size", [0, SMALL + 1])
def test_what_does_not_open_any_more_is_not_sent_and_is_over(gateway: MemoryGateway, size: int) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, body=b"x" * size, headers={"requestrocket-delay": "5"})
    with gateway.delivery.database.conn as connection:
        connection.execute("DELETE FROM payloads")
    gateway.clock.advance(6)
    gateway.clock.settle()
    assert gateway.target.received == []
    told = status(gateway, proxy, request_id)
    assert (told["status"], told["attempts"]) == ("failed", [])


def test_the_status_tells_the_attempts_and_the_answer(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(Says(503, after=1), Says(status=201, body=b'{"made": 1}', headers={"X-Made": "1"}))
    request_id = send(gateway, proxy)
    assert status(gateway, proxy, request_id)["status"] == "sending"
    gateway.clock.advance(1)
    waiting = status(gateway, proxy, request_id)
    assert waiting["status"] == "waiting"
    assert waiting["answer"] is None
    assert [attempt["status"] for attempt in waiting["attempts"]] == [503]
    gateway.clock.advance(2)
    told = status(gateway, proxy, request_id)
    assert told["status"] == "succeeded"
    assert [attempt["status"] for attempt in told["attempts"]] == [503, 201]
    assert told["attempts"][0]["wait"] <= 1
    assert told["nextAttemptAt"] is None
    assert told["answer"]["status"] == 201
    assert told["answer"]["body"] == '{"made": 1}'
    assert ["X-Made", "1"] in told["answer"]["headers"]


@pytest.mark.parametrize("transient", TRANSIENT)
def test_a_transient_status_is_tried_again(gateway: MemoryGateway, transient: int) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(transient, transient, transient, 200)
    request_id = send(gateway, proxy)
    gateway.clock.advance(60)
    told = status(gateway, proxy, request_id)
    assert told["status"] == "succeeded"
    assert [attempt["status"] for attempt in told["attempts"]] == [transient, transient, transient, 200]


@pytest.mark.parametrize("final", FINAL_BAD)
def test_any_other_status_is_final(gateway: MemoryGateway, final: int) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(status=final)
    request_id = send(gateway, proxy)
    gateway.clock.advance(1000)
    assert status(gateway, proxy, request_id)["status"] == "failed"
    assert len(gateway.target.received) == 1


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (Says(raw=b"SSH-2.0\r\n"), "Bad gateway"),
        (Says(raw=b""), "Bad gateway"),
        (Says(body=b"half", breaks_off=True), "Bad gateway"),
        (Says(body=[b"a", b"b"], breaks_off=True), "Bad gateway"),
        (Says(after=None), "Gateway timeout"),
    ],
)
def test_no_whole_answer_is_tried_again(gateway: MemoryGateway, broken: Says, problem: str) -> None:
    proxy = gateway.proxy(caller=CALLER, target={"targetTimeout": 5})
    gateway.target.says = answers(broken, Says(body=b"whole"))
    request_id = send(gateway, proxy)
    gateway.clock.advance(60)
    told = status(gateway, proxy, request_id)
    assert told["status"] == "succeeded"
    assert told["attempts"][0]["error"].startswith(problem)
    assert told["answer"]["body"] == "whole"


def test_after_eleven_attempts_it_is_a_dead_letter(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER, proxyRetryPolicy={"cap": 10})
    gateway.target.says = Says(status=503, body=b"busy")
    request_id = send(gateway, proxy)
    gateway.clock.advance(900)
    told = status(gateway, proxy, request_id)
    assert (told["status"], len(gateway.target.received)) == ("exhausted", 11)
    assert told["answer"]["body"] == "busy"
    assert told["attempts"][-1]["wait"] is None


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_believed(gateway: MemoryGateway, form: str) -> None:
    proxy = gateway.proxy(caller=CALLER)
    wanted = "120" if form == "seconds" else formatdate(gateway.clock.wall() + 120, usegmt=True)
    gateway.target.says = answers(Says(status=429, headers={"Retry-After": wanted}), 200)
    request_id = send(gateway, proxy)
    gateway.clock.advance(118)
    assert len(gateway.target.received) == 1
    gateway.clock.advance(4)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


@pytest.mark.parametrize(
    "wrong",
    [
        "soon",
        "-5",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2030 99999999999999999999:00:00 GMT",
        "Mon, 01 Jan 2030 00:00:00 +99999999999999999999",
    ],
)
def test_retry_after_that_is_neither_seconds_nor_a_date_is_passed_over(gateway: MemoryGateway, wrong: str) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(Says(503, headers={"Retry-After": wrong}), 200)
    request_id = send(gateway, proxy)
    gateway.clock.advance(2)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


def test_retry_after_holds_back_the_targets_other_requests_and_nobody_elses(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    other = gateway.proxy(caller=CALLER, url="https://other.test")
    gateway.target.says = answers(Says(status=503, headers={"Retry-After": "60"}), 200)
    send(gateway, proxy)
    gateway.clock.settle()
    send(gateway, proxy)
    send(gateway, other)
    gateway.clock.advance(58)
    assert len(gateway.target.received) == 1
    assert len(gateway.target_at("other.test").received) == 1
    gateway.clock.advance(5)
    assert len(gateway.target.received) == 3


@pytest.mark.parametrize("says", ["soon", "0", "Tue, 14 Nov 2000 00:00:00 GMT"])
def test_retry_after_that_asks_for_no_wait_holds_nobody_back(gateway: MemoryGateway, says: str) -> None:
    proxy = gateway.proxy(caller=CALLER, proxyRetryPolicy={"base": 100})
    gateway.target.says = answers(Says(503, headers={"Retry-After": says}), 200)
    send(gateway, proxy)
    gateway.clock.settle()
    send(gateway, proxy)
    gateway.clock.settle()
    assert len(gateway.target.received) == 2


def test_a_wait_beyond_the_window_is_moved_before_its_end_once(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(status=503, headers={"Retry-After": "100000"})
    request_id = send(gateway, proxy)
    gateway.clock.advance(869)
    assert len(gateway.target.received) == 1
    gateway.clock.advance(2)
    assert len(gateway.target.received) == 2
    assert status(gateway, proxy, request_id)["status"] == "exhausted"


@pytest.mark.parametrize("setting", [{"statuses": [418]}, {"maxRetries": 1}, {"window": 10}])
def test_a_proxy_has_its_own_policy(gateway: MemoryGateway, setting: dict[str, Any]) -> None:
    proxy = gateway.proxy(caller=CALLER, proxyRetryPolicy={"base": 0.5, **setting})
    gateway.target.says = Says(status=418 if "statuses" in setting else 503)
    request_id = send(gateway, proxy)
    gateway.clock.advance(20 if "window" in setting else 900)
    assert status(gateway, proxy, request_id)["status"] == "exhausted"
    assert len(gateway.target.received) == 2 if "maxRetries" in setting else len(gateway.target.received) > 2


def test_the_key_of_the_caller_goes_on_and_none_is_made_where_none_is_wanted(gateway: MemoryGateway) -> None:
    plain = gateway.proxy(caller=CALLER, proxyAutoIdempotencyKey=False, proxyAttemptHeader=True)
    gateway.target.says = answers(503, 200)
    send(gateway, plain)
    gateway.clock.advance(5)
    assert [seen["idempotency-key"] for seen in gateway.target.received] == ["", ""]
    assert [seen["requestrocket-attempt"] for seen in gateway.target.received] == ["1", "2"]
    send(gateway, plain, headers={"Idempotency-Key": "its-own"})
    gateway.clock.settle()
    assert gateway.target.last["idempotency-key"] == "its-own"


def test_a_delay_puts_the_first_attempt_off_and_the_window_too(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(Says(status=503, headers={"Retry-After": "800"}), 200)
    request_id = send(gateway, proxy, headers={"requestrocket-delay": "5000"})
    gateway.clock.advance(4999)
    assert gateway.target.received == []
    gateway.clock.advance(802)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


def test_a_delay_may_be_a_week(gateway: MemoryGateway) -> None:
    send(gateway, gateway.proxy(caller=CALLER), headers={"requestrocket-delay": "604800"})
    gateway.clock.rightNow += 600_000  # not lived through: that would be 120,000 looks at the queue
    gateway.clock.advance(4_799)
    assert gateway.target.received == []
    gateway.clock.advance(2)
    assert len(gateway.target.received) == 1


@pytest.mark.parametrize("wrong", ["-1", "1.5", "soon", "604801", "99999999999"])
def test_a_delay_that_is_none_is_refused(gateway: MemoryGateway, wrong: str) -> None:
    proxy = gateway.proxy(caller=CALLER)
    told = gateway.call("POST", proxy, "/", {"X-Api-Key": KEY, "requestrocket-delay": wrong}, b"", api="async").answer
    assert told.status == 400
    assert gateway.delivery.rows("SELECT * FROM requests") == []


def test_an_empty_idempotency_key_is_refused(gateway: MemoryGateway) -> None:
    """As a key it would make one request of all that have it."""
    proxy = gateway.proxy(caller=CALLER)
    told = gateway.call("POST", proxy, "/", {"X-Api-Key": KEY, "Idempotency-Key": ""}, b"", api="async").answer
    assert told.status == 400
    assert gateway.delivery.rows("SELECT * FROM requests") == []


def test_what_is_refused_is_not_taken(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.rule(proxy, {"effect": "deny", "path": "^/no"})
    assert gateway.call("GET", proxy, "/", {"X-Api-Key": "wrong"}, api="async").answer.status == 401
    assert gateway.call("GET", proxy, "/no", {"X-Api-Key": KEY}, api="async").answer.status == 403
    big = gateway.proxy(caller=CALLER, proxyMaxRequestBytes=10)
    assert gateway.call("POST", big, "/", {"X-Api-Key": KEY}, b"12345678901", api="async").answer.status == 413
    assert gateway.delivery.rows("SELECT * FROM requests") == []


def test_a_request_is_shown_to_nobody_else(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    other = gateway.proxy(caller=("apiKey", {"key": "X-Api-Key", "value": "other"}))
    request_id = send(gateway, proxy)
    for where, key in ((other, "other"), (proxy, "wrong")):
        told = gateway.call("GET", where, f"/.requests/{request_id}", {"X-Api-Key": key}, api="async").answer
        assert told.status == (404 if key == "other" else 401)
    for strange in ("", "/", "/none", f"/{request_id}/more"):
        told = gateway.call("GET", proxy, f"/.requests{strange}", {"X-Api-Key": KEY}, api="async").answer
        assert told.status == 404
    assert gateway.call("POST", proxy, f"/.requests/{request_id}", {"X-Api-Key": KEY}, api="async").answer.status == 405


def test_the_log_has_one_record_that_is_replaced_at_the_end(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(503, 201)
    request_id = send(gateway, proxy)
    ((begun, _),) = gateway.records
    assert (begun["sKey"], begun["processed"], begun["proxyData"]["status"]) == (request_id, False, 202)
    status(gateway, proxy, request_id)
    gateway.clock.advance(3)
    (_, (ended, _)) = gateway.records
    assert (ended["sKey"], ended["processed"], ended["proxyData"]["status"]) == (request_id, True, 201)
    assert ended["attempts"] == 2
    assert ended["processedAt"] == begun["processedAt"]
    assert 0 < ended["proxyData"]["duration"] <= 3


def test_it_counts_once_for_limits_and_neither_attempts_nor_its_status_do(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER, proxyMaxRequestsPerDay=2)
    gateway.target.says = answers(503, 503, 200)
    request_id = send(gateway, proxy)
    gateway.clock.advance(10)
    assert len(status(gateway, proxy, request_id)["attempts"]) == 3
    send(gateway, proxy)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"
    assert gateway.call("POST", proxy, "/", {"X-Api-Key": KEY}, b"", api="async").answer.status == 429


def test_what_a_gateway_left_in_the_middle_is_sent_again_only_if_that_is_safe(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(after=None)
    safe = [send(gateway, proxy, method) for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")]
    safe.append(send(gateway, proxy, headers={"Idempotency-Key": "mine"}))
    unsafe = [send(gateway, proxy, method) for method in ("POST", "PATCH")]
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    gateway.target.says = Says()
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.advance(1)
    assert {status(gateway, proxy, each)["status"] for each in safe} == {"succeeded"}
    assert {status(gateway, proxy, each)["status"] for each in unsafe} == {"unknown"}
    assert len(status(gateway, proxy, safe[0])["attempts"]) == 2
    ended = [record for record, _ in gateway.records if record["sKey"] in unsafe and record["processed"]]
    assert [record["proxyData"]["status"] for record in ended] == [502, 502]


def test_one_flooded_proxy_does_not_delay_another() -> None:
    gateway = MemoryGateway(async_in_flight=2, async_in_flight_per_target=2)
    flooded, other = gateway.proxy(caller=CALLER), gateway.proxy(caller=CALLER)
    gateway.target.says = Says(after=1)
    for _ in range(100):
        send(gateway, flooded)
    send(gateway, other, path="/other")
    gateway.clock.advance(12)
    seen = [received.path for received in gateway.target.received]
    assert seen.index("/other") <= 20, "a flood of small requests has eight turns for one of another's"


def test_no_more_are_under_way_than_may_be() -> None:
    gateway = MemoryGateway(async_in_flight=5, async_in_flight_per_target=3)
    first, second = gateway.proxy(caller=CALLER), gateway.proxy(caller=CALLER, url="https://other.test")
    for target in (gateway.target, gateway.target_at("other.test")):
        target.says = Says(after=None)
    for _ in range(10):
        send(gateway, first)
        send(gateway, second)
    gateway.clock.advance(1)
    seen = sorted((len(gateway.target.received), len(gateway.target_at("other.test").received)))
    assert seen == [2, 3]


def test_one_that_is_taken_while_old_ones_are_removed_does_not_wait(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    removed: Deferred[int] = Deferred()
    monkeypatch.setattr(gateway.delivery.queue, "purge", lambda: removed)
    gateway.delivery.worker.wake()
    send(gateway, proxy)
    gateway.clock.settle()
    removed.callback(0)
    gateway.clock.settle()
    assert len(gateway.target.received) == 1


def test_nothing_is_sent_before_all_is_taken_over(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    taken_over: Deferred[tuple[Row, ...]] = Deferred()
    monkeypatch.setattr(gateway.delivery.queue, "recover", lambda most: taken_over)
    send(gateway, proxy)
    gateway.clock.settle()
    assert gateway.target.received == [], "it could be taken for one that a dead gateway was sending"
    taken_over.callback(())
    gateway.clock.settle()
    assert len(gateway.target.received) == 1


@pytest.mark.parametrize(("says", "logged"), [(201, 201), (404, 404)])
def test_the_log_is_told_an_end_until_it_has_it(gateway: MemoryGateway, says: int, logged: int) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(says)
    request_id = send(gateway, proxy, path="/work/7")
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    gateway.records.clear()  # it dies before the log has written anything
    gateway.delivery.new_worker()
    (record,) = [record for record, _ in gateway.records if record["sKey"] == request_id]
    assert (record["processed"], record["proxyData"]["status"]) == (True, logged)
    gateway.clock.advance(2)
    assert gateway.delivery.rows("SELECT * FROM untold") == []
    gateway.delivery.new_worker()
    assert len(gateway.records) == 1, "told once"


def test_what_cannot_be_read_for_a_moment_while_it_is_taken_over_keeps_nothing_from_being_delivered(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(after=None)
    left = [send(gateway, proxy) for _ in range(2)]
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    heads, faults = gateway.delivery.queue.heads, [sqlite3.OperationalError("disk I/O error")]
    monkeypatch.setattr(gateway.delivery.queue, "heads", lambda ids: fail(faults.pop()) if faults else heads(ids))
    gateway.target.says = Says()
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.advance(2)
    assert not faults
    ended = sorted(record["sKey"] for record, _ in gateway.records if record["processed"])
    assert ended == sorted(left), "each is told once"
    after = send(gateway, proxy)
    gateway.clock.settle()
    assert status(gateway, proxy, after)["status"] == "succeeded"


def test_one_of_which_the_log_cannot_be_told_keeps_nothing_from_being_delivered(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy)
    gateway.clock.settle()
    with transaction(gateway.delivery.database) as connection:
        connection.execute("UPDATE untold SET head = CAST('[1]' AS BLOB)")
    gateway.delivery.worker.break_off()
    gateway.delivery.worker = gateway.delivery.new_worker()
    send(gateway, proxy)
    gateway.clock.advance(2)
    assert len(gateway.target.received) == 2
    assert gateway.delivery.rows("SELECT * FROM untold") == []


def test_one_whose_head_has_another_form_ends(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, headers={"requestrocket-delay": "5"})
    with transaction(gateway.delivery.database) as connection:
        connection.execute("UPDATE payloads SET head = CAST('[1]' AS BLOB)")
    gateway.clock.advance(6)
    told = status(gateway, proxy, request_id)
    assert (told["status"], told["message"]) == ("failed", "What was kept of it cannot be opened any more")


def test_a_proxy_that_is_deleted_ends_its_requests(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy, headers={"requestrocket-delay": "10"})
    gateway.directory.drop(proxy)
    gateway.clock.advance(11)
    assert gateway.delivery.rows("SELECT state, problem FROM requests") == [("failed", "Its proxy was deleted")]


def test_what_was_kept_for_long_enough_is_removed(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy)
    gateway.clock.advance(1)
    assert gateway.delivery.rows("SELECT * FROM payloads") == [], "what was delivered is not sent again"
    gateway.clock.advance(86_400 + 120)
    for table in ("requests", "attempts", "answers", "payloads"):
        assert gateway.delivery.rows(f"SELECT * FROM {table}") == []
    told = gateway.call("GET", proxy, f"/.requests/{request_id}", {"X-Api-Key": KEY}, api="async").answer
    assert told.status == 404


def test_a_wall_clock_that_is_set_holds_nothing_up_and_ends_nothing(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER, proxyRetryPolicy={"base": 4})
    gateway.target.says = answers(503, 503, 200)
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    gateway.clock.turn_wall(-7200)
    gateway.clock.advance(5)
    gateway.clock.turn_wall(14400)
    gateway.clock.advance(9)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


def refuse_writes(gateway: MemoryGateway, refuse: bool) -> None:
    """The disk takes nothing, or takes it again."""
    gateway.delivery.database.conn.execute(f"PRAGMA query_only = {'ON' if refuse else 'OFF'}")


def test_what_cannot_be_written_is_not_taken(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    refuse_writes(gateway, True)
    told = gateway.call("POST", proxy, "/", {"X-Api-Key": KEY}, b"load", api="async").answer
    assert (told.status, told["retry-after"], told["requestrocket-proxy-code"]) == (503, "5", "unavailable")
    gateway.clock.advance(60)
    assert gateway.target.received == []
    refuse_writes(gateway, False)
    send(gateway, proxy)
    gateway.clock.advance(2)
    assert len(gateway.target.received) == 1


def test_no_attempt_is_sent_that_cannot_be_written_down(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, headers={"requestrocket-delay": "5"})
    refuse_writes(gateway, True)
    gateway.clock.advance(20)
    assert gateway.target.received == []
    refuse_writes(gateway, False)
    gateway.clock.advance(2)
    assert status(gateway, proxy, request_id)["status"] == "succeeded"


def test_an_answer_that_cannot_be_written_down_is_kept_until_it_can(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(201, after=1)
    request_id = send(gateway, proxy)
    refuse_writes(gateway, True)
    gateway.clock.advance(30)
    refuse_writes(gateway, False)
    gateway.clock.advance(2)
    assert status(gateway, proxy, request_id)["answer"]["status"] == 201
    assert len(gateway.target.received) == 1


def test_a_policy_that_fails_makes_a_dead_letter() -> None:
    class Broken(Plugin):
        name = "broken-policy"
        kind = Kind.OWN

        @classmethod
        def for_proxy(cls, parts: Parts) -> NoConfig:
            return NoConfig()

        def next_attempt(self, ex: Exchange, attempt: int) -> float | None:
            raise ValueError("no policy")

    gateway = MemoryGateway([Broken])
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(status=503)
    request_id = send(gateway, proxy)
    gateway.clock.advance(60)
    assert status(gateway, proxy, request_id)["status"] == "exhausted"
    assert [event.kind for event in gateway.events] == ["plugin-fault", "delivery-exhausted"]


def keyed(gateway: MemoryGateway, proxy: Proxy, body: bytes, *, path: str = "/pay", method: str = "POST") -> Any:
    headers = {"X-Api-Key": KEY, "Idempotency-Key": "order-7"}
    return gateway.call(method, proxy, path, headers, body, api="async").answer


def test_a_key_that_comes_again_is_the_first_request(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    first = keyed(gateway, proxy, b"7")
    again = keyed(gateway, proxy, b"7")
    assert again.status == first.status == 202
    assert again.document["requestId"] == first.document["requestId"]
    assert again["location"] == first["location"]
    gateway.clock.advance(60)
    assert len(gateway.target.received) == 1


@pytest.mark.parametrize(
    ("body", "another"),
    [(b"8", {}), (b"7", {"path": "/pay?twice"}), (b"7", {"path": "/pay/"}), (b"7", {"method": "PUT"})],
)
def test_a_key_of_another_request_is_refused(gateway: MemoryGateway, body: bytes, another: dict[str, str]) -> None:
    proxy = gateway.proxy(caller=CALLER)
    keyed(gateway, proxy, b"7")
    assert keyed(gateway, proxy, body, **another).status == 422
    gateway.clock.advance(60)
    assert len(gateway.target.received) == 1


def test_a_key_is_remembered_for_a_day_and_is_one_callers_of_one_proxy(gateway: MemoryGateway) -> None:
    proxy, other = gateway.proxy(caller=CALLER), gateway.proxy(caller=CALLER)
    ids = {keyed(gateway, each, b"7").document["requestId"] for each in (proxy, other)}
    assert len(ids) == 2
    gateway.clock.advance(86_401)
    assert keyed(gateway, proxy, b"8").document["requestId"] not in ids


@pytest.mark.parametrize("odd", [2**70, -(2**70), "\ud800", WrittenNumber("1.10"), {"deep": [2**70, "\udfff", 1]}])
def test_a_claim_may_be_any_json(odd: object) -> None:
    class Tells(Plugin):
        name = "tells"
        Config = NoConfig
        sides = frozenset({Side.PROXY})

        def authenticate(self, ex: Exchange) -> Identity:
            return Identity("somebody \ud800", "its-id", {"odd": odd})

    gateway = MemoryGateway([Tells])
    proxy = gateway.proxy(caller=("tells", {}))
    told = gateway.call("POST", proxy, "/work", (), b"load", api="async").answer
    assert told.status == 202
    gateway.clock.settle()
    assert len(gateway.target.received) == 1
    assert status(gateway, proxy, told["requestrocket-request-id"])["status"] == "succeeded"
    ((head,),) = gateway.delivery.rows("SELECT head FROM untold")
    assert Stored.of_head(head).claims == {"odd": odd}
    gateway.stop()
