"""The auth types with a stored secret, in memory: which secrets they take, whom they let in, what they write.

Belongs here: forms of one credential. Does not: what becomes of a refusal, or of the caller's credential
(tests/gateway/test_auth_matrix.py).
"""

from __future__ import annotations

import json
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest
from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import Logger

from rrgate.api import Body, ConfigError, Denied, Exchange, Identity, Plugin, PluginContext, Side, TargetRequest, fold
from rrgate.configuring import configure
from rrgate.registry import load_registry

REGISTRY = load_registry()
CONTEXT = PluginContext(Clock(), lambda: 0.0, Logger(), "requestrocket-")


def made(auth_type: str, secret: object, side: Side = Side.PROXY, context: PluginContext = CONTEXT) -> Any:
    """A plugin object of a credential with this secret."""
    plugin = REGISTRY.auth_type(auth_type, side)
    assert plugin is not None
    return plugin(configure(plugin.Config, secret, "credentialSecret"), context)


def asked(*headers: tuple[str, str | bytes], query: str = "") -> Exchange:
    """A caller's request."""
    fields = [
        (fold(name.encode()), name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers
    ]
    target = b"/x?" + query.encode() if query else b"/x"
    nobody: Any = None
    return Exchange("id", b"GET", target, fields, Body(None), 0, False, "127.0.0.1", 0.0, 0.0, nobody)


def let_in(plugin: Any, ex: Exchange) -> bool:
    answer = plugin.authenticate(ex)
    assert answer is None or type(answer) in (Identity, Denied)
    return type(answer) is Identity


def basic(username: str, password: str, encoding: str = "utf-8") -> str:
    return b64encode(f"{username}:{password}".encode(encoding)).decode()


def part(document: object) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


JWT = f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part({'sub': 'ann'})}.c2lnbmF0dXJl"
JWE = f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..aXY.Y2lwaGVy.dGFn"

