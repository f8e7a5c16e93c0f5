"""`hmac` signs as those document it whose webhooks are signed, and refuses templates that cannot be signed.

Belongs here: published examples, placeholders, what its Config refuses. Does not: what holds for all auth types
(tests/testing, tests/gateway/test_auth_matrix.py).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any

import pytest
from attrs import field, frozen

from rrgate.api import ConfigError, Exchange, Kind, NoConfig, Parts, Plugin, Side
from rrgate.configuring import configure
from rrgate.registry import load_registry
from rrgate.testing import MemoryGateway, Received

SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a1"
    b"4d10d2c447fce8b6703c"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@frozen
class Published:
    """A signature that its inventor shows: the credential, the request, what arrives. `now`: when it was made."""

    id: str
    secret: dict[str, Any]
    arrives: dict[str, str]
    body: bytes = b"Hello, World!"
    headers: dict[str, str] = field(factory=dict)
    now: float = 1_700_000_000.0
    url: str = "https://target.test"
    path: str = "/"


EVERYBODY = "It's a Secret to Everybody"
PUBLISHED = [
    Published(
        "GitHub",
        {"secret": EVERYBODY, "header": "X-Hub-Signature-256", "prefix": "sha256="},
        {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
    ),
    Published(
        "Slack",
        {
            "secret": "8f742231b10e8888abcd99yyyzzz85a5",
            "header": "X-Slack-Signature",
            "template": "v0:{timestamp}:{body}",
            "prefix": "v0=",
            "timestampHeader": "X-Slack-Request-Timestamp",
        },
        {
            "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            "X-Slack-Request-Timestamp": "1531420618",
        },
        SLACK_BODY,
        FORM,
        now=1531420618.9,
    ),
    Published(
        "Standard Webhooks",
        {
            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "secretEncoding": "base64",
            "header": "webhook-signature",
            "template": "{header:webhook-id}.{timestamp}.{body}",
            "prefix": "v1,",
            "encoding": "base64",
            "timestampHeader": "webhook-timestamp",
        },
        {
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "webhook-timestamp": "1614265330",
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        },
        b'{"test": 2432232314}',
        {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek"},
        now=1614265330.0,
    ),
    Published(
        "Twilio",
        {
            "secret": "12345",
            "header": "X-Twilio-Signature",
            "template": "{url}{form}",
            "algorithm": "sha1",
            "encoding": "base64",
        },
        {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        b"To=%2B18005551212&Digits=1234&From=%2B14158675309&CallSid=CA1234567890ABCDE&Caller=%2B14158675309",
        FORM,
        url="https://mycompany.com",
        path="/myapp.php?foo=1&bar=2",
    ),
    # These publish the form, and no example of it.
    Published(
        "Stripe",
        {
            "secret": "whsec_test_secret",
            "header": "Stripe-Signature",
            "template": "{timestamp}.{body}",
            "prefix": "t={timestamp},v1=",
        },
        {
            "Stripe-Signature": "t=1492774577,v1="
            + hmac.digest(b"whsec_test_secret", b"1492774577.Hello, World!", "sha256").hex()
        },
        now=1492774577.0,
    ),
    Published(
        "Shopify",
        {"secret": "hush", "header": "X-Shopify-Hmac-Sha256", "encoding": "base64"},
        {"X-Shopify-Hmac-Sha256": b64encode(hmac.digest(b"hush", b"Hello, World!", "sha256")).decode()},
    ),
]


def received(published: Published, plugins: list[type[Plugin]] | None = None, **settings: Any) -> tuple[Any, Received]:
    """The answer, and what arrives."""
    gateway = MemoryGateway(plugins or [])
    gateway.clock.turn_wall(published.now - gateway.clock.wall())
    proxy = gateway.proxy(towards=("hmac", published.secret), url=published.url, **settings)
    call = gateway.call("POST", proxy, published.path, published.headers, published.body)
    gateway.clock.advance(0)
    assert call.answer.status == 200, call.answer.body
    return call.answer, gateway.target_at(published.url.removeprefix("https://")).last


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: each.id)
def test_as_it_is_published(published: Published) -> None:
    _, seen = received(published)
    assert {name: seen[name] for name in published.arrives} == published.arrives
    assert seen.body == published.body


def signed_text(template: str, **more: Any) -> tuple[Received, str]:
    """What arrives with `template`, and the signature that belongs to `{…}` of it, as a text of ours would have."""
    secret = {"secret": "k", "header": "X-Sig", "template": template, **more}
    ask = Published("", secret, {}, b"a=1&%62=+2&a=0", {**FORM, "X-A": "one"}, path="/p%20q/?x=1&y")
    _, seen = received(ask)
    return seen, seen["X-Sig"]


BODY_SUM = hashlib.sha256(b"a=1&%62=+2&a=0").hexdigest()


@pytest.mark.parametrize(
    ("template", "text", "more"),
    [
        ("{method} {path}", "POST /p%20q/", {}),
        ("{query}|{pathAndQuery}|{url}|{host}", "x=1&y|/p%20q/?x=1&y|https://target.test/p%20q/?x=1&y|target.test", {}),
        ("{{{body}}}\n", "{a=1&%62=+2&a=0}\n", {}),
        ("{bodySha256}", BODY_SUM, {}),
        ("{form}", "a0a1b 2", {}),
        ("{header:x-a}é{header:X_A}", "oneéone", {}),
        ("{timestamp}{method}", "1700000000000POST", {"timestampHeader": "T", "timestampFormat": "milliseconds"}),
        ("{timestamp}", "2023-11-14T22:13:20Z", {"timestampHeader": "T", "timestampFormat": "iso8601"}),
        ("{header:Content-Type}", FORM["Content-Type"], {}),
    ],
)
def test_placeholders(template: str, text: str, more: dict[str, Any]) -> None:
    seen, shown = signed_text(template, **more)
    assert shown == hmac.digest(b"k", text.encode(), "sha256").hex()
    assert seen["T"] == (text.removesuffix("POST") if more else "")


@pytest.mark.parametrize(
    ("more", "key", "digest"),
    [
        ({"secret": "c2VjcmV0", "secretEncoding": "base64"}, b"secret", "sha256"),
        ({"secret": "736563726574", "secretEncoding": "hex"}, b"secret", "sha256"),
        ({"secret": "sécret", "algorithm": "sha512"}, "sécret".encode(), "sha512"),
    ],
)
def test_keys_and_algorithms(more: dict[str, Any], key: bytes, digest: str) -> None:
    _, shown = signed_text("{method}", **more)
    assert shown == hmac.digest(key, b"POST", digest).hex()


def test_the_id_is_the_request_s() -> None:
    secret = {"secret": "k", "header": "X-Sig", "template": "{id}", "idHeader": "X-Id"}
    answer, seen = received(Published("", secret, {}))
    assert seen["X-Id"] == answer["requestrocket-request-id"]
    assert seen["X-Sig"] == hmac.digest(b"k", seen["X-Id"].encode(), "sha256").hex()


def test_what_is_injected_is_signed() -> None:
    secret = {"secret": "k", "header": "X-Sig", "template": "{query} {header:X-Added} {body}"}
    ask = Published("", secret, {}, b'{"a":1}', {"Content-Type": "application/json", "X-Added": "theirs"})
    settings: dict[str, Any] = {
        "proxyAdditionalHeaders": {"X-Added": "ours"},
        "proxyAdditionalQueryParams": {"b": "2"},
        "proxyAdditionalData": {"c": 3},
    }
    _, seen = received(ask, **settings)
    assert seen["X-Sig"] == hmac.digest(b"k", b'b=2 ours {"a":1,"c":3}', "sha256").hex()


class Shouting(Plugin):
    """Changes bodies on their way, after all has been prepared."""

    name = "shouting"
    kind = Kind.OWN
    Config = NoConfig

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        return chunk.upper()


def test_a_body_that_is_changed_late_is_signed_as_it_goes_out() -> None:
    _, seen = received(Published("", {"secret": "k", "header": "X-Sig"}, {}, b"quiet"), [Shouting])
    assert (seen.body, seen["X-Sig"]) == (b"QUIET", hmac.digest(b"k", b"QUIET", "sha256").hex())


def test_a_header_that_is_signed_must_be_there() -> None:
    gateway = MemoryGateway()
    secret = {"secret": "k", "header": "X-Sig", "template": "{header:webhook-id}"}
    call = gateway.call("GET", gateway.proxy(towards=("hmac", secret)))
    assert (call.answer.status, gateway.target.received) == (400, [])
    assert "webhook-id" in call.answer.document["message"]


def test_only_bodies_that_are_signed_are_held() -> None:
    gateway = MemoryGateway()
    long = [bytes(1 << 20)] * 17
    secret = {"secret": "k", "header": "X-Sig", "template": "{method}"}
    passes = gateway.proxy(towards=("hmac", secret), proxyMaxRequestBytes=1 << 30)
    refused = gateway.proxy(towards=("hmac", {**secret, "template": "{bodySha256}"}), proxyMaxRequestBytes=1 << 30)
    for proxy, status in ((passes, 200), (refused, 413)):
        call = gateway.call("POST", proxy, "/", {}, long)
        gateway.clock.advance(0)
        assert call.answer.status == status
    assert len(gateway.target.received) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"a&" * 19_999 + b"a", FORM, 200),
        (b"a&" * 20_000 + b"a", FORM, 400),
        (b"a&" * 20_000 + b"a", {}, 200),
        (b"a=" + b"1" * ((1 << 20) - 2), FORM, 200),
        (b"a=" + b"1" * ((1 << 20) - 1), FORM, 413),
    ],
)
def test_a_form_that_is_signed_is_bounded(body: bytes, headers: dict[str, str], status: int) -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(towards=("hmac", {"secret": "k", "header": "X-Sig", "template": "{form}"}))
    call = gateway.call("POST", proxy, "/", headers, body)
    gateway.clock.advance(0)
    assert (call.answer.status, len(gateway.target.received)) == (status, int(status == 200))


def test_sha1_is_warned_of() -> None:
    told = {}
    for algorithm in ("sha256", "sha1"):
        secret = {"secret": "k", "header": "X-Sig", "algorithm": algorithm}
        answer, _ = received(Published("", secret, {}))
        told[algorithm] = answer["requestrocket-proxy-warning"]
    assert told["sha256"] == ""
    assert "SHA-1" in told["sha1"]


BASE = {"secret": "k", "header": "X-Sig"}


@pytest.mark.parametrize(
    ("secret", "field_name", "said"),
    [
        ({**BASE, "template": "{boddy}"}, "template", "unknown placeholder at character 1; known are {method}"),
        ({**BASE, "template": "{body} {"}, "template", "has a { at character 8"),
        ({**BASE, "template": "a}"}, "template", "has a } at character 2"),
        ({**BASE, "template": "{body}{body}"}, "template", "has {body} once more at character 7"),
        ({**BASE, "template": "{path}" * 33}, "template", "at most 32 placeholders"),
        ({**BASE, "template": "{path}" + "x" * 4091}, "template", "at most 4096 characters"),
        ({**BASE, "prefix": "x" * 4097}, "prefix", "at most 4096 characters"),
        ({**BASE, "template": "constant"}, "template", "must have a placeholder"),
        ({**BASE, "template": ""}, "template", "must have a placeholder"),
        ({**BASE, "template": "{header:}"}, "template", "no header's name"),
        ({**BASE, "template": "x{header:a b}"}, "template", "at character 2"),
        ({**BASE, "template": "{header:Host}"}, "template", "the host is {host}"),
        ({**BASE, "template": "{header:x_sig}{body}"}, "template", "the signature itself"),
        ({**BASE, "template": "\ud800{body}"}, "template", "surrogate"),
        ({**BASE, "template": "{timestamp}"}, "timestampHeader", "is required"),
        ({**BASE, "template": "{id}"}, "idHeader", "is required"),
        ({**BASE, "prefix": "{body}"}, "prefix", "known here are {id}, {timestamp}"),
        ({**BASE, "prefix": "a\n"}, "prefix", "visible ASCII"),
        ({**BASE, "prefix": "é"}, "prefix", "visible ASCII"),
        ({**BASE, "header": "X Sig"}, "header", "the name of a header"),
        ({**BASE, "header": ""}, "header", "the name of a header"),
        ({**BASE, "header": "Host"}, "header", "by the gateway itself"),
        ({**BASE, "header": "RequestRocket_Hops"}, "header", "by the gateway itself"),
        ({**BASE, "timestampHeader": "x_sig"}, "timestampHeader", "another of its headers"),
        ({**BASE, "idHeader": ""}, "idHeader", "the name of a header"),
        ({**BASE, "algorithm": "md5"}, "algorithm", "one of sha256, sha512, sha1"),
        ({**BASE, "encoding": "base32"}, "encoding", "one of hex, base64"),
        ({**BASE, "secret": ""}, "secret", "must not be empty"),
        ({**BASE, "secret": "\ud800"}, "secret", "surrogate"),
        ({**BASE, "secret": "?", "secretEncoding": "base64"}, "secret", "must be base64"),
        ({**BASE, "secret": "abc", "secretEncoding": "hex"}, "secret", "must be hex"),
    ],
)
def test_what_it_refuses(secret: dict[str, Any], field_name: str, said: str) -> None:
    plugin = load_registry().auth_type("hmac", Side.TARGET)
    assert plugin is not None
    with pytest.raises(ConfigError) as caught:
        configure(plugin.Config, secret, "credentialSecret")
    assert [problem.field for problem in caught.value.problems] == [f"credentialSecret.{field_name}"]
    assert said in caught.value.problems[0].problem
