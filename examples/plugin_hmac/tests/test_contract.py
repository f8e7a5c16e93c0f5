"""The contract of rrgate.api, tried with samples of this auth type."""

from __future__ import annotations

from rrgate_hmac.plugin import Hmac
from rrgate_hmac.signing import authorization, digest_of, read, signature_of

from rrgate.testing import Ask, Occasion, Received, check_plugin

KEY = b"orders-app"
SECRET = b"a-secret-of-the-sample"
CONFIG = {"key": KEY.decode(), "secret": SECRET.decode(), "window": 60}


def signed(at: Occasion, *, key: bytes = KEY, secret: bytes = SECRET, seconds: int = 0, body: bytes = b"{}") -> Ask:
    """A request that was signed so many `seconds` after the gateway's time, with `{}` for its body."""
    target = f"{at.address}/orders?page=2".encode()
    value = authorization(key, secret, b"POST", target, int(at.now) + seconds, b"{}")
    return Ask("POST", "/orders?page=2", {"Authorization": value.decode()}, body)


def verified(received: Received) -> bool:
    """As a target would."""
    shown = read(received["Authorization"].encode())
    assert shown is not None
    target = f"{received.path}?{received.query}" if received.query else received.path
    right = signature_of(SECRET, received.method.encode(), target.encode(), shown.date, shown.body)
    return shown.key == KEY and shown.signature == right and shown.body == digest_of(received.body)


def test_it_keeps_every_promise() -> None:
    check_plugin(
        Hmac,
        config=CONFIG,
        good={
            "signed now": signed,
            "signed a minute ago": lambda at: signed(at, seconds=-60),
            "signed by a clock that is ahead": lambda at: signed(at, seconds=60),
        },
        bad={
            "another secret": lambda at: signed(at, secret=b"another secret of somebody"),
            "another key": lambda at: signed(at, key=b"another-app"),
            "signed too long ago": lambda at: signed(at, seconds=-61),
            "signed too far ahead": lambda at: signed(at, seconds=61),
            "another body": lambda at: signed(at, body=b"[]"),
            "not well formed": Ask(headers={"Authorization": "HMAC-SHA256 key=orders-app"}),
        },
        bad_configs=[
            ("key", {**CONFIG, "key": "two words"}),
            ("secret", {**CONFIG, "secret": "too short"}),
            ("secret", {"key": "orders-app"}),
            ("window", {**CONFIG, "window": 0}),
            ("window", {**CONFIG, "window": "60"}),
            ("window", {**CONFIG, "window": 3601}),
            ("maxBodyBytes", {**CONFIG, "maxBodyBytes": -1}),
            ("maxBodyBytes", {**CONFIG, "maxBodyBytes": 1 << 30}),
        ],
        accepted=verified,
    )