ALADDIN = {"username": "Aladdin", "password": "open sesame"}
# The two of RFC 7617 2 and 2.1.
OF_THE_RFC = [
    (ALADDIN, "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    ({"username": "test", "password": "123£"}, "dGVzdDoxMjPCow=="),
]


@pytest.mark.parametrize(("secret", "encoded"), OF_THE_RFC)
def test_basic_as_in_its_rfc(secret: dict[str, str], encoded: str) -> None:
    plugin = made("basicAuth", secret)
    assert let_in(plugin, asked(("Authorization", f"Basic {encoded}")))
    assert towards(plugin).injected[b"authorization"][1] == f"Basic {encoded}".encode()


def towards(plugin: Plugin, query: bytes = b"") -> TargetRequest:
    """What a plugin of the target's side writes."""
    ex = asked()
    ex.target_request = TargetRequest(b"GET", b"/", b"?" if query else b"", query, [])
    plugin.prepare(ex)  # type: ignore[attr-defined]
    return ex.target_request


GOOD = basic("Aladdin", "open sesame")


@pytest.mark.parametrize(
    ("shown", "passes"),
    [
        (f"Basic {GOOD}", True),
        (f"basic {GOOD}", True),
        (f"BASIC  {GOOD}", True),
        (f"Basic {GOOD.rstrip('=')}", False),
        (f"Basic\t{GOOD}", False),
        (f"Basic{GOOD}", False),
        (f"Bearer {GOOD}", False),
        (GOOD, False),
        ("Basic", False),
        ("Basic ", False),
        ("", False),
        (f"Basic {GOOD}=", False),
        (f"Basic {GOOD} x", False),
        (f"Basic {GOOD[:4]} {GOOD[4:]}", False),
        (f"Basic {GOOD}, Basic {GOOD}", False),
        ("Basic " + basic("Aladdin", "open sesame "), False),
        ("Basic " + basic("Aladdin", "Open sesame"), False),
        ("Basic " + basic("aladdin", "open sesame"), False),
        ("Basic " + basic("Aladdin", ""), False),
        ("Basic " + basic("", "open sesame"), False),
        ("Basic " + b64encode(b"Aladdin").decode(), False),
        ("Basic " + b64encode(b"Aladdin:open sesame\0").decode(), False),
        ("Basic " + b64encode(b"Aladdin:open sesame\xff").decode(), False),
        ("Basic ////", False),
        ("Basic é", False),
    ],
)
def test_whom_basic_lets_in(shown: str, passes: bool) -> None:
    plugin = made("basic", ALADDIN)
    assert let_in(plugin, asked(("Authorization", shown))) is passes
    assert let_in(plugin, asked(query="page=1&Authorization=" + quote(shown, safe=""))) is passes


def test_basic_compares_characters_and_not_their_spellings() -> None:
    composed, decomposed = "J\u00fcrgen", "Ju\u0308rgen"
    for kept in (composed, decomposed):
        plugin = made("basicAuth", {"username": kept, "password": "pässword"})
        for shown in (composed, decomposed):
            assert let_in(plugin, asked(("Authorization", "Basic " + basic(shown, "pässword"))))
        assert not let_in(plugin, asked(("Authorization", "Basic " + basic("Jurgen", "pässword"))))
        assert not let_in(
            plugin,
            asked(("Authorization", "Basic " + basic(kept, "pässword", "latin-1" if kept == composed else "utf-16"))),
        )
        # A target is sent what the secret holds.
        assert towards(plugin).injected[b"authorization"][1] == f"Basic {basic(kept, 'pässword')}".encode()


def test_long_texts_are_compared_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """To bring a head of combining marks into form takes 0.6 s, and anybody can send one."""
    formed: list[int] = []

    def normalize(form: str, text: str) -> str:
        formed.append(len(text.encode()))
        return unicodedata.normalize(form, text)

    monkeypatch.setattr("rrgate_plugins.basic_auth.normalize", normalize)
    composed, decomposed = "é" * 600, "e\u0301" * 600
    for kept in (composed, decomposed):
        plugin = made("basicAuth", {"username": "a", "password": kept})
        for shown in (composed, decomposed):
            assert let_in(plugin, asked(("Authorization", "Basic " + basic("a", shown)))) is (shown is kept)
        assert not let_in(plugin, asked(("Authorization", "Basic " + basic("a", kept[:-1] + "e"))))
    plugin = made("basicAuth", {"username": "a", "password": "é"})
    for marks in (498, 499, 24_000):
        assert not let_in(plugin, asked(("Authorization", "Basic " + basic("", "\u0301\u0316" * (marks // 2)))))
    assert max(formed) <= 1000


@pytest.mark.parametrize(
    ("secret", "fields"),
    [
        ({"username": "a:b", "password": "x"}, ["username"]),
        ({"username": "a\n", "password": "x\0"}, ["username", "password"]),
        ({"username": "a\x7f", "password": "x\x85"}, ["username", "password"]),
        ({"username": "\ud800", "password": "x"}, ["username"]),
        ({"username": "", "password": ""}, ["password"]),
        ({"username": "a"}, ["password"]),
        ({"password": "a"}, ["username"]),
        ({"username": "a", "password": 5}, ["password"]),
        ({"username": "a", "password": "b", "realm": "c"}, ["realm"]),
    ],
)
def test_what_basic_refuses(secret: object, fields: list[str]) -> None:
    assert refused("basicAuth", secret) == fields


def refused(auth_type: str, secret: object, side: Side = Side.TARGET) -> list[str]:
    """The fields that a secret is refused for, in order."""
    with pytest.raises(ConfigError) as caught:
        made(auth_type, secret, side)
    return [problem.field.removeprefix("credentialSecret.") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "secret", [{"username": "sk_live_1", "password": ""}, {"username": "", "password": "token: a"}]
)
def test_basic_with_one_of_the_two(secret: dict[str, str]) -> None:
    plugin = made("basicAuth", secret)
    assert let_in(plugin, asked(("Authorization", "Basic " + basic(**secret))))
    assert not let_in(plugin, asked(("Authorization", "Basic " + basic("", ""))))


@pytest.mark.parametrize(
    ("shown", "passes"),
    [
        (JWT, True),
        (f"Bearer {JWT}", True),
        (f"bEARER  {JWT}", True),
        (f"Bearer\t{JWT}", False),
        (f"Bearer{JWT}", False),
        (f"Basic {JWT}", False),
        (f"JWT {JWT}", False),
        (f"Bearer Bearer {JWT}", False),
        (f"{JWT}x", False),
        (JWT[:-1], False),
        (JWT.rpartition(".")[0] + ".", False),
        (JWT.swapcase(), False),
        ("Bearer ", False),
        ("Bearer", False),
        ("", False),
        ("é", False),
    ],
)
def test_whom_a_jwt_lets_in(shown: str, passes: bool) -> None:
    plugin = made("jwt", {"token": JWT})
    assert let_in(plugin, asked(("Authorization", shown))) is passes
    assert let_in(plugin, asked(query="Authorization=" + quote(shown, safe=""))) is passes


@pytest.mark.parametrize(
    ("prefix", "shown", "passes"),
    [
        ("Bearer ", "Bearer t0ken", True),
        ("Bearer ", "bEARER  t0ken", True),
        ("Bearer ", "Digest t0ken", False),
        ("Bearer ", "t0ken", False),
        ("Bearer ", "Bearert0ken", False),
        ("Bearer ", "Bearer t0ke", False),
        ("Bearer ", "Bearer ", False),
        ("token ", "token t0ken", True),
        ("token ", "Basic t0ken", False),
        ("", "t0ken", True),
        ("", "Bearer t0ken", False),
    ],
)
def test_whom_a_bearer_token_lets_in(prefix: str, shown: str, passes: bool) -> None:
    plugin = made("bearer", {"token": "t0ken", "prefix": prefix})
    assert let_in(plugin, asked(("Authorization", shown))) is passes
    assert let_in(plugin, asked(query="Authorization=" + quote(shown, safe=""))) is passes


@pytest.mark.parametrize("token", [JWT, JWE])
def test_a_jwt_goes_to_the_target_raw(token: str) -> None:
    assert towards(made("jwt", {"token": token}, Side.TARGET)).injected[b"authorization"][1] == token.encode()


@pytest.mark.parametrize(
    ("secret", "fields"),
    [
        ({"token": f"Bearer {JWT}"}, ["token"]),
        ({"token": f"{JWT}\n"}, ["token"]),
        ({"token": f"{JWT}.x"}, ["token"]),
        ({"token": JWT.rpartition(".")[0]}, ["token"]),
        ({"token": "a.b.c"}, ["token"]),
        ({"token": f"{part(['alg'])}.e30.x"}, ["token"]),
        ({"token": f"{part({'typ': 'JWT'})}.e30.x"}, ["token"]),
        ({"token": urlsafe_b64encode(b"[" * 100_000).rstrip(b"=").decode() + ".e30.x"}, ["token"]),
        ({"token": ""}, ["token"]),
        ({"token": None}, ["token"]),
        ({"signingKey": "k", "claims": {}, "ttl": 60}, ["algorithm"]),
        ({"token": JWT, "signingKey": "k"}, ["algorithm", "signingKey"]),
    ],
)  # fmt: skip
def test_what_a_jwt_may_not_be(secret: object, fields: list[str]) -> None:
    assert sorted(refused("jwt", secret)) == fields


CUSTOM = {
    "headers": {"X-Api-Key": "k 1", "X-Name": "Jürgen", "X-Empty": ""},
    "queryParams": {"sig": "a&b=c", "api key": "é"},
}


def test_custom_writes_all_of_it() -> None:
    request = towards(made("custom", CUSTOM, Side.TARGET), b"page=1&SIG=theirs&api+key=theirs")
    assert [(name, value) for name, value, _ in request.injected.values()] == [
        (b"X-Api-Key", b"k 1"),
        (b"X-Name", b"J\xfcrgen"),
        (b"X-Empty", b""),
    ]
    assert request.query == b"page=1&sig=a%26b%3Dc&api%20key=%C3%A9"


@pytest.mark.parametrize(
    ("secret", "fields"),
    [
        ({}, ["headers"]),
        ({"headers": {}, "queryParams": {}, "data": {}}, ["headers"]),
        ({"headers": {"Host": "x"}}, ["headers.Host"]),
        ({"headers": {"Content_Length": "5"}}, ["headers.Content_Length"]),
        ({"headers": {"requestrocket-hops": "0"}}, ["headers.requestrocket-hops"]),
        ({"headers": {"X-A": "1", "x_a": "2"}}, ["headers.x_a"]),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, ["headers.X-A"]),
        ({"headers": {"X-A": "\u0100"}}, ["headers.X-A"]),
        ({"headers": {"X-A": "\x7f"}}, ["headers.X-A"]),
        ({"headers": {"X-A": " a"}}, ["headers.X-A"]),
        ({"headers": {"X-A": 5}}, ["headers.X-A"]),
        ({"headers": ["X-A"]}, ["headers"]),
        ({"headers": {"Authorization: Bearer s3cret": ""}}, ["headers"]),
        ({"data": {"a": {"b": ["\ud800"]}}}, ["data"]),
        ({"data": {"\ud800": 1}}, ["data"]),
        ({"data": [1]}, ["data"]),
        ({"data": {"a": 1}, "headers": {"Host": "x"}}, ["headers.Host"]),
        ({"queryParams": {"": "x"}}, ["queryParams"]),
        ({"queryParams": {"a": "x\n"}}, ["queryParams"]),
        ({"queryParams": {"a": "\ud800"}}, ["queryParams"]),
        ({"queryParams": {"a_b": "1", "A-B": "2"}}, ["queryParams"]),
        ({"header": {}}, ["header"]),
    ],
)  # fmt: skip
def test_what_custom_refuses(secret: object, fields: list[str]) -> None:
    assert refused("custom", secret) == fields


@pytest.mark.parametrize(
    ("secret", "fields"),
    [
        ({"key": "k", "addToBody": True}, ["value"]),
        ({"key": "k", "value": "v", "addToBody": True, "addToQueryParam": True}, ["addToBody"]),
        ({"key": "k", "value": "v", "addToHeader": False}, ["addToHeader"]),
    ],
)
def test_where_a_key_cannot_go(secret: object, fields: list[str]) -> None:
    assert refused("apiKey", secret) == fields


def test_callers_show_no_key_in_a_body() -> None:
    plugin = made("apiKey", {"key": "k", "value": "v", "addToBody": True}, Side.TARGET)
    plugin.check_side(plugin.config, Side.TARGET)
    with pytest.raises(ConfigError, match=r"^addToBody: is for targets"):
        plugin.check_side(plugin.config, Side.PROXY)


def test_bodies_stream_where_nothing_is_merged_into_them() -> None:
    for auth_type, secret in [("custom", {"headers": {"X-A": "v"}}), ("apiKey", {"key": "k", "value": "v"})]:
        assert not hasattr(made(auth_type, secret, Side.TARGET), "body_needed")


SECRETS: list[tuple[str, dict[str, Any]]] = [
    ("basicAuth", {"username": "s3cret-ann", "password": "s3cret"}),
    ("jwt", {"token": JWT.replace("c2ln", "s3cret")}),
    ("custom", {"headers": {"X-A": "s3cret"}, "queryParams": {"a": "s3cret"}, "data": {"a": {"b": "s3cret"}}}),
    ("apiKey", {"key": "X-A", "value": "s3cret", "addToBody": True}),
]


@pytest.mark.parametrize(("auth_type", "secret"), SECRETS)
def test_no_secret_is_in_a_repr_or_an_error(auth_type: str, secret: dict[str, Any]) -> None:
    plugin = made(auth_type, secret, Side.TARGET)
    assert "s3cret" not in f"{plugin!r} {plugin.config!r} {plugin.config} {plugin.consumes!r}"
    for wrong in ({name: [value] for name, value in secret.items()}, {**secret, "other": "s3cret"}):
        with pytest.raises(ConfigError) as caught:
            made(auth_type, wrong, Side.TARGET)
        assert "s3cret" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    ("auth_type", "secret", "shown"),
    [("basicAuth", ALADDIN, f"Basic {GOOD}"), ("jwt", {"token": JWT}, JWT), ("bearer", {"token": "t"}, "Bearer t")],
)
def test_the_query_counts_unless_it_is_turned_off(auth_type: str, secret: object, shown: str) -> None:
    in_query = "Authorization=" + quote(shown, safe="")
    wrong: Sequence[tuple[str, str]] = [("Authorization", "wrong")]
    assert let_in(made(auth_type, secret), asked(query=in_query))
    assert let_in(made(auth_type, secret), asked(("authorization", shown), query=in_query))
    assert not let_in(made(auth_type, secret), asked(*wrong, query=in_query))
    off = made(auth_type, secret, context=evolve(CONTEXT, query_credentials=False))
    assert off.authenticate(asked(query=in_query)) is None
    assert let_in(off, asked(("Authorization", shown), query="Authorization=wrong"))
    assert b"authorization" in off.consumes.parameters
