"""Wrong tokens, address by address: how many may be shown in a minute, and who is not shut out by them.

Belongs here: counting and 429. Does not: wrong codes of invites (test_invites.py).
"""

from __future__ import annotations

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.core.answers import Refused
from rrgate.core.attempts import MOST, MOST_ADDRESSES, WINDOW, Attempts
from rrgate.wire.callers import TrustedProxies
from tests.core.doubles import Core


class Wall:
    seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def test_an_address_is_let_try_so_many_times_a_minute() -> None:
    wall = Wall()
    attempts = Attempts(wall)
    for _ in range(MOST):
        attempts.check("192.0.2.1")
        attempts.wrong("192.0.2.1")
    wall.seconds += 20
    with pytest.raises(Refused) as refused:
        attempts.check("192.0.2.1")
    assert refused.value.status == 429
    assert dict(refused.value.headers) == {"Retry-After": "41"}
    attempts.check("192.0.2.2")
    wall.seconds += WINDOW - 20
    attempts.check("192.0.2.1")


def test_what_counts_as_one_address() -> None:
    for one, another, same in (
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("unix", "unix", True),
    ):
        attempts = Attempts(Wall())
        for _ in range(MOST):
            attempts.wrong(one)
        if same:
            with pytest.raises(Refused):
                attempts.check(another)
        else:
            attempts.check(another)


def test_a_token_that_was_good_there_is_not_shut_out() -> None:
    attempts = Attempts(Wall())
    attempts.good("192.0.2.1", b"known")
    for _ in range(MOST):
        attempts.wrong("192.0.2.1")
    attempts.check("192.0.2.1", b"known")
    for shown in (b"", b"another"):
        with pytest.raises(Refused):
            attempts.check("192.0.2.1", shown)


def test_a_clock_that_is_set_back_prolongs_nothing() -> None:
    wall = Wall()
    attempts = Attempts(wall)
    for _ in range(MOST):
        attempts.wrong("192.0.2.1")
    wall.seconds -= 3600
    attempts.check("192.0.2.1")


def test_it_is_bounded() -> None:
    attempts = Attempts(Wall())
    for number in range(MOST_ADDRESSES + 10):
        attempts.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        attempts.good("192.0.2.1", b"%d" % number)
    assert len(attempts._wrong) == len(attempts._good) == MOST_ADDRESSES


@pytest_twisted.ensureDeferred
async def test_wrong_tokens_are_counted_and_missing_ones_are_not(core: Core) -> None:
    assert (await core.ask("GET", "/clients")).status == 200
    for _ in range(MOST + 5):
        assert (await core.ask("GET", "/clients", token=None)).status == 401
    for _ in range(MOST):
        assert (await core.ask("GET", "/clients", token="u-nobody")).status == 401
    for token in ("u-nobody", "u-uma", "x" * 600):
        told = await core.ask("GET", "/clients", token=token)
        assert (told.status, told.headers["retry-after"]) == (429, "61")
        assert told.document["error"] == "Too Many Requests"
    assert (await core.ask("GET", "/clients")).status == 200
    assert (await core.ask("GET", "/healthz", token=None)).status == 200
    core.seconds += WINDOW
    assert (await core.ask("GET", "/clients", token="u-uma")).status == 200


@pytest_twisted.ensureDeferred
async def test_behind_a_trusted_proxy_it_is_the_callers_address(core: Core) -> None:
    core._port.factory.house = evolve(core.house, address_of=TrustedProxies(["127.0.0.0/8"]).told_of)
    for _ in range(MOST + 1):
        told = await core.ask(
            "GET", "/clients", token="u-nobody", headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.1"}
        )
    assert told.status == 429
    for forwarded, status in (("192.0.2.2", 200), ("192.0.2.1", 429), ("198.51.100.1", 200)):
        told = await core.ask("GET", "/clients", headers={"X-Forwarded-For": forwarded})
        assert told.status == status


def test_whose_word_is_taken() -> None:
    told_of = TrustedProxies(["10.0.0.0/8"]).told_of
    for peer, forwarded, expected in (
        ("192.0.2.9", [b"198.51.100.1"], "192.0.2.9"),
        ("::ffff:192.0.2.9", [b"198.51.100.1"], "192.0.2.9"),
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", [b"203.0.113.5", b"198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("unix", [b"198.51.100.1"], "unix"),
    ):
        assert told_of(peer, forwarded) == expected, (peer, forwarded)
    assert TrustedProxies([]).told_of("127.0.0.1", [b"198.51.100.1"]) == "127.0.0.1"
