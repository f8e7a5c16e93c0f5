"""Eager transports keep every promise of Twisted's own, and keep one more: what can leave leaves at once."""

from __future__ import annotations

import pytest
from twisted.internet import tcp

from rrgate.transports import ACCEPTED_AT_ONCE, EagerPort
from tests.reactor.running import run_scenario

BUFFER = 65536  # Twisted's bufferSize: the most that one read brings


@pytest.mark.parametrize("interface", ["127.0.0.1", "::1"])
def test_twenty_megabytes_there_and_back_are_byte_exact(interface: str) -> None:
    size = 20 * 1024 * 1024
    answer, _ = run_scenario("transport_scenarios:echo", interface, str(size))
    assert answer["count"] == size
    assert answer["received"] == answer["sent"]
    assert answer["client"] == ["EagerClient", True, interface]
    assert answer["lost"] == ["ConnectionDone"]
    # What was left of one read, and nothing more, or back-pressure is lost.
    assert 0 < answer["fullest"] <= BUFFER


def test_a_write_leaves_before_it_returns() -> None:
    answer, _ = run_scenario("transport_scenarios:at_once")
    assert answer["server"] == "EagerServer"
    assert answer["seen"] == ["one", "two", None]
    assert answer["wrong"] == ["Data must be bytes"] * 3
    assert answer["rest"] == "after"


def test_what_must_wait_keeps_its_place_and_pauses_its_producer() -> None:
    answer, _ = run_scenario("transport_scenarios:full_socket")
    assert answer == {
        "order": "first second third",
        "count": 16 * 1024 * 1024,
        "calls": "pause written resume ",
        "aborted": "nothing",
    }


def test_a_pull_producer_is_asked_until_it_is_done() -> None:
    answer, _ = run_scenario("transport_scenarios:pull_producer")
    assert answer == 50_000


@pytest.mark.parametrize("plain_size", [5, 4 * 1024 * 1024], ids=["nothing waits", "plain text waits"])
def test_nothing_written_after_start_tls_leaves_in_the_clear(plain_size: int) -> None:
    answer, _ = run_scenario("transport_scenarios:start_tls", str(plain_size))
    assert answer == {
        "leaked": False,
        "plain_whole": True,
        "client_got": "secret of the server; and more",
        "server_got": "secret of the client",
    }


@pytest.mark.parametrize("first", [0, 1000, 16 * 1024 * 1024], ids=["first write", "later write", "with data waiting"])
def test_a_reset_met_by_a_write_is_told_once_and_not_from_within_it(first: int) -> None:
    answer, log = run_scenario("transport_scenarios:reset", str(first))
    assert answer == {"inside": [], "lost": ["ConnectionLost"]}
    assert "Traceback" not in log


def test_each_half_of_a_connection_ends_by_itself() -> None:
    answer, _ = run_scenario("transport_scenarios:half_close")
    whole = 3 * 1024 * 1024 + 1
    assert answer == [
        {"ends": ["read"], "count": whole, "last": "b"},
        {"ends": ["write", "read"], "count": whole, "last": "c", "got": "still heard"},
    ]


def test_sockets_bound_or_accepted_elsewhere_are_eager_too() -> None:
    answer, _ = run_scenario("transport_scenarios:adopted")
    assert answer == ["EagerServer", True, "EagerServer"]


def test_of_many_who_come_at_once_some_are_accepted_before_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(tcp.Port, "doRead", lambda self: asked.append(self.numberAccepts))
    port = EagerPort(0, None, reactor=object())
    for often in (1, 500):
        port.numberAccepts = often
        port.doRead()
    assert asked == [1, ACCEPTED_AT_ONCE]
