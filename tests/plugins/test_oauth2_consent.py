"""The code flow's two messages, in memory: what a browser is sent with, and what it may bring back.

Belongs here: the plugin's part. Does not: state, cookies, pages (tests/core/test_authorize.py).
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from rrgate.api import AuthorizationRefused, ConfigError, OutsideAnswer, OutsideError, StateError
from rrgate.configuring import configure
from rrgate.testing import MemoryGateway, Says
from rrgate.waiting import Task
from rrgate_plugins.oauth2 import OAuth2

BACK = "https://core.test/oauth2/callback"
SECRET = {
    "grantType": "authorization_code",
    "tokenUrl": "https://login.test/token",
    "authorizationUrl": "https://login.test/auth",
    "clientId": "app",
    "clientSecret": "client-secret-of-the-app",
}


class Scene:
    def __init__(self, **changes: Any) -> None:
        self.gateway = MemoryGateway([OAuth2], installed=False)
        self.gateway.outside.says = OutsideAnswer(
            200,
            (),
            b'{"access_token": "granted", "token_type": "bearer", "expires_in": 600, "refresh_token": "refresh-1"}',
        )
        self.proxy = self.gateway.proxy(towards=("oauth2", {**SECRET, **changes}))
        credential = self.gateway.directory.credentials[self.proxy.target_credential_id]
        compiler: Any = self.gateway.directory._build.__self__  # type: ignore[attr-defined]
        self.plugin: OAuth2 = compiler.credential_plugin(credential)
        self.state = self.gateway.state_of(credential)

    def bring(self, kept: str = "", **parameters: str) -> None:
        """What `authorized` raises is raised."""
        ended: list[BaseException | None] = []
        Task(self.plugin.authorized(BACK, {"state": "s", **parameters}, kept), ended.append).start()
        (error,) = ended
        if error is not None:
            raise error

    def asked(self) -> dict[str, str]:
        data = self.gateway.outside.calls[-1].data or b""
        return {name: values[0] for name, values in parse_qs(data.decode()).items()}


def test_where_a_browser_is_sent() -> None:
    scene = Scene(
        authorizationUrl="https://login.test/auth?tenant=1",
        scope="a b",
        audience="https://api.test",
        authorizationParams={"prompt": "consent & more"},
    )
    made = scene.plugin.authorization_request(BACK, "the-state")
    challenge = urlsafe_b64encode(hashlib.sha256(made.kept.encode()).digest()).rstrip(b"=").decode()
    assert made.url.startswith("https://login.test/auth?tenant=1&")
    assert dict(parse_qsl(urlsplit(made.url).query)) == {
        "tenant": "1",
        "prompt": "consent & more",
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": BACK,
        "state": "the-state",
        "scope": "a b",
        "audience": "https://api.test",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    # RFC 7636 4.1: 43 to 128 characters; another one each time.
    assert 43 <= len(made.kept) <= 128
    assert made.kept != scene.plugin.authorization_request(BACK, "the-state").kept
    assert "client-secret" not in made.url
    assert made.kept not in f"{made!r} {made.url}"


def test_without_pkce() -> None:
    made = Scene(pkce=False).plugin.authorization_request(BACK, "s")
    assert (made.kept, "code_challenge" in made.url) == ("", False)


def test_what_the_code_is_changed_for() -> None:
    scene = Scene()
    assert scene.gateway.call("GET", scene.proxy).answer.status == 502
    assert not scene.gateway.outside.calls
    scene.bring("the-verifier", code="the-code")
    assert scene.asked() == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": BACK,
        "code_verifier": "the-verifier",
    }
    assert scene.state.kept is not None
    assert json.loads(scene.state.kept.value)["refreshToken"] == "refresh-1"
    assert scene.gateway.call("GET", scene.proxy).answer.status == 200
    assert scene.gateway.target.last["Authorization"] == "Bearer granted"
    # It is authorized once more, whatever was there.
    scene.bring("", code="another")
    assert scene.state.kept.revision == 2


ISSUER = "https://login.test"


@pytest.mark.parametrize(
    ("configured", "given", "right"),
    [
        (ISSUER, ISSUER, True),
        (ISSUER, None, False),
        (ISSUER, "", False),
        (ISSUER, ISSUER + "/", False),
        (ISSUER, "https://LOGIN.test", False),
        (ISSUER, "https://evil.test", False),
        (None, None, True),
        (None, ISSUER, True),
        (None, "https://login.test:443/tenant", True),
        (None, "http://login.test", False),
        (None, "http://login.test:443", False),
        (None, "https://login.test:8443", False),
        (None, "https://login.test.evil.test", False),
        (None, "https://evil.test/login.test", False),
        (None, "", False),
        (None, "https://[", False),
    ],
)
def test_an_answer_of_another_issuer_is_none(configured: str | None, given: str | None, right: bool) -> None:
    scene = Scene(issuer=configured)
    parameters = {"code": "the-code"} | ({} if given is None else {"iss": given})
    if right:
        scene.bring(**parameters)
        return
    with pytest.raises(AuthorizationRefused, match="iss"):
        scene.bring(**parameters)
    # RFC 9207 2.4: its errors are none, either; and its code is sent nowhere.
    with pytest.raises(AuthorizationRefused, match="iss"):
        scene.bring(**{**parameters, "error": "access_denied"})
    assert not scene.gateway.outside.calls
    assert scene.state.kept is None


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "no code"),
        ({"code": ""}, "no code"),
        ({"code": "x" * 8193}, "no code"),
        ({"error": "access_denied", "code": "x"}, "access_denied"),
        ({"error": "<b>evil</b>", "error_description": "evil"}, "an error"),
        ({"error": ""}, "an error"),
    ],
)
def test_what_authorizes_nothing(parameters: dict[str, str], said: str) -> None:
    scene = Scene()
    with pytest.raises(AuthorizationRefused, match=said) as raised:
        scene.bring(**parameters)
    assert "evil" not in str(raised.value)
    assert not scene.gateway.outside.calls


@pytest.mark.parametrize(
    "says",
    [
        OutsideError("nobody answers"),
        OutsideAnswer(400, (), b'{"error": "invalid_grant"}'),
        OutsideAnswer(200, (), b""),
    ],
)
def test_a_code_that_is_changed_for_nothing(says: OutsideAnswer | Exception) -> None:
    scene = Scene()
    scene.gateway.outside.says = says
    with pytest.raises(AuthorizationRefused):
        scene.bring(code="the-code")
    assert scene.state.kept is None
    assert scene.gateway.call("GET", scene.proxy).answer.status == 502


def test_a_disk_that_does_not_take_it() -> None:
    scene = Scene()
    scene.state.fails = True
    with pytest.raises(AuthorizationRefused):
        scene.bring(code="the-code")
    assert scene.gateway.call("GET", scene.proxy).answer.status == 502


def test_what_was_refused_since_the_disk_was_full_authorizes_nothing_later(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()

    async def full(value: bytes, revision: int) -> int:
        raise StateError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(scene.state, "write", full)
        with pytest.raises(AuthorizationRefused):
            scene.bring(code="the-code")
    assert scene.gateway.call("GET", scene.proxy).answer.status == 502
    assert scene.state.kept is None


def test_who_authorizes_it_while_it_is_shown_that_somebody_must_has_not_done_so_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene()
    scene.bring(code="the-code")
    shown: Deferred[None] = Deferred()
    monkeypatch.setattr(scene.state, "authorization_needed", lambda needed: shown)
    granted = scene.gateway.outside.says
    assert isinstance(granted, OutsideAnswer)
    scene.gateway.outside.says = OutsideAnswer(400, (), b'{"error": "invalid_grant"}')
    scene.gateway.target.says = lambda received: Says(200 if received["Authorization"] == "Bearer anew" else 401)
    call = scene.gateway.call("GET", scene.proxy)
    assert not call.ended
    scene.gateway.outside.says = evolve(granted, body=granted.body.replace(b"granted", b"anew"))
    scene.bring(code="another-code")
    shown.callback(None)
    assert call.answer.status == 200
    assert scene.gateway.call("GET", scene.proxy).answer.status == 200


def test_without_a_refresh_token_it_serves_to_its_end_and_a_401_does_not_end_it() -> None:
    scene = Scene()
    scene.gateway.outside.says = OutsideAnswer(200, (), b'{"access_token": "granted", "expires_in": 600}')
    scene.bring(code="the-code")
    scene.gateway.target.says = Says(401)
    assert scene.gateway.call("GET", scene.proxy).answer.status == 401
    scene.gateway.target.says = Says()
    assert not scene.gateway.events
    for seconds, status in ((500, 200), (90, 200), (10, 502), (100, 502)):
        scene.gateway.clock.advance(seconds)
        assert scene.gateway.call("GET", scene.proxy).answer.status == status
    assert len(scene.gateway.outside.calls) == 1
    assert scene.state.needs_authorization


WRONG = {
    "authorizationUrl": [
        {"authorizationUrl": None},
        {"authorizationUrl": "login.test"},
        {"authorizationUrl": "http://login.test/auth"},
        {"authorizationUrl": "http://other.test/auth", "tokenUrl": "http://login.test/token"},
        {"authorizationUrl": "javascript:alert(1)"},
    ],
    "refreshToken": [{"refreshToken": "x"}],
    "pkce": [{"pkce": False, "clientSecret": None}],
    "authorizationParams.state": [{"authorizationParams": {"state": "x"}}],
    "authorizationParams.redirect_uri": [{"authorizationParams": {"redirect_uri": "https://evil.test"}}],
}


@pytest.mark.parametrize(("field", "changes"), [(field, each) for field, given in WRONG.items() for each in given])
def test_secrets_that_cannot_work(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        configure(OAuth2.Config, {**SECRET, **changes}, "credentialSecret")
    assert f"credentialSecret.{field}" in {problem.field for problem in raised.value.problems}
