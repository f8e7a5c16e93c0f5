"""`proxyPassHeaders`: a name that a credential could be read from passes on purpose, never the one that was used.

Belongs here: that setting through a real gateway. Does not: what is cut without it (test_httpbin.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import Mock

import pytest
import pytest_twisted

from rrgate.names import Crossing
from rrgate.route import Route
from tests.running_gateway import KEY, RunningGateway
from tests.targets import Connection, Target


class Remembering(Target):
    """A target that keeps the head of the last request."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        super().__init__(self._serve)

    def _serve(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            self.seen = received.every("X-Api-Key")
            self.authorization = received.every("Authorization")
            connection.answer(b"ok")


@pytest.fixture
def target() -> Iterator[Remembering]:
    with Remembering() as running:
        yield running


@pytest_twisted.ensureDeferred
async def test_the_name_that_was_used_never_passes(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url, proxyPassHeaders=["X-Api-Key"])
    for path in ("/", f"/?Authorization={KEY}"):
        answer = await gateway.call(proxy, "GET", path)
        assert (answer.status, target.seen) == (200, [])


@pytest.mark.parametrize("passes", [True, False])
@pytest_twisted.ensureDeferred
async def test_authorization_passes_where_the_key_was_shown_in_its_own_header(
    gateway: RunningGateway, target: Remembering, passes: bool
) -> None:
    names = ["Authorization"] if passes else []
    proxy = await gateway.proxy(target.url, towards=("none", {}), proxyPassHeaders=names)
    meant_for_it = [("Authorization", "Bearer for-the-target")]
    assert (await gateway.call(proxy, "GET", "/", meant_for_it)).status == 200
    assert target.authorization == (["Bearer for-the-target"] if passes else [])
    # Else it was read, rightly or not.
    assert (await gateway.call(proxy, "GET", "/", [("Authorization", KEY)], key=None)).status == 200
    assert target.authorization == []
    assert (await gateway.call(proxy, "GET", f"/?X-Api-Key={KEY}", meant_for_it, key=None)).status == 401


FIELDS = [(b"x-api-key", b"X-Api-Key", b"other"), (b"x-sign", b"X-Sign", b"mine"), (b"accept", b"Accept", b"*/*")]


@pytest.mark.parametrize(
    ("read_from", "sent"),
    [
        ((), [b"Accept"]),
        ((b"x-sign",), [b"X-Api-Key", b"Accept"]),
        ((b"x-sign", b"x-api-key"), [b"Accept"]),
    ],
)
def test_a_passed_name_crosses_only_when_it_is_known_that_another_was_used(
    read_from: tuple[bytes, ...], sent: list[bytes]
) -> None:
    route = Mock(
        cut_headers=frozenset({b"x-api-key", b"x-sign"}),
        passed_headers=frozenset({b"x-api-key"}),
        cut_prefixes=(b"requestrocket-",),
    )
    assert [name for _, name, _ in Route.crossing_fields(route, FIELDS, read_from)] == sent


def test_verdicts_on_names_are_remembered_within_a_bound() -> None:
    crosses = Crossing(frozenset({b"cookie"}), (b"x-forwarded-",))
    for number in range(2000):
        assert crosses[b"x-%d" % number]
        assert not crosses[b"cookie"]
        assert not crosses[b"x-forwarded-%d" % number]
        assert len(crosses) <= 256
    assert crosses[b"y" * 65]
    assert b"y" * 65 not in crosses
