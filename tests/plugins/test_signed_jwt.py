"""`jwt` towards targets, signed here: what is in a token, with which keys, and when the next one is signed.

Belongs here: that. Does not: stored tokens (test_static_auth.py).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from rrgate.api import ConfigError, Problem, Side
from rrgate.configuring import configure
from rrgate.registry import load_registry
from rrgate.testing import MemoryGateway
from rrgate_plugins.signing_keys import SigningKey, signing_key
from tests.odd_keys import dsa_pem, rsa_pem

REGISTRY = load_registry()
SECRET = "a shared secret, of 64 bytes and more, as HS512 needs them: 0123456789"


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, encryption: Any = None) -> str:
    return str(key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode())


def public(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


RSA, RSA_SHORT = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 1024)
P256, P384, P521 = (ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()))
ED25519, ED448 = ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()
KEYS: list[tuple[Any, Any, tuple[str, ...]]] = [
    (None, OctKey, ("HS256", "HS384", "HS512")),
    (RSA, RSAKey, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    (P256, ECKey, ("ES256",)),
    (P384, ECKey, ("ES384",)),
    (P521, ECKey, ("ES512",)),
    (ED25519, OKPKey, ("EdDSA", "Ed25519")),
    (ED448, OKPKey, ("EdDSA", "Ed448")),
]


def shown(gateway: MemoryGateway, proxy: Any) -> str:
    """What a target is shown in `Authorization`."""
    call = gateway.call("GET", proxy)
    gateway.clock.advance(0)
    assert call.answer.status == 200, call.answer.body
    return gateway.target.last["Authorization"]


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


@pytest.mark.parametrize(
    ("key", "jwk", "algorithm"), [(key, jwk, name) for key, jwk, algorithms in KEYS for name in algorithms]
)
def test_each_algorithm(key: Any, jwk: Any, algorithm: str) -> None:
    gateway = MemoryGateway()
    secret = {
        "signingKey": SECRET if key is None else pem(key),
        "algorithm": algorithm,
        "claims": {"iss": "rrgate", "aud": ["a", "b"], "n": 1.5},
        "ttl": 120,
        "keyId": "2026-01",
    }
    token = shown(gateway, gateway.proxy(towards=("jwt", secret)))
    verified = jws.deserialize_compact(
        token.encode(), jwk.import_key(SECRET if key is None else public(key)), algorithms=[algorithm]
    )
    assert verified.headers() == {"alg": algorithm, "typ": "JWT", "kid": "2026-01"}
    claims = json.loads(verified.payload or b"")
    now = int(gateway.clock.wall())
    assert len(claims.pop("jti")) == 36
    assert claims == {"iss": "rrgate", "aud": ["a", "b"], "n": 1.5, "iat": now, "exp": now + 120}


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    gateway = MemoryGateway()
    hour = {"signingKey": SECRET, "algorithm": "HS256", "ttl": 3600}
    minute = {**hour, "ttl": 60, "prefix": "Bearer "}
    for secret, kept, prefix in ((hour, 3539, ""), (minute, 47, "Bearer ")):
        proxy, again = (gateway.proxy(towards=("jwt", secret)) for _ in range(2))
        first = shown(gateway, proxy)
        assert first.startswith(f"{prefix}eyJ")
        # Another credential has its own.
        assert claims_of(shown(gateway, again))["jti"] != claims_of(first)["jti"]
        gateway.clock.advance(kept)
        assert shown(gateway, proxy) == first
        gateway.clock.advance(2)
        second = shown(gateway, proxy)
        assert claims_of(second)["exp"] == claims_of(first)["exp"] + kept + 2
        assert claims_of(second)["jti"] != claims_of(first)["jti"]
        # Somebody sets the time back: the old one is of the future.
        gateway.clock.turn_wall(-1000)
        assert claims_of(shown(gateway, proxy))["exp"] == claims_of(second)["exp"] - 1000


def test_numbers_stay_as_they_were_written() -> None:
    gateway = MemoryGateway()
    secret = json.loads(json.dumps({"signingKey": SECRET, "algorithm": "HS256", "claims": {"big": 10**30, "e": 1e-7}}))
    claims = claims_of(shown(gateway, gateway.proxy(towards=("jwt", secret))))
    assert (claims["big"], claims["e"]) == (10**30, 1e-7)


def test_as_in_the_rfcs() -> None:
    # RFC 8037 A.4, whose signature does not vary.
    seed = urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = signing_key(pem(ed25519.Ed25519PrivateKey.from_private_bytes(seed)), "EdDSA")
    assert key.compact(b'{"alg":"EdDSA"}', b"Example of Ed25519 signing").decode() == (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    # RFC 7515 A.1.
    octets = urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    header = b'{"typ":"JWT",\r\n "alg":"HS256"}'
    payload = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
    signed = SigningKey("HS256", OctKey.import_key(octets)).compact(header, payload)
    assert signed.endswith(b".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")


def problems_of(secret: dict[str, Any], side: Side = Side.TARGET) -> list[Problem]:
    plugin = REGISTRY.auth_type("jwt", side)
    assert plugin is not None
    with pytest.raises(ConfigError) as caught:
        plugin.check_side(configure(plugin.Config, secret, ""), side)
    return list(caught.value.problems)


HS = {"signingKey": SECRET, "algorithm": "HS256"}
OTHER = dsa.generate_private_key(1024)


@pytest.mark.parametrize(
    ("secret", "field", "said"),
    [
        ({}, "token", "is required"),
        ({"signingKey": SECRET}, "algorithm", "is required"),
        ({**HS, "token": "eyJhbGciOiJIUzI1NiJ9.e30.x"}, "signingKey", "beside token"),
        ({**HS, "algorithm": "none"}, "algorithm", "must be one of"),
        ({**HS, "algorithm": "ES256K"}, "algorithm", "must be one of"),
        ({**HS, "signingKey": "x" * 31}, "signingKey", "at least 32 bytes"),
        ({"signingKey": "x" * 47, "algorithm": "HS384"}, "signingKey", "at least 48 bytes"),
        ({"signingKey": "x" * 63, "algorithm": "HS512"}, "signingKey", "at least 64 bytes"),
        ({"signingKey": pem(RSA), "algorithm": "HS256"}, "signingKey", "a shared secret"),
        ({"signingKey": public(RSA), "algorithm": "HS256"}, "signingKey", "a shared secret"),
        ({"signingKey": public(RSA), "algorithm": "RS256"}, "signingKey", "a private key"),
        ({"signingKey": SECRET, "algorithm": "RS256"}, "signingKey", "a private key"),
        ({"signingKey": pem(RSA_SHORT), "algorithm": "RS256"}, "signingKey", "2048 to 4096"),
        ({"signingKey": dsa_pem(3000, 2000), "algorithm": "RS256"}, "signingKey", "a private key"),
        ({"signingKey": rsa_pem(4352), "algorithm": "RS256"}, "signingKey", "2048 to 4096"),
        ({"signingKey": rsa_pem(2048, exponent_bits=2049), "algorithm": "RS256"}, "signingKey", "no longer than"),
        ({"signingKey": rsa_pem(2048, prime_exponent_bits=2049), "algorithm": "RS256"}, "signingKey", "no longer than"),
        ({"signingKey": pem(P256), "algorithm": "RS256"}, "signingKey", "is a key for ES256"),
        ({"signingKey": pem(P256), "algorithm": "ES384"}, "signingKey", "is a key for ES256"),
        ({"signingKey": pem(RSA), "algorithm": "ES256"}, "signingKey", "is a key for RS256"),
        ({"signingKey": pem(ED448), "algorithm": "Ed25519"}, "signingKey", "is a key for EdDSA or Ed448"),
        ({"signingKey": pem(OTHER), "algorithm": "RS256"}, "signingKey", "a private key"),
        ({"signingKey": pem(x25519.X25519PrivateKey.generate()), "algorithm": "EdDSA"}, "signingKey", "a private key"),
        ({"signingKey": pem(ec.generate_private_key(ec.SECP256K1())), "algorithm": "ES256"}, "signingKey", "of RSA"),
        (
            {"signingKey": pem(P256, encryption=BestAvailableEncryption(b"word")), "algorithm": "ES256"},
            "signingKey",
            "must not be encrypted",
        ),
        ({"signingKey": "x" * 20_000, "algorithm": "HS256"}, "signingKey", "at most 16384 characters"),
        ({**HS, "claims": {"exp": 1}}, "claims.exp", "is the gateway's to write"),
        ({**HS, "claims": {"jti": "x"}}, "claims.jti", "is the gateway's to write"),
        ({**HS, "claims": {"a": "\ud800"}}, "claims", "surrogate"),
        ({**HS, "claims": {"a": "x" * 4096}}, "claims", "at most 4096 bytes"),
        ({**HS, "claims": []}, "claims", "an object"),
        ({**HS, "ttl": 9}, "ttl", "10 to 86400"),
        ({**HS, "ttl": 86401}, "ttl", "10 to 86400"),
        ({**HS, "keyId": "a\n"}, "keyId", "visible ASCII"),
        ({**HS, "prefix": "é"}, "prefix", "visible ASCII"),
        ({**HS, "prefix": " Bearer"}, "prefix", "begin with a space"),
        ({"token": "eyJhbGciOiJIUzI1NiJ9.e30.x", "claims": {"a": 1}}, "claims", "signed here"),
        ({"token": "eyJhbGciOiJIUzI1NiJ9.e30.x", "prefix": "Bearer "}, "prefix", "signed here"),
    ],
)
def test_what_is_refused(secret: dict[str, Any], field: str, said: str) -> None:
    (problem,) = problems_of(secret)
    assert problem.field == field
    assert said in problem.problem


def test_a_caller_shows_a_token_that_is_stored() -> None:
    assert [problem.field for problem in problems_of(HS, Side.PROXY)] == ["signingKey"]


def test_one_that_is_signed_here_lets_nobody_in() -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(caller=("jwt", HS))
    headers: list[dict[str, str]] = [{}, {"Authorization": ""}, {"Authorization": "Bearer "}]
    for shown_by_caller in headers:
        assert gateway.call("GET", proxy, "/", shown_by_caller).answer.status == 401


def test_traditional_forms_of_keys_are_read() -> None:
    for key, algorithm in ((RSA, "PS256"), (P256, "ES256")):
        configure(
            load_registry().auth_type("jwt", Side.TARGET).Config,  # type: ignore[union-attr]
            {"signingKey": pem(key, PrivateFormat.TraditionalOpenSSL), "algorithm": algorithm},
            "",
        )


def test_no_key_is_in_a_repr() -> None:
    plugin = REGISTRY.auth_type("jwt", Side.TARGET)
    assert plugin is not None
    config = configure(plugin.Config, HS, "")
    assert SECRET not in f"{config!r} {config.key!r}"
