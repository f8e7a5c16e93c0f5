"""Names to addresses: looked up in threads of their own, kept for a while, and for longer where nobody answers.

Belongs here: the Resolver. Does not: dialling (test_dialer.py), real name servers (tests/gateway/).
"""

from __future__ import annotations

import socket
from socket import gaierror

import pytest
from twisted.internet.defer import CancelledError

from rrgate.wire.resolver import CannotConnect
from tests.wire.dialling import PUBLIC, World


def test_a_name_is_looked_up_once_for_all_who_ask() -> None:
    world = World(*PUBLIC)
    asked = [world.resolve(tenant=tenant) for tenant in ("a", "a", "a")]
    assert len(world.threads.jobs) == 2  # two threads a tenant
    world.threads.end()
    world.threads.end()
    assert [each.result for each in asked] == [list(PUBLIC)] * 3
    world.network.advance(30)
    assert world.resolve().result == list(PUBLIC)
    world.network.advance(0.1)
    assert not world.resolve().over


def test_a_thousand_may_wait_for_one_name() -> None:
    world = World(*PUBLIC)
    asked = [world.resolve() for _ in range(1000)]
    world.threads.end()
    world.threads.end()
    world.network.pump([0] * len(asked))
    assert [each.result for each in asked] == [list(PUBLIC)] * len(asked)
    assert world.threads.jobs == []
    assert world.network.getDelayedCalls() == []
    for number in range(2):
        world.resolve(f"{number}.test")
    assert len(world.threads.jobs) == 2  # both threads are free again


def test_a_name_that_does_not_resolve_is_asked_again_later() -> None:
    world = World(*PUBLIC)
    first = world.resolve()
    world.threads.end(OSError("no such name"))
    assert isinstance(first.error, CannotConnect)
    assert isinstance(world.resolve().error, CannotConnect)
    world.network.advance(5.1)
    again = world.resolve()
    world.threads.end()
    assert again.result == list(PUBLIC)


@pytest.mark.parametrize("error", [OSError(), UnicodeError("label too long"), ValueError("embedded null")])
def test_whatever_a_look_up_raises_is_a_name_that_does_not_resolve(error: Exception) -> None:
    world = World()
    asked = world.resolve()
    world.threads.end(error)
    assert isinstance(asked.error, CannotConnect)


def test_a_slow_name_server_costs_its_tenant_time_and_nobody_else() -> None:
    world = World(*PUBLIC)
    slow = [world.resolve(f"{number}.slow.test", "slow") for number in range(6)]
    assert len(world.threads.jobs) == 2
    quick = world.resolve("quick.test", "quick")
    world.threads.jobs.insert(0, world.threads.jobs.pop())
    world.threads.end()
    assert quick.result == list(PUBLIC)
    world.network.advance(5)
    assert all(isinstance(each.error, CannotConnect) for each in slow)


def test_a_look_up_that_nobody_waits_for_any_more_keeps_its_thread_counted() -> None:
    world = World(*PUBLIC)
    for number in range(2):
        world.resolve(f"{number}.slow.test")
    world.network.advance(5)
    for number in range(2, 6):
        world.resolve(f"{number}.slow.test")
    assert len(world.threads.jobs) == 2
    world.threads.end()
    assert len(world.threads.jobs) == 2  # the one that went on, and the first of those who waited


def test_a_caller_that_leaves_while_its_name_is_looked_up_harms_nobody() -> None:
    world = World(*PUBLIC)
    leaving, waiting = world.resolve("1.test"), world.resolve("2.test")
    queued, stays = world.resolve("3.test"), world.resolve("4.test")
    leaving.task.cancel()
    queued.task.cancel()
    assert [type(each.error) for each in (leaving, queued)] == [CancelledError] * 2
    for _ in range(3):
        world.threads.end()
    assert (waiting.result, stays.result) == (list(PUBLIC), list(PUBLIC))
    assert world.threads.jobs == []
    assert world.network.getDelayedCalls() == []


# Where the name server does not answer (RFC 8767).

