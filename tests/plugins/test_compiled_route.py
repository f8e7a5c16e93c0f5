"""What a compiled Route has and has not: nobody else's parts, no more names than may pass, cookies where wanted.

Belongs here: a Route's data, by what its proxy, target and credentials are. Does not: what keeps one from being
(test_compiling.py), what its requests are answered (gateway/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from rrgate.api import Side
from rrgate.names import fold
from rrgate.route import Route
from tests.plugins.test_compiling import House


@pytest.fixture
def house() -> House:
    return House()


def route(house: House, **changes: Any) -> Route:
    house.directory.put(evolve(house.directory.proxies["p1"], **changes))
    found = house.directory.find(b"/p1/x")
    assert found is not None
    return found[0]


def test_parts_of_another_client_are_left_out(house: House) -> None:
    house.directory.put(evolve(house.directory.targets["t1"], client_id="c2"))
    for id, side in (("caller", Side.PROXY), ("towards", Side.TARGET)):
        house.unsealed[id] = AssertionError("it was opened")
        house.directory.put(house.credential(id, side, client_id="c2"))
    found = route(house)
    assert (found.target, found.proxy_credential, found.target_credential) == (None, None, None)
    assert (found.endpoint.host, found.chain.authenticate, found.chain.prepare) == ("", (), ())
    assert found.cut_parameters is None


def test_no_name_passes_that_no_credential_is_read_from(house: House) -> None:
    """Whatever got into the list: what belongs to a connection, or tells of the caller, does not cross."""
    assert route(house, pass_headers=("Connection", "X-Forwarded-For", "Host")).passed_headers == frozenset()


@pytest.mark.parametrize(("cookies", "cut"), [("pass", False), ("drop", True)])
def test_cookies_cross_both_ways_or_neither(house: House, cookies: str, cut: bool) -> None:
    found = route(house, cookies=cookies)
    assert (b"cookie" in found.cut_headers, b"set-cookie" in found.cut_answer_headers) == (cut, cut)


NEVER = (
    # RFC 9110 7.6.1, and what stands in its place in HTTP/2's upgrade (RFC 7540 3.2.1).
    *("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer"),
    *("Transfer-Encoding", "Upgrade", "HTTP2-Settings"),
)
NEVER_ASKED = (
    *("Content-Length", "Host", "Expect", "Forwarded", "X-Real-IP", "Via", "True-Client-IP", "X-Forwarded-For"),
    *("CF-Connecting-IP", "X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "X-Original-URL"),
    *("X-Rewrite-URL", "RequestRocket-Hops", "Cookie"),
)
NEVER_ANSWERED = ("Content-Length", "Alt-Svc", "Clear-Site-Data", "Strict-Transport-Security", "Set-Cookie")


@pytest.mark.parametrize("name", [*NEVER, *NEVER_ASKED])
@pytest.mark.parametrize("spelled", [str.lower, str.upper, lambda name: name.replace("-", "_")])
def test_a_field_that_never_reaches_a_target(house: House, name: str, spelled: Callable[[str], str]) -> None:
    fields = [(fold(each), each, b"x") for each in (b"Accept", spelled(name).encode())]
    assert route(house).crossing_fields(fields, ()) == fields[:1]


@pytest.mark.parametrize("name", [*NEVER, *NEVER_ANSWERED])
def test_a_field_that_never_reaches_a_caller(house: House, name: str) -> None:
    assert fold(name.encode()) in route(house).cut_answer_headers
