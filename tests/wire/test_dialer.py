"""How a connection to a target comes about: only allowed addresses, one after the other, within the time there is.

Belongs here: the Dialer. Does not: names (test_resolver.py), which addresses are allowed (test_guard.py), TLS with a
real peer (tests/gateway/).
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.error import TimeoutError as ConnectTimeout

from rrgate.wire.guard import AddressForbidden
from rrgate.wire.resolver import CannotConnect
from tests.certificates import Authority
from tests.wire.dialling import PUBLIC, World

OURS, OTHER = Authority("ours"), Authority("another")
END = "-----END CERTIFICATE-----"


def test_the_addresses_are_tried_one_after_the_other() -> None:
    world = World(*PUBLIC)
    attempt = world.connect()
    world.threads.end()
    world.network.attempts[0].fails()
    world.network.advance(4)
    world.network.attempts[1].fails(ConnectTimeout())
    world.network.attempts[2].succeeds()
    assert (attempt.over, attempt.error) == (True, None)
    assert [each.address for each in world.network.attempts] == list(PUBLIC)
    assert [each.timeout for each in world.network.attempts] == [10 / 3, 5, 6]


def test_of_many_addresses_each_has_time_for_a_second_try_of_the_system() -> None:
    world = World(*(f"8.8.8.{number}" for number in range(1, 21)))
    attempt = world.connect()
    world.threads.end()
    for number in range(5):
        world.network.advance(2)
        world.network.attempts[number].fails(ConnectTimeout())
    assert isinstance(attempt.error, CannotConnect)
    assert [each.timeout for each in world.network.attempts] == [2] * 5


def test_a_handshake_may_take_what_is_left_of_all_the_time() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect(tls=True)
    world.threads.end()
    world.network.advance(9.9)
    assert not attempt.over
    world.network.advance(0.1)
    assert isinstance(attempt.error, CannotConnect)


def test_what_takes_no_connection_anywhere_cannot_be_connected() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect()
    world.threads.end()
    for number in range(2):
        world.network.attempts[number].fails()
    assert isinstance(attempt.error, CannotConnect)
    assert "8.8" not in str(attempt.error)


def test_no_address_is_tried_when_the_time_is_over() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect()
    world.threads.end()
    world.network.advance(10)
    world.network.attempts[0].fails(ConnectTimeout())
    assert isinstance(attempt.error, CannotConnect)
    assert len(world.network.attempts) == 1


def test_forbidden_addresses_are_left_out_and_those_alone_are_an_error() -> None:
    world = World("10.0.0.1", "8.8.8.8", "127.0.0.1", "::ffff:192.168.0.1")
    attempt = world.connect()
    world.threads.end()
    world.network.attempts[0].fails()
    assert [each.address for each in world.network.attempts] == ["8.8.8.8"]
    assert isinstance(attempt.error, CannotConnect)
    hidden = World("10.0.0.1", "127.0.0.1")
    refused = hidden.connect()
    hidden.threads.end()
    assert isinstance(refused.error, AddressForbidden)
    assert "10.0" not in str(refused.error)
    assert hidden.network.attempts == []


@pytest.mark.parametrize(
    ("addresses", "tls", "dialled"),
    [
        (["8.8.8.8"], False, []),
        (["8.8.8.8", "127.0.0.1"], False, ["127.0.0.1"]),
        (["10.0.0.1", "::1"], False, ["::1"]),
        (["8.8.8.8"], True, ["8.8.8.8"]),
    ],
)
def test_a_secret_leaves_this_machine_only_over_tls(addresses: list[str], tls: bool, dialled: list[str]) -> None:
    world = World(*addresses, opened=("127.0.0.0/8", "::1/128", "10.0.0.0/8"))
    attempt = world.connect(secret=True, tls=tls)
    world.threads.end()
    assert [each.address for each in world.network.attempts] == dialled
    assert isinstance(attempt.error, AddressForbidden) is (dialled == [])


@pytest.mark.parametrize("tls", [False, True])
def test_a_caller_that_leaves_while_it_is_connected_ends_the_attempt_and_no_other_is_made(tls: bool) -> None:
    world = World(*PUBLIC)
    attempt = world.connect(tls=tls)
    world.threads.end()
    attempt.task.cancel()
    assert world.network.attempts[0].over
    assert len(world.network.attempts) == 1
    assert isinstance(attempt.error, CancelledError)
    assert world.network.getDelayedCalls() == []


def test_a_handshake_that_does_not_end_in_time_ends_the_attempt() -> None:
    world = World("8.8.8.8", "8.8.4.4")
    attempt = world.connect(tls=True)
    world.threads.end()
    world.network.advance(10)
    assert isinstance(attempt.error, CannotConnect)
    assert "handshake" in str(attempt.error)
    assert len(world.network.attempts) == 1


def test_a_name_that_tls_cannot_verify_is_not_dialled() -> None:
    world = World("8.8.8.8")
    attempt = world.connect("a..test", tls=True)
    world.threads.end()
    assert isinstance(attempt.error, CannotConnect)
    assert world.network.attempts == []


def test_what_a_target_trusts_of_its_own_is_read_in_a_thread_and_once() -> None:
    world = World(*PUBLIC)
    asked = [world.connect(tls=True, bundle=OURS.pem) for _ in range(3)]
    world.threads.end()
    world.threads.end()
    world.network.advance(0)
    assert world.network.attempts == []
    assert len(world.network.threads.jobs) == 1
    world.network.threads.end()
    assert len(world.network.attempts) == 3
    assert world.network.threads.jobs == []
    assert not any(attempt.over for attempt in asked)
    world.connect(tls=True, bundle=OURS.pem)
    assert len(world.network.attempts) == 4


def test_who_needs_nothing_of_his_own_does_not_wait_for_who_does() -> None:
    world = World("8.8.8.8")
    world.connect("own.test", tls=True, bundle=OURS.pem)
    world.threads.end()
    world.connect("plain.test", tls=True)
    world.threads.end()
    assert len(world.network.attempts) == 1


def test_one_that_cannot_be_trusted_is_not_dialled() -> None:
    world = World("8.8.8.8")
    attempt = world.connect(tls=True, bundle=f"-----BEGIN CERTIFICATE-----\nx\n{END}")
    world.threads.end()
    world.network.threads.end()
    assert "CA bundle does not parse" in str(attempt.error)
    assert world.network.attempts == []


def test_reading_takes_of_the_time_that_there_is_and_a_caller_may_leave_meanwhile() -> None:
    world = World("8.8.8.8")
    late, leaving = (world.connect(tls=True, bundle=bundle) for bundle in (OURS.pem, OTHER.pem))
    world.threads.end()
    world.threads.end()
    leaving.task.cancel()
    world.network.advance(10)
    assert isinstance(late.error, CannotConnect)
    assert isinstance(leaving.error, CancelledError)
    while world.network.threads.jobs:
        world.network.threads.end()
    assert world.network.attempts == []
    assert world.network.getDelayedCalls() == []
    # And nobody has the lock.
    world.connect(tls=True, bundle=OURS.pem)
    world.network.threads.end()
    assert len(world.network.attempts) == 1