AGAIN = gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NONE = gaierror(socket.EAI_NONAME, "Name or service not known")


def stale_world() -> World:
    """One in which the name was found, and is to be looked up anew."""
    world = World(*PUBLIC, keep_stale=100.0)
    world.resolve()
    world.threads.end()
    world.network.advance(30.1)
    return world


@pytest.mark.parametrize("error", [AGAIN, gaierror(socket.EAI_SYSTEM, ""), gaierror(socket.EAI_FAIL, ""), OSError()])
def test_a_name_that_cannot_be_looked_up_anew_keeps_its_addresses(error: Exception) -> None:
    world = stale_world()
    asked = world.resolve()
    assert not asked.over
    world.threads.end(error)
    assert asked.result == list(PUBLIC)
    assert [event.kind for event in world.told] == ["names-unanswered"]
    assert "a.test cannot be looked up: the addresses that it had 30 seconds ago" in world.told[0].message


@pytest.mark.parametrize("error", [NONE, gaierror(socket.EAI_NODATA, ""), UnicodeError()])
def test_a_name_that_is_said_not_to_exist_does_not(error: Exception) -> None:
    world = stale_world()
    asked = world.resolve()
    world.threads.end(error)
    assert isinstance(asked.error, CannotConnect)
    assert isinstance(world.resolve().error, CannotConnect)
    assert world.told == []


def test_a_name_server_that_is_silent_is_waited_for_once() -> None:
    world = stale_world()
    asked = [world.resolve() for _ in range(5)]
    world.network.advance(1.7)
    assert not any(each.over for each in asked)
    world.network.advance(0.1)
    assert [each.result for each in asked] == [list(PUBLIC)] * 5
    for _ in range(10):  # while both threads hang, and after each five seconds
        assert world.resolve().result == list(PUBLIC)
        world.network.advance(5.1)
    assert len(world.threads.jobs) == 2
    assert world.network.getDelayedCalls() == []


def test_it_is_asked_again_beside_and_what_it_says_then_counts() -> None:
    world = stale_world()
    world.resolve()
    world.threads.end(AGAIN)
    world.network.advance(4.9)
    assert world.resolve().result == list(PUBLIC)
    assert world.threads.jobs == []
    world.network.advance(0.2)
    assert world.resolve().result == list(PUBLIC)
    assert len(world.threads.jobs) == 1
    world.threads.end(["9.9.9.9"])
    assert world.resolve().result == ["9.9.9.9"]
    world.network.advance(30.1)
    assert not world.resolve().over, "all is well again: who asks waits"


def test_what_comes_too_late_for_who_asked_is_there_for_the_next() -> None:
    world = World(*PUBLIC)
    asked = world.resolve()
    world.network.advance(5)
    assert isinstance(asked.error, CannotConnect)
    world.threads.end()
    assert world.resolve().result == list(PUBLIC)


def test_addresses_are_not_kept_for_ever() -> None:
    world = stale_world()
    world.network.advance(99)
    kept = world.resolve()
    world.threads.end(AGAIN)
    assert kept.result == list(PUBLIC)
    world.network.advance(5.1)
    asked = world.resolve()
    world.threads.end(AGAIN)
    assert isinstance(asked.error, CannotConnect)


def test_nothing_is_kept_beyond_its_time_where_that_is_set_so() -> None:
    world = World(*PUBLIC, keep_stale=0.0)
    world.resolve()
    world.threads.end()
    world.network.advance(30.1)
    asked = world.resolve()
    world.threads.end(AGAIN)
    assert isinstance(asked.error, CannotConnect)


def test_of_many_names_only_those_in_force_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rrgate.wire.resolver.MOST_NAMES", 3)
    world = stale_world()
    for number in range(3):
        world.resolve(f"{number}.test")
        world.threads.end()
    asked = world.resolve()
    world.threads.end(AGAIN)
    assert isinstance(asked.error, CannotConnect)
    assert world.resolve("0.test").result == list(PUBLIC)
