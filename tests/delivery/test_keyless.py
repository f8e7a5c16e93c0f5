"""A key that is not at hand ends nothing: what is sealed with it waits, and its time with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from twisted.logger import capturedLogs

from rrgate.api import OutsideAnswer
from rrgate.delivery.courier import SMALL
from rrgate.store.errors import BrokenSecret, KeyFileError, MissingKey, WrongKey
from rrgate.testing import MemoryGateway, Says
from tests.delivery.test_callbacks import BACK, proxy_of
from tests.delivery.test_delivering import CALLER, KEY, send, status
from tests.delivery.test_managing import now

LATER = {"requestrocket-delay": "5"}
AWAY = MissingKey("this state was encrypted with another key")


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("size", [0, SMALL + 1])
@pytest.mark.parametrize("trouble", [AWAY, KeyFileError("it is missing"), WrongKey("it does not open")])
def test_a_request_waits_for_longer_than_its_window(
    gateway: MemoryGateway, trouble: MissingKey | KeyFileError | WrongKey, size: int
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_ids = [send(gateway, proxy, body=b"x" * size, headers=LATER) for _ in range(2)]
    gateway.delivery.seals.trouble = trouble
    gateway.clock.advance(1200)
    for request_id in request_ids:
        told = status(gateway, proxy, request_id)
        assert (told["status"], told["attempts"]) == ("queued", [])
    gateway.delivery.seals.trouble = None
    gateway.clock.advance(31)
    assert len(gateway.target.received) == 2
    assert {status(gateway, proxy, each)["status"] for each in request_ids} == {"succeeded"}


def test_its_time_goes_on_once_the_key_is_back(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(503)
    request_id = send(gateway, proxy, headers=LATER)
    gateway.delivery.seals.trouble = AWAY
    gateway.clock.advance(1200)
    gateway.delivery.seals.trouble = None
    gateway.clock.advance(931)
    assert status(gateway, proxy, request_id)["status"] == "exhausted"


@pytest.mark.parametrize("size", [0, SMALL + 1])
def test_one_whose_own_seal_is_broken_has_failed(gateway: MemoryGateway, size: int) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, body=b"x" * size, headers=LATER)
    gateway.delivery.seals.trouble = BrokenSecret("it was changed")
    gateway.clock.advance(6)
    told = status(gateway, proxy, request_id)
    assert (told["status"], told["message"]) == ("failed", "What was kept of it cannot be opened any more")


@pytest.mark.parametrize("size", [0, SMALL + 1])
@pytest.mark.parametrize("dies", [False, True])
def test_the_log_is_told_of_one_whose_body_is_broken(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch, size: int, dies: bool
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    unseal = gateway.delivery.seals.unseal

    def broken(client_id: str, row: str, sealed: bytes) -> bytes:
        if row.endswith("/body"):
            raise BrokenSecret("it was changed")
        return unseal(client_id, row, sealed)

    monkeypatch.setattr(gateway.delivery.seals, "unseal", broken)
    request_id = send(gateway, proxy, body=b"x" * size, headers=LATER)
    gateway.clock.advance(5.1)
    if dies:  # before the log has written anything
        gateway.delivery.worker.break_off()
        gateway.records.clear()
        gateway.delivery.new_worker()
    record = gateway.records[-1][0]
    assert (record["sKey"], record["processed"], record["proxyData"]["status"]) == (request_id, True, 500)
    gateway.clock.advance(2)
    assert gateway.delivery.rows("SELECT * FROM untold") == []


def test_one_that_waits_for_a_key_can_be_cancelled(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy, headers=LATER)
    gateway.delivery.seals.trouble = AWAY
    gateway.clock.advance(60)
    assert now(gateway.delivery.managing.cancel(proxy.id, request_id))["state"] == "cancelled"


def test_one_of_a_deleted_proxy_waits_for_no_key(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy, headers=LATER)
    gateway.directory.drop(proxy)
    gateway.delivery.seals.trouble = AWAY
    gateway.clock.advance(6)
    assert gateway.delivery.rows("SELECT state, problem FROM requests") == [("failed", "Its proxy was deleted")]


def test_a_callback_waits_too(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideAnswer(503, (), b"")
    send(gateway, proxy, headers=BACK)
    gateway.clock.settle()
    called = len(gateway.outside.calls)
    gateway.delivery.seals.trouble = AWAY
    gateway.clock.advance(1200)
    assert len(gateway.outside.calls) == called
    gateway.outside.says = OutsideAnswer(200, (), b"")
    gateway.delivery.seals.trouble = None
    gateway.clock.advance(31)
    assert len(gateway.outside.calls) == called + 1
    assert gateway.delivery.rows("SELECT state FROM requests WHERE callback_of IS NOT NULL") == [("succeeded",)]


def test_what_came_of_an_attempt_whose_key_went_meanwhile_is_written_down(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(201, after=1)
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    gateway.delivery.seals.trouble = AWAY
    gateway.clock.advance(2)
    told = status(gateway, proxy, request_id)
    assert (told["status"], told["attempts"][0]["status"], told["answer"]) == ("succeeded", 201, None)


@pytest.mark.parametrize("trouble", [AWAY, sqlite3.OperationalError("disk I/O error")])
def test_a_status_that_cannot_be_read_now_can_be_asked_for_later(gateway: MemoryGateway, trouble: Exception) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    gateway.delivery.seals.trouble = trouble
    asked = ("GET", proxy, f"/.requests/{request_id}", {"X-Api-Key": KEY})
    told = gateway.call(*asked, api="async").answer
    assert (told.status, told["retry-after"], told["requestrocket-proxy-code"]) == (503, "5", "unavailable")
    gateway.delivery.seals.trouble = None
    assert gateway.call(*asked, api="async").answer.document["answer"]["status"] == 200


def test_an_answer_that_is_broken_is_not_told_and_the_rest_is(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    request_id = send(gateway, proxy)
    gateway.clock.settle()
    gateway.delivery.seals.trouble = BrokenSecret("it was changed")
    told = status(gateway, proxy, request_id)
    assert (told["status"], told["answer"]) == ("succeeded", None)


def test_others_are_delivered_meanwhile_and_little_is_said_of_it(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, other = gateway.proxy(caller=CALLER), gateway.proxy(caller=CALLER)
    theirs = {send(gateway, proxy, headers=LATER) for _ in range(20)}
    unseal = gateway.delivery.seals.unseal

    def away_for_them(client_id: str, row: str, sealed: bytes) -> bytes:
        if row.split("/")[1] in theirs:
            raise AWAY
        return unseal(client_id, row, sealed)

    monkeypatch.setattr(gateway.delivery.seals, "unseal", away_for_them)
    request_id = send(gateway, other, headers=LATER)
    with capturedLogs() as events:
        gateway.clock.advance(50)
    assert status(gateway, other, request_id)["status"] == "succeeded"
    assert sum("waits for a key" in event.get("log_format", "") for event in events) == 1
