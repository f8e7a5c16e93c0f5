"""`oauth2` in memory: how tokens are asked for, how long one serves, and what comes of every way in which that fails.

Belongs here: made-up token endpoints, on a clock that the test turns. Does not: a real provider
(tests/gateway/test_oauth2.py), what is on disk after a kill (tests/processes/test_killed_refresh.py).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from rrgate.api import ConfigError, Kept, OutsideAnswer, OutsideError, StateError
from rrgate.background import Background
from rrgate.configuring import configure
from rrgate.model import Proxy
from rrgate.testing import Answer, MemoryGateway, MemoryState, OutsideCall, Received, Says
from rrgate_plugins.oauth2 import OAuth2
from rrgate_plugins.oauth2.answers import NoToken
from rrgate_plugins.oauth2.grants import Failed

SECRET = {
    "grantType": "client_credentials",
    "tokenUrl": "https://login.test/token",
    "clientId": "our service",
    "clientSecret": "s:e+c%r/t-0001",
}
WITH_REFRESH = {**SECRET, "grantType": "refresh_token", "refreshToken": "refresh-0"}


def answer(status: int = 200, body: object = None, *fields: tuple[bytes, bytes]) -> OutsideAnswer:
    return OutsideAnswer(status, fields, body if isinstance(body, bytes) else json.dumps(body).encode())


class Endpoint:
    """A token endpoint: token-1, token-2, …, each with a refresh token of its own, unless `says` says otherwise."""

    def __init__(self) -> None:
        self.calls: list[OutsideCall] = []
        self.says: OutsideAnswer | Exception | None = None
        self.more: dict[str, object] = {"expires_in": 600}
        self.rotates = True

    def __call__(self, call: OutsideCall) -> OutsideAnswer | Exception:
        self.calls.append(call)
        if self.says is not None:
            return self.says
        number = len(self.calls)
        document: dict[str, object] = {"access_token": f"token-{number}", "token_type": "Bearer", **self.more}
        if self.rotates:
            document["refresh_token"] = f"refresh-{number}"
        return answer(200, {name: value for name, value in document.items() if value is not ...})

    def forms(self) -> list[dict[str, str]]:
        """What each call sent."""
        sent = [parse_qs((each.data or b"").decode()) for each in self.calls]
        return [{name: values[0] for name, values in form.items()} for form in sent]


class Scene:
    def __init__(self, **changes: Any) -> None:
        self.gateway = MemoryGateway([OAuth2], installed=False)
        self.endpoint = Endpoint()
        self.gateway.outside.says = self.endpoint
        self.proxy: Proxy = self.gateway.proxy(towards=("oauth2", {**SECRET, **changes}))

    def call(self, method: str = "GET", body: bytes | None = None) -> Answer:
        return self.gateway.call(method, self.proxy, "/", (), body).answer

    def shown(self) -> str:
        """The token that a request shows the target now; `""` if there is none."""
        before = len(self.gateway.target.received)
        self.call()
        received = self.gateway.target.received[before:]
        return received[-1].every("Authorization")[0].removeprefix("Bearer ") if received else ""

    def advance(self, seconds: float) -> None:
        self.gateway.clock.advance(seconds)

    @property
    def state(self) -> MemoryState:
        return self.gateway.state_of(self.gateway.directory.credentials[self.proxy.target_credential_id])

    @property
    def events(self) -> list[str]:
        return [event.kind for event in self.gateway.events]


# How a token is asked for.


def test_the_client_shows_its_secret_in_a_header() -> None:
    scene = Scene(scope="a b", audience="https://api.test", extraParams={"resource": "x&y"})
    assert scene.shown() == "token-1"
    (call,) = scene.endpoint.calls
    scheme, encoded = call.headers["Authorization"].split(" ")
    # RFC 6749 2.3.1: each form-encoded, then joined.
    assert (scheme, b64decode(encoded)) == ("Basic", b"our+service:s%3Ae%2Bc%25r%2Ft-0001")
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert scene.endpoint.forms() == [
        {"grant_type": "client_credentials", "scope": "a b", "audience": "https://api.test", "resource": "x&y"}
    ]


def test_the_client_shows_its_secret_in_the_body() -> None:
    scene = Scene(clientAuthentication="post")
    assert scene.shown() == "token-1"
    (call,) = scene.endpoint.calls
    assert "Authorization" not in call.headers
    assert scene.endpoint.forms() == [
        {"grant_type": "client_credentials", "client_id": "our service", "client_secret": "s:e+c%r/t-0001"}
    ]


def test_a_public_client_says_who_it_is() -> None:
    scene = Scene(**{**WITH_REFRESH, "clientSecret": None})
    assert scene.shown() == "token-1"
    assert "Authorization" not in scene.endpoint.calls[0].headers
    assert scene.endpoint.forms() == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "our service"}
    ]


WRONG = {
    "tokenUrl": [
        {"tokenUrl": "login.test/token"},
        {"tokenUrl": "ftp://login.test"},
        {"tokenUrl": "https://u@login.test"},
        {"tokenUrl": "https://login.test/#x"},
        {"tokenUrl": "https://login.test/\n"},
        {"tokenUrl": "https://[::1"},
        {"tokenUrl": "https://login.test:0/"},
    ],
    "clientId": [{"clientId": ""}, {"clientId": "a\0b"}],
    "clientSecret": [{"clientSecret": None}, {"clientSecret": "a\r\nb"}, {"clientSecret": "\ud800"}],
    "refreshToken": [{"refreshToken": "x"}, {"grantType": "refresh_token"}],
    "authorizationUrl": [{"authorizationUrl": "https://login.test/auth"}],
    "issuer": [{"issuer": "https://login.test"}],
    "extraParams.grant_type": [{"extraParams": {"grant_type": "password"}}],
    "extraParams": [{"extraParams": {"": "x"}}, {"extraParams": {"x": "a\nb"}}],
    "grantType": [{"grantType": "password"}],
    "clientAuthentication": [{"clientAuthentication": "none"}],
}


@pytest.mark.parametrize(("field", "changes"), [(field, each) for field, given in WRONG.items() for each in given])
def test_secrets_that_cannot_work(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        configure(OAuth2.Config, {**SECRET, **changes}, "credentialSecret")
    assert f"credentialSecret.{field}" in {problem.field for problem in raised.value.problems}


# How long it serves.


def test_it_is_asked_for_once_and_serves_until_shortly_before_its_end() -> None:
    scene = Scene()
    scene.endpoint.rotates = False
    assert [scene.shown() for _ in range(3)] == ["token-1"] * 3
    scene.advance(539)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("token-1", 1)
    scene.advance(2)
    # The next one is fetched while this one serves.
    assert (scene.shown(), len(scene.endpoint.calls)) == ("token-1", 2)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("token-2", 2)


def test_where_nobody_asks_nothing_is_fetched() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.advance(10_000)
    assert len(scene.endpoint.calls) == 1
    assert scene.shown() == "token-2"


def test_the_one_ahead_of_need_keeps_nobody_waiting() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.advance(550)
    scene.gateway.outside.after = 5.0
    assert [scene.shown() for _ in range(20)] == ["token-1"] * 20
    scene.advance(5)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("token-2", 2)


def test_a_failure_ahead_of_need_is_the_operators_alone() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.advance(550)
    scene.endpoint.says = OutsideError("nobody answers")
    assert [scene.shown() for _ in range(3)] == ["token-1"] * 3
    assert (scene.events, len(scene.endpoint.calls)) == (["credential-failed"], 2)
    scene.advance(1)
    scene.endpoint.says = None
    assert [scene.shown(), scene.shown()] == ["token-1", "token-3"]


@pytest.mark.parametrize(
    ("told", "life"),
    [
        (600, 600),
        ("600", 600),
        (600.5, 600.5),
        (10, 10),
        (..., 3600),
        (None, 3600),
        (0, 3600),
        (-1, 3600),
        ("soon", 3600),
        (True, 3600),
        ([600], 3600),
        ("NaN", 3600),
        ("Infinity", 3600),
        (1e300, 365 * 86400),
    ],
)
def test_how_long_it_serves(told: object, life: float) -> None:
    scene = Scene()
    scene.endpoint.more = {"expires_in": told}
    assert scene.shown() == "token-1"
    scene.advance(life - min(5, life / 20) - 0.01)
    assert scene.shown() == "token-1"
    scene.gateway.stop()
    scene = Scene()
    scene.endpoint.more = {"expires_in": told}
    assert scene.shown() == "token-1"
    scene.advance(life - min(5, life / 20) + 0.01)
    assert scene.shown() == "token-2"


def test_setting_the_walls_clock_changes_nothing() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    for seconds in (-100_000, 200_000):
        scene.gateway.clock.turn_wall(seconds)
        assert (scene.shown(), len(scene.endpoint.calls)) == ("token-1", 1)


# Many at once.


def test_200_requests_wait_for_one_token() -> None:
    scene = Scene()
    scene.gateway.outside.after = 3.0
    calls = [scene.gateway.call("GET", scene.proxy) for _ in range(200)]
    assert not any(call.ended for call in calls)
    # The one that began it leaves; the others lose nothing by it.
    calls.pop(0).leave()
    scene.advance(3)
    assert {call.answer.status for call in calls} == {200}
    assert len(scene.endpoint.calls) == 1
    assert {received.every("Authorization")[0] for received in scene.gateway.target.received} == {"Bearer token-1"}


def test_200_requests_share_a_failure() -> None:
    scene = Scene()
    scene.gateway.outside.after = None
    calls = [scene.gateway.call("GET", scene.proxy) for _ in range(200)]
    scene.advance(10)
    assert {(call.answer.status, call.answer["requestrocket-proxy-code"]) for call in calls} == {
        (502, "target-credential-failed")
    }
    assert (len(scene.gateway.outside.calls), scene.events) == (1, ["credential-failed"])


def test_it_ends_with_the_gateway() -> None:
    scene = Scene()
    scene.gateway.outside.after = 3.0
    call = scene.gateway.call("GET", scene.proxy)
    scene.gateway.stop()
    scene.advance(0)
    assert call.answer.status == 502
    scene.advance(3)
    assert not scene.endpoint.calls


# Where there is none.

FAILURES: dict[str, OutsideAnswer | Exception] = {
    "nobody there": OutsideError("the server takes no connections"),
    "an answer of 50 MB": answer(200, b"x" * 50_000_000),
    "HTML": answer(200, b"<html><script>alert(1)</script>"),
    "an error page": answer(503, b"<html>"),
    "a redirect": answer(302, b"", (b"Location", b"https://evil.test/token")),
    "nothing": answer(200, b""),
    "an array": answer(200, [1]),
    "nesting": answer(200, b"[" * 30_000),
    "no token": answer(200, {"token_type": "Bearer"}),
    "a number": answer(200, {"access_token": 4711, "token_type": "Bearer"}),
    "a token of two lines": answer(200, {"access_token": "a\r\nX-Evil: 1", "token_type": "Bearer"}),
    "a token with a space": answer(200, {"access_token": "a b", "token_type": "Bearer"}),
    "an empty token": answer(200, {"access_token": "", "token_type": "Bearer"}),
    "a token of 17 KiB": answer(200, {"access_token": "x" * 17_000, "token_type": "Bearer"}),
    "another type": answer(200, {"access_token": "secret-token-of-mac", "token_type": "mac"}),
    "DPoP": answer(200, {"access_token": "secret-token-of-dpop", "token_type": "DPoP"}),
    "a type that is none": answer(200, {"access_token": "secret-token-of-7", "token_type": 7}),
    "an error with 200": answer(200, {"error": "invalid_client", "access_token": "secret-token-and-error"}),
    "an error of its own": answer(400, {"error": "<b>evil</b>", "error_description": "said-by-the-provider"}),
    "a wrong client": answer(401, {"error": "invalid_client", "error_description": "said-by-the-provider"}),
    "a refusal without JSON": answer(403, b"said-by-the-provider"),
    "too many": answer(429, {"error": "slow_down"}),
    "no grant of its own": answer(400, {"error": "invalid_grant"}),
}


@pytest.mark.parametrize("says", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("secret", [SECRET, WITH_REFRESH], ids=["client", "refresh"])
def test_every_failure_is_a_502_an_event_and_over_when_it_is_over(
    secret: dict[str, Any], says: OutsideAnswer | Exception
) -> None:
    scene = Scene(**secret)
    scene.endpoint.says = says
    over = secret is WITH_REFRESH and b"invalid_grant" in getattr(says, "body", b"")
    got = scene.call()
    assert (got.status, got["requestrocket-proxy-code"]) == (502, "target-credential-failed")
    assert got["Retry-After"] == ("60" if over else "1")
    assert scene.events == ["credential-needs-authorization" if over else "credential-failed"]
    told = f"{got.fields} {got.body!r} {scene.gateway.events} {scene.gateway.records}"
    for theirs in ("evil", "secret-token", "said-by", "html", "login.test", "refresh-0", "s:e+c"):
        assert theirs not in told
    assert not scene.gateway.target.received
    # Asked at once again, nobody is called.
    assert scene.call().status == 502
    assert len(scene.endpoint.calls) == 1
    scene.endpoint.says = None
    scene.advance(1)
    assert scene.shown() == ("" if over else "token-2")


def test_the_time_between_two_tries_is_bounded() -> None:
    scene = Scene()
    scene.endpoint.says = OutsideError("nobody answers")
    tried = []
    for second in range(300):
        before = len(scene.endpoint.calls)
        assert scene.call().status == 502
        if len(scene.endpoint.calls) > before:
            tried.append(second)
        scene.advance(1)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    scene.endpoint.says = None
    scene.advance(60)
    assert scene.shown()
    # One success, and it begins with a second again.
    scene.endpoint.says = OutsideError("nobody answers")
    scene.advance(700)
    assert scene.call()["Retry-After"] == "1"


@pytest.mark.parametrize(("told", "wait"), [(b"7", "7"), (b"100000", "300"), (b"soon", "1"), (b"-1", "1")])
def test_a_provider_may_ask_to_be_left_alone(told: bytes, wait: str) -> None:
    scene = Scene()
    scene.endpoint.says = answer(503, b"", (b"Retry-After", told))
    assert scene.call()["Retry-After"] == wait


# After a 401 of the target.


def says_by_token(*good: str) -> Callable[[Received], Says]:
    def says(received: Received) -> Says:
        return Says(200 if received.every("Authorization")[0] in [f"Bearer {token}" for token in good] else 401)

    return says


BODIES = {"none": None, "small": b"x" * 100, "as large as may be": b"x" * 65536}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_refused_token_is_replaced_and_the_request_sent_again(body: bytes | None) -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.gateway.target.says = says_by_token("token-2")
    assert scene.call("POST", body).status == 200
    first, second = scene.gateway.target.received[-2:]
    assert (first.body, second.body) == (body or b"", body or b"")
    assert len(scene.endpoint.calls) == 2


def test_one_that_is_not_held_gets_the_401_and_the_next_a_new_token() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.gateway.target.says = says_by_token("token-2")
    assert scene.call("POST", b"x" * 65537).status == 401
    assert len(scene.endpoint.calls) == 2
    assert scene.call("POST", b"x" * 65537).status == 200


def test_a_body_of_unknown_length_is_not_held() -> None:
    scene = Scene()
    scene.gateway.target.says = says_by_token("token-2")
    call = scene.gateway.call("POST", scene.proxy, "/", (), [b"a", b"b"])
    assert (call.answer.status, scene.shown()) == (401, "token-2")


def test_a_target_that_always_refuses_does_not_ask_the_provider_each_time() -> None:
    scene = Scene()
    scene.gateway.target.says = Says(401, b"not you")
    for _ in range(29):
        got = scene.call()
        assert (got.status, got.body) == (401, b"not you")
        scene.advance(1)
    assert (len(scene.endpoint.calls), len(scene.gateway.target.received)) == (2, 30)
    scene.advance(1)
    scene.call()
    assert len(scene.endpoint.calls) == 3


def test_requests_refused_together_share_the_new_token() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.gateway.outside.after = 2.0
    scene.gateway.target.says = says_by_token("token-2")
    calls = [scene.gateway.call("GET", scene.proxy) for _ in range(50)]
    scene.advance(2)
    assert ({call.answer.status for call in calls}, len(scene.endpoint.calls)) == ({200}, 2)


def test_without_a_new_token_the_401_is_the_answer() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.endpoint.says = OutsideError("nobody answers")
    scene.gateway.target.says = Says(401)
    assert (scene.call().status, scene.events) == (401, ["credential-failed"])


# One token for all processes.


@pytest.mark.parametrize("expires_in", [600, ...])
def test_a_token_of_the_client_is_that_of_all_processes_and_of_the_next_one(expires_in: object) -> None:
    scene = Scene()
    scene.endpoint.more = {"expires_in": expires_in}
    assert scene.shown() == "token-1"
    restarted(scene)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("token-1", 1)
    scene.advance(4000)
    restarted(scene)
    assert scene.shown() == "token-2"


def test_a_target_that_refuses_a_token_is_shown_the_one_that_another_process_has_got_since() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    another = put_on_disk(scene, accessToken="theirs", since=2e9)
    scene.gateway.target.says = lambda received: Says(200 if "theirs" in received.every("Authorization")[0] else 401)
    assert scene.call().status == 200
    assert (scene.shown(), len(scene.endpoint.calls), scene.state.kept) == ("theirs", 1, another)
    scene.gateway.target.says = lambda received: Says(401 if "theirs" in received.every("Authorization")[0] else 200)
    scene.advance(31)
    assert (scene.call().status, scene.shown(), len(scene.endpoint.calls)) == (200, "token-2", 2)


def test_processes_ask_for_a_token_one_after_the_other() -> None:
    scene = Scene()
    scene.state.busy = True
    call = scene.gateway.call("GET", scene.proxy)
    scene.advance(5)
    assert not call.ended
    put_on_disk(scene, accessToken="theirs", since=2e9, life=600, refreshToken=None, over=False)
    scene.state.busy = False
    scene.advance(1)
    assert call.answer.status == 200
    assert (scene.shown(), scene.endpoint.calls) == ("theirs", [])


@pytest.mark.parametrize("trouble", ["the disk does not work", "the other does not come to an end", "it is not taken"])
def test_where_a_token_cannot_be_shared_each_process_has_its_own(trouble: str) -> None:
    scene = Scene()
    if trouble == "it is not taken":

        async def full(value: bytes, revision: int) -> int:
            raise StateError("the disk is full")

        scene.state.write = full  # type: ignore[method-assign]
    elif trouble == "the disk does not work":
        scene.state.fails = True
    else:
        scene.state.busy = True
    call = scene.gateway.call("GET", scene.proxy)
    scene.advance(13)
    assert call.answer.status == 200
    assert (scene.shown(), len(scene.endpoint.calls), scene.events) == ("token-1", 1, [])


# What failed is waited for by all.


def test_a_failure_holds_back_all_processes() -> None:
    scene = Scene()
    scene.endpoint.says = answer(401, {"error": "invalid_client"})
    asked = []
    for second in range(240):
        restarted(scene)  # in every second another process has a request
        before = len(scene.endpoint.calls)
        got = scene.call()
        assert got.status == 502
        if len(scene.endpoint.calls) > before:
            asked.append(second)
        else:
            assert 1 <= int(got["Retry-After"]) <= 60
            assert "refused: invalid_client" in got.document["message"]
        scene.advance(1)
    assert asked == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    scene.endpoint.says = None
    scene.advance(60)
    assert scene.shown().startswith("token-")
    scene.advance(700)
    scene.endpoint.says = OutsideError("nobody answers")
    restarted(scene)
    assert scene.call()["Retry-After"] == "1", "with a success it begins anew"


def test_a_provider_is_left_alone_by_all_processes() -> None:
    scene = Scene()
    scene.endpoint.says = answer(429, b"", (b"Retry-After", b"100"))
    assert scene.call()["Retry-After"] == "100"
    restarted(scene)
    scene.advance(40)
    assert (scene.call()["Retry-After"], len(scene.endpoint.calls)) == ("60", 1)
    scene.endpoint.says = None
    scene.advance(61)
    assert scene.shown() == "token-2"


def test_while_the_present_token_serves_a_failure_to_replace_it_takes_it_from_nobody() -> None:
    scene = Scene()
    assert scene.shown() == "token-1"
    scene.gateway.target.says = Says(401)
    scene.endpoint.says = OutsideError("nobody answers")
    assert scene.call().status == 401
    scene.gateway.target.says = Says(200)
    restarted(scene)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("token-1", 2)


def test_who_has_got_a_token_since_ends_the_wait_of_all() -> None:
    scene = Scene()
    scene.endpoint.says = answer(429, b"", (b"Retry-After", b"100"))
    assert scene.call().status == 502
    put_on_disk(scene, accessToken="theirs", since=2e9, life=600)
    restarted(scene)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("theirs", 1)


def test_a_wall_clock_that_is_set_back_prolongs_no_wait() -> None:
    scene = Scene()
    scene.endpoint.says = answer(429, b"", (b"Retry-After", b"100"))
    assert scene.call().status == 502
    failed = kept(scene)["failed"]
    put_on_disk(scene, failed={**failed, "until": failed["until"] + 86_400})
    scene.endpoint.says = None
    restarted(scene)
    assert scene.shown() == "token-2"


@pytest.mark.parametrize("left", [0.3, 60.0])
def test_a_wait_that_is_kept_is_waited_for(left: float) -> None:
    with pytest.raises(NoToken, match="why") as raised:
        Failed("why", failures=9, until=1000.0 + left, wait=60.0).check(1000.0)
    assert raised.value.wait == pytest.approx(left)


@pytest.mark.parametrize("left", [-1.0, 0.2, 60.1, 1e9])
def test_but_not_what_is_left_of_it_by_another_clock(left: float) -> None:
    Failed("why", failures=9, until=1000.0 + left, wait=60.0).check(1000.0)


@pytest.mark.parametrize("trouble", ["the disk does not work", "it is not taken"])
def test_where_a_failure_cannot_be_shared_each_process_waits_by_itself(trouble: str) -> None:
    scene = Scene()
    scene.endpoint.says = OutsideError("nobody answers")
    if trouble == "the disk does not work":
        scene.state.fails = True
    else:

        async def full(value: bytes, revision: int) -> int:
            raise StateError("the disk is full")

        scene.state.write = full  # type: ignore[method-assign]
    for calls in (1, 1, 2):
        got = scene.call()
        assert (got.status, len(scene.endpoint.calls)) == (502, calls)
        scene.advance(0.6)
    assert scene.events == ["credential-failed"] * 2


# Refresh tokens.


def put_on_disk(scene: Scene, **changes: object) -> Any:
    """What another process has written."""
    before = scene.state.kept
    document = {**({} if before is None else kept(scene)), **changes}
    scene.state.kept = Kept(json.dumps(document).encode(), 1 if before is None else before.revision + 1)
    return scene.state.kept


def kept(scene: Scene) -> Any:
    assert scene.state.kept is not None
    return json.loads(scene.state.kept.value)


def test_each_refresh_token_is_used_once_and_kept_before_its_access_token_is() -> None:
    scene = Scene(**WITH_REFRESH)
    seen: list[tuple[str, str]] = []
    scene.gateway.target.says = lambda received: seen.append(
        (received.every("Authorization")[0], kept(scene)["refreshToken"])
    ) or Says(200)
    for _ in range(3):
        scene.call()
        scene.advance(700)
    assert [form["refresh_token"] for form in scene.endpoint.forms()] == ["refresh-0", "refresh-1", "refresh-2"]
    assert seen == [(f"Bearer token-{number}", f"refresh-{number}") for number in (1, 2, 3)]


def test_a_refresh_token_that_is_not_replaced_is_used_again() -> None:
    scene = Scene(**WITH_REFRESH)
    scene.endpoint.rotates = False
    for _ in range(3):
        scene.call()
        scene.advance(700)
    assert {form["refresh_token"] for form in scene.endpoint.forms()} == {"refresh-0"}


def restarted(scene: Scene) -> None:
    """Another process begins with what is on disk."""
    scene.gateway.stop()
    compiler: Any = scene.gateway.directory._build.__self__  # type: ignore[attr-defined]
    compiler._objects.kept.clear()
    compiler._objects._background = Background().start
    scene.gateway.directory.put(scene.proxy)


def test_after_a_restart_the_token_serves_on() -> None:
    scene = Scene(**WITH_REFRESH)
    assert scene.shown() == "token-1"
    restarted(scene)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("token-1", 1)
    scene.advance(700)
    restarted(scene)
    assert scene.shown() == "token-2"
    assert scene.endpoint.forms()[-1]["refresh_token"] == "refresh-1"


def test_what_another_process_has_got_is_taken() -> None:
    scene = Scene(**WITH_REFRESH)
    assert scene.shown() == "token-1"
    put_on_disk(scene, accessToken="theirs", refreshToken="refresh-theirs", since=2e9)
    scene.advance(700)
    assert (scene.shown(), len(scene.endpoint.calls)) == ("theirs", 1)


def test_one_process_at_a_time() -> None:
    scene = Scene(**WITH_REFRESH)
    scene.state.busy = True
    call = scene.gateway.call("GET", scene.proxy)
    scene.advance(5)
    assert not call.ended
    assert not scene.endpoint.calls
    scene.state.busy = False
    scene.advance(1)
    assert call.answer.status == 200
    scene.advance(700)
    scene.state.busy = True
    call = scene.gateway.call("GET", scene.proxy)
    scene.advance(13)
    assert (call.answer.status, call.answer["requestrocket-proxy-code"]) == (502, "target-credential-failed")
    assert len(scene.endpoint.calls) == 1


def test_what_the_disk_did_not_take_is_not_used_until_it_has() -> None:
    scene = Scene(**WITH_REFRESH)
    fails = scene.state.write

    async def no_disk(value: bytes, revision: int) -> int:
        scene.state.fails = True
        return await fails(value, revision)

    scene.state.write = no_disk  # type: ignore[method-assign]
    assert scene.shown() == ""
    assert scene.events == ["credential-failed"]
    scene.advance(1)
    assert scene.shown() == ""
    scene.state.write, scene.state.fails = fails, False  # type: ignore[method-assign]
    scene.advance(2)
    assert (scene.shown(), len(scene.endpoint.calls), kept(scene)["refreshToken"]) == ("token-1", 1, "refresh-1")


def test_a_grant_that_is_over_is_marked_and_never_asked_for_again() -> None:
    scene = Scene(**WITH_REFRESH)
    assert scene.shown() == "token-1"
    scene.endpoint.says = answer(400, {"error": "invalid_grant"})
    scene.advance(700)
    assert scene.shown() == ""
    assert scene.state.needs_authorization
    for _ in range(100):
        scene.advance(61)
        assert scene.shown() == ""
    restarted(scene)
    assert scene.shown() == ""
    assert len(scene.endpoint.calls) == 2
    assert set(scene.events) == {"credential-needs-authorization"}


def test_while_the_old_token_serves_a_grant_that_is_over_stops_nobody() -> None:
    scene = Scene(**WITH_REFRESH)
    assert scene.shown() == "token-1"
    scene.endpoint.says = answer(400, {"error": "invalid_grant"})
    scene.advance(550)
    assert [scene.shown(), scene.shown()] == ["token-1", "token-1"]
    scene.gateway.target.says = Says(401)
    assert scene.call().status == 401


