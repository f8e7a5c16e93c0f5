"""What a credential of `jwtVerify` may say, and which keys are refused, with the section each is from.

Belongs here: `credentialSecret`, alone. Does not: tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rrgate.api import ConfigError
from rrgate.configuring import configure
from rrgate_plugins.jwt_verify import JwtVerifyConfig
from tests.plugins.jwt.signing import (
    CLAIMS,
    SECRET,
    b64,
    ec_jwk,
    ec_key,
    ed_jwk,
    ed_key,
    key_set,
    number,
    pem,
    rs,
    rsa_jwk,
    rsa_key,
    token,
)

URL = "https://issuer.test/jwks"
OF_URL = {"jwksUri": URL, "audience": "us"}


def algorithms_of(secret: Mapping[str, Any]) -> list[str]:
    """Those that its keys may be used with."""
    config = configure(JwtVerifyConfig, secret, "credentialSecret")
    assert config.keys is not None
    return sorted(name for key in config.keys.keys for name in key.algorithms)


def wrong_in(secret: object) -> list[str]:
    """The problems of a configuration, each "field: problem"."""
    try:
        configure(JwtVerifyConfig, secret, "credentialSecret")
    except ConfigError as error:
        return [f"{each.field}: {each.problem}" for each in error.problems]
    return []


def private_pem(key: Any) -> str:
    raw: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return raw.decode()


GOOD: dict[str, Mapping[str, Any]] = {
    "a URL": OF_URL,
    "a URL with a port and a query": {"jwksUri": "https://issuer.test:8443/a/jwks?v=2", "audience": ["us", "them"]},
    "a URL in a network that may be opened": {"jwksUri": "http://127.0.0.1:9000/jwks", "audience": "us"},
    "any audience": {"jwksUri": URL, "audience": None},
    "a key set": {"jwks": key_set(rsa_jwk())},
    "a key set with keys for something else": {"jwks": key_set(rsa_jwk(use="enc", alg="RSA-OAEP"), ec_jwk(use="sig"))},
    "a public key": {"publicKey": pem(ec_key())},
    "a secret of 32 bytes": {"sharedSecret": "s" * 32},
    "a secret of 32 bytes in 16 letters": {"sharedSecret": "é" * 16},
    "algorithms": {**OF_URL, "algorithms": ["RS256", "ES256", "EdDSA"]},
    "an issuer": {**OF_URL, "issuer": "https://issuer.test"},
    "a tolerance": {**OF_URL, "clockTolerance": 0},
    "no claim to be logged": {**OF_URL, "logClaims": []},
    "claims to be logged": {**OF_URL, "logClaims": ["x" * 256, *(str(number) for number in range(15))]},
    "nulls": {**OF_URL, "jwks": None, "publicKey": None, "sharedSecret": None, "algorithms": None, "issuer": None},
}


@pytest.mark.parametrize("secret", GOOD.values(), ids=GOOD)
def test_good(secret: Mapping[str, Any]) -> None:
    assert not wrong_in(secret)


BAD: dict[str, tuple[object, str]] = {
    "nothing": ({}, "jwksUri: is required, or one of"),
    "only rules": ({"audience": "us"}, "jwksUri: is required, or one of"),
    "two sources": ({**OF_URL, "sharedSecret": SECRET}, "sharedSecret: must not be given beside jwksUri"),
    "two others": ({"jwks": key_set(rsa_jwk()), "publicKey": pem(rsa_key())}, "publicKey: must not be given"),
    "unknown": ({**OF_URL, "algorithm": "RS256"}, "algorithm: is not a known field; did you mean algorithms?"),
    "a URL that is none": ({**OF_URL, "jwksUri": "issuer.test/jwks"}, "jwksUri: must be an https URL"),
    "a file": ({**OF_URL, "jwksUri": "file:///etc/passwd"}, "jwksUri: must be an https URL"),
    "no host": ({**OF_URL, "jwksUri": "https:///jwks"}, "jwksUri: must be an https URL"),
    "a user in the URL": ({**OF_URL, "jwksUri": "https://a:b@issuer.test/"}, "jwksUri: must be an https URL"),
    "a fragment": ({**OF_URL, "jwksUri": URL + "#x"}, "jwksUri: must be an https URL"),
    "a space": ({**OF_URL, "jwksUri": URL + " "}, "jwksUri: must be an https URL"),
    "a line end": ({**OF_URL, "jwksUri": URL + "\r\nx"}, "jwksUri: must be an https URL"),
    "a port that is none": ({**OF_URL, "jwksUri": "https://issuer.test:99999/"}, "jwksUri: must be an https URL"),
    "port 0": ({**OF_URL, "jwksUri": "https://issuer.test:0/"}, "jwksUri: must be an https URL"),
    "a very long URL": ({**OF_URL, "jwksUri": URL + "x" * 2048}, "jwksUri: must be an https URL"),
    "no audience for a URL": ({"jwksUri": URL}, "audience: is required with jwksUri"),
    "no audiences for a URL": ({"jwksUri": URL, "audience": []}, "audience: is required with jwksUri"),
    "an empty audience": ({"jwksUri": URL, "audience": ["us", ""]}, "audience: must be a string, or several"),
    "an audience of another type": ({"jwksUri": URL, "audience": 1}, "audience: must be"),
    "no issuers": ({**OF_URL, "issuer": []}, "issuer: must be a string, or several"),
    "an empty issuer": ({**OF_URL, "issuer": ""}, "issuer: must be a string, or several"),
    "no algorithms": ({**OF_URL, "algorithms": []}, "algorithms: must not be empty"),
    "none, RFC 8725 3.2": ({**OF_URL, "algorithms": ["RS256", "none"]}, "algorithms.1: must be"),
    "an encryption's": ({**OF_URL, "algorithms": ["RSA-OAEP"]}, "algorithms.0: must be"),
    "HS for a URL": ({**OF_URL, "algorithms": ["RS256", "HS256"]}, "algorithms: must not have HS256"),
    "HS for a public key": ({"publicKey": pem(rsa_key()), "algorithms": ["HS256"]}, "algorithms: must not have HS256"),
    "HS for a key set": ({"jwks": key_set(rsa_jwk()), "algorithms": ["HS512"]}, "algorithms: must not have HS256"),
    "ES for RSA": ({"publicKey": pem(rsa_key()), "algorithms": ["ES256"]}, "algorithms: must have one that fits a"),
    "RS for a secret": ({"sharedSecret": SECRET, "algorithms": ["RS256"]}, "algorithms: must have one that fits a"),
    "no name of a claim": ({**OF_URL, "logClaims": ["sub", ""]}, "logClaims: must be at most 16 names"),
    "half a name": ({**OF_URL, "logClaims": ["\ud800"]}, "logClaims: must be at most 16 names"),
    "a long name": ({**OF_URL, "logClaims": ["x" * 257]}, "logClaims: must be at most 16 names"),
    "too many names": ({**OF_URL, "logClaims": [str(n) for n in range(17)]}, "logClaims: must be at most 16 names"),
    "a tolerance below 0": ({**OF_URL, "clockTolerance": -1}, "clockTolerance: must be 0 to 300"),
    "a tolerance of hours": ({**OF_URL, "clockTolerance": 3600}, "clockTolerance: must be 0 to 300"),
    "a key set that is a list": ({"jwks": [rsa_jwk()]}, "jwks: must be an object"),
    "a key set without keys": ({"jwks": {}}, "jwks.keys: must be an array"),
    "keys that are an object": ({"jwks": {"keys": {}}}, "jwks.keys: must be an array"),
    "an empty key set": ({"jwks": key_set()}, "jwks.keys: must hold a key for signatures"),
    "keys for something else": ({"jwks": key_set(rsa_jwk(use="enc"))}, "jwks.keys: must hold a key for signatures"),
    "too many keys": ({"jwks": key_set(*[ed_jwk()] * 101)}, "jwks.keys: must be an array of at most 100"),
}  # fmt: skip


def off_its_curve() -> dict[str, Any]:
    return {**ec_jwk(), "y": ec_jwk(key=ec_key("P-256", "theirs"))["y"]}


def with_member(key: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"jwks": key_set(rsa_jwk(), {**key, **members})}


WRONG_KEYS: dict[str, tuple[object, str]] = {
    # Short keys.
    "a secret of 31 bytes, RFC 7518 3.2": ({"sharedSecret": "s" * 31}, "sharedSecret: must have at least 32 bytes"),
    "an empty secret": ({"sharedSecret": ""}, "sharedSecret: must have at least 32 bytes"),
    "47 bytes for HS384": (
        {"sharedSecret": "s" * 47, "algorithms": ["HS384"]}, "sharedSecret: must have at least 48 bytes for HS384"
    ),
    "63 bytes for HS512": (
        {"sharedSecret": "s" * 63, "algorithms": ["HS512"]}, "sharedSecret: must have at least 64 bytes for HS512"
    ),
    "RSA of 1024 bits, RFC 7518 3.3": ({"publicKey": pem(rsa_key("1024", 1024))}, "publicKey: must have 2048"),
    "RSA of 2047 bits in PEM": (
        {"publicKey": pem(rsa.RSAPublicNumbers(65537, (1 << 2046) | 1).public_key())}, "publicKey: must have 2048"
    ),
    "RSA of 2047 bits in a set": (with_member(rsa_jwk(), n=number((1 << 2046) | 1)), "jwks.keys.1: must have 2048"),
    "RSA of 1024 bits in a set": (with_member(rsa_jwk(rsa_key("1024", 1024))), "jwks.keys.1: must have 2048"),
    "RSA of 9000 bits": (with_member(rsa_jwk(), n=number((1 << 8999) | 1)), "jwks.keys.1: must have 2048"),
    "RSA of 100,000 bits": (with_member(rsa_jwk(), n=number((1 << 99_999) | 1)), "jwks.keys.1: must have n, e as"),
    "the exponent 1, which signs nothing": (with_member(rsa_jwk(), e="AQ"), "jwks.keys.1: must be a key of RSA"),
    "an even exponent": (with_member(rsa_jwk(), e="Ag"), "jwks.keys.1: must be a key of RSA"),
    "an exponent of 65 bits": (with_member(rsa_jwk(), e=number((1 << 64) | 1)), "jwks.keys.1: must have a public exp"),
    # Curves.
    "secp256k1 in a set, RFC 8812 3.1": (with_member(ec_jwk("secp256k1")), "jwks.keys.1: must be a key of RSA"),
    "secp256k1 in PEM": ({"publicKey": pem(ec_key("secp256k1"))}, "publicKey: must be a key of RSA"),
    "P-224 in PEM": ({"publicKey": pem(ec.generate_private_key(ec.SECP224R1()))}, "publicKey: must be a key of RSA"),
    "a curve that does not exist": (with_member(ec_jwk(), crv="P-257"), "jwks.keys.1: must be a key of RSA"),
    "another curve's name": (with_member(ec_jwk(), crv="P-384"), "jwks.keys.1: must be a key of RSA"),
    "a point off its curve, RFC 8725 3.4": (with_member(off_its_curve()), "jwks.keys.1: must be a key of RSA"),
    "the point 0": (with_member(ec_jwk(), x="AA", y="AA"), "jwks.keys.1: must be a key of RSA"),
    "half a point": (with_member(ec_jwk(), y=None), "jwks.keys.1: must have crv, x, y as strings"),
    "X25519 in a set, RFC 8037 2": (
        with_member(ed_jwk(), crv="X25519"), "jwks.keys.1: must be a key of RSA"
    ),
    "X25519 in PEM": ({"publicKey": pem(x25519.X25519PrivateKey.generate())}, "publicKey: must be a key of RSA"),
    "Ed25519 one byte short": (with_member(ed_jwk(), x=b64(b"x" * 31).decode()), "jwks.keys.1: must be a key of RSA"),
    # What is no key here.
    "a secret in a set, RFC 7517 4": (
        {"jwks": key_set({"kty": "oct", "k": b64(SECRET.encode()).decode()})}, "jwks.keys.0: must not be symmetric"
    ),
    "a private key in a set, RFC 7517 9.2": (with_member(rsa_jwk(), d="AQAB"), "jwks.keys.1: must be a public key"),
    "a private key in PEM": ({"publicKey": private_pem(rsa_key())}, "publicKey: must be a public key; this"),
    "a public key as secret, RFC 8725 2.1": ({"sharedSecret": pem(rsa_key())}, "sharedSecret: must not be a key that"),
    "an SSH key as secret": ({"sharedSecret": "ssh-rsa " + "A" * 300}, "sharedSecret: must not be a key that others"),
    "a token as public key": (
        {"publicKey": token({"alg": "RS256"}, CLAIMS, rs()).decode()}, "publicKey: must be a public key in PEM"
    ),
    "an empty public key": ({"publicKey": ""}, "publicKey: must be a public key in PEM"),
    "DSA": ({"publicKey": pem(dsa.generate_private_key(1024))}, "publicKey: must be a key of RSA"),
    "no kty": ({"jwks": {"keys": [{"n": "AQAB", "e": "AQAB"}]}}, "jwks.keys.0: must have a `kty`"),
    "a kty that is not known": (with_member(rsa_jwk(), kty="PQC"), "jwks.keys.1: must have a `kty`"),
    "a kty that is a list": (with_member(rsa_jwk(), kty=["RSA"]), "jwks.keys.1: must have a `kty`"),
    "a key that is a string": ({"jwks": {"keys": ["key"]}}, "jwks.keys.0: must be an object"),
    "a number as kid, RFC 7517 4.5": (with_member(rsa_jwk(), kid=1), "jwks.keys.1: must have strings as `kid`"),
    "an alg that is a list": (with_member(rsa_jwk(), alg=["RS256"]), "jwks.keys.1: must have strings as `kid`"),
    "another type's alg, RFC 7517 4.4": (with_member(rsa_jwk(), alg="ES256"), "jwks.keys.1: must have one of these"),
    "an alg of a secret": (with_member(rsa_jwk(), alg="HS256"), "jwks.keys.1: must have one of these"),
    "an alg of encryption": (with_member(rsa_jwk(), alg="RSA-OAEP"), "jwks.keys.1: must have one of these"),
    "the alg none": (with_member(rsa_jwk(), alg="none"), "jwks.keys.1: must have one of these"),
    "another curve's alg": (with_member(ec_jwk(), alg="ES384"), "jwks.keys.1: must have one of these"),
    "padding in a number, RFC 7518 2": (with_member(rsa_jwk(), e="AQAB="), "jwks.keys.1: must be a key of RSA"),
}  # fmt: skip


@pytest.mark.parametrize(("secret", "problem"), [*BAD.values(), *WRONG_KEYS.values()], ids=[*BAD, *WRONG_KEYS])
def test_bad(secret: object, problem: str) -> None:
    told = wrong_in(secret)
    assert len(told) == 1
    assert told[0].startswith(f"credentialSecret.{problem}")


RSA = ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
FITTING: dict[str, tuple[Mapping[str, Any], list[str]]] = {
    "RSA, RFC 7518 3.1": ({"publicKey": pem(rsa_key())}, RSA),
    "RSA in a set": ({"jwks": key_set(rsa_jwk())}, RSA),
    "RSA with an alg": ({"jwks": key_set(rsa_jwk(alg="PS384"))}, ["PS384"]),
    "P-256": ({"jwks": key_set(ec_jwk())}, ["ES256"]),
    "P-384": ({"jwks": key_set(ec_jwk("P-384"))}, ["ES384"]),
    "P-521": ({"publicKey": pem(ec_key("P-521"))}, ["ES512"]),
    "Ed25519, RFC 8037 3.1, RFC 9864 2.2": ({"publicKey": pem(ed_key())}, ["Ed25519", "EdDSA"]),
    "Ed448": ({"jwks": key_set(ed_jwk("Ed448"))}, ["Ed448", "EdDSA"]),
    "32 bytes, RFC 7518 3.2": ({"sharedSecret": "s" * 32}, ["HS256"]),
    "48 bytes": ({"sharedSecret": "s" * 48}, ["HS256", "HS384"]),
    "64 bytes": ({"sharedSecret": "s" * 64}, ["HS256", "HS384", "HS512"]),
    "to verify, RFC 7517 4.3": ({"jwks": key_set(ec_jwk(key_ops=["verify"]))}, ["ES256"]),
    "to sign, too": ({"jwks": key_set(ec_jwk(), ec_jwk("P-384", key_ops=["sign"]))}, ["ES256"]),
    "key_ops that are a string": ({"jwks": key_set(ec_jwk(), ec_jwk("P-384", key_ops="verify"))}, ["ES256"]),
    "for encryption, RFC 7517 4.2": ({"jwks": key_set(ec_jwk(), ec_jwk("P-384", use="enc"))}, ["ES256"]),
}  # fmt: skip


@pytest.mark.parametrize(("secret", "algorithms"), FITTING.values(), ids=FITTING)
def test_algorithms_come_from_the_key(secret: Mapping[str, Any], algorithms: list[str]) -> None:
    assert algorithms_of(secret) == algorithms


def test_every_problem_is_told() -> None:
    told = wrong_in({"jwksUri": "ftp://x", "algorithms": ["HS256"], "issuer": "", "clockTolerance": 1e6})
    assert [each.split(": ")[0].rpartition(".")[2] for each in told] == [
        "jwksUri", "algorithms", "clockTolerance", "issuer", "audience"
    ]  # fmt: skip
    told = wrong_in({"jwks": {"keys": [1, {"kty": "oct"}]}})
    assert [each.split(": ")[0] for each in told] == ["credentialSecret.jwks.keys.0", "credentialSecret.jwks.keys.1"]


def test_nothing_that_is_secret_is_shown() -> None:
    config = configure(JwtVerifyConfig, {"sharedSecret": SECRET}, "credentialSecret")
    assert SECRET not in repr(config)
    assert SECRET not in repr(config.keys)
