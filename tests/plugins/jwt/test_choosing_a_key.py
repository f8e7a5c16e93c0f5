"""Tokens that try to choose the key or the algorithm they are verified with, by class, with the section each is from.

Belongs here: what stands in a token's header. Does not: its form (test_form.py), its claims (test_claims.py), sets
that are fetched (test_remote_keys.py). mutations.py shows that each check is needed by a case in one of these.
"""

from __future__ import annotations

import json

import pytest

from tests.plugins.jwt.cases import ES, HS, RS, Case, Classes, cases, check, good, resigned
from tests.plugins.jwt.signing import (
    SECRET,
    b64,
    ec_key,
    ed,
    ed_key,
    es,
    hs,
    nobody,
    pem,
    ps,
    rs,
    rsa_jwk,
    rsa_key,
)

ALG, KEY, SIGNATURE, BASE64 = "`alg` is none", "no key fits", "signature is not right", "no base64url"
FORM = "three parts"
THEIRS = rsa_key("theirs")
HS_R = {"alg": "HS256", "kid": "r"}
OCTETS = {"kty": "oct", "k": b64(SECRET.encode()).decode()}

CLASSES: Classes = {
    "good": [
        ("RS256, RFC 7518 3.3", "set", good(), ""),
        ("RS384", "set", good({"alg": "RS384", "kid": "r"}, rs("384")), ""),
        ("RS512", "set", good({"alg": "RS512", "kid": "r"}, rs("512")), ""),
        ("PS256, RFC 7518 3.5", "set", good({"alg": "PS256", "kid": "r"}, ps()), ""),
        ("PS384", "set", good({"alg": "PS384", "kid": "r"}, ps("384")), ""),
        ("PS512", "set", good({"alg": "PS512", "kid": "r"}, ps("512")), ""),
        ("ES256, RFC 7518 3.4", "set", good(ES, es()), ""),
        ("ES384", "set", good({"alg": "ES384", "kid": "e3"}, es("384", "P-384")), ""),
        ("ES512", "set", good({"alg": "ES512", "kid": "e5"}, es("512", "P-521")), ""),
        ("EdDSA, RFC 8037 3.1", "set", good({"alg": "EdDSA", "kid": "o"}, ed()), ""),
        ("EdDSA with Ed448", "set", good({"alg": "EdDSA", "kid": "o4"}, ed("Ed448")), ""),
        ("Ed25519, RFC 9864 2.2", "set", good({"alg": "Ed25519", "kid": "o"}, ed()), ""),
        ("HS256, RFC 7518 3.2", "secret", good(HS, hs()), ""),
        ("HS384", "secret", good({"alg": "HS384"}, hs("384")), ""),
        ("HS512", "long secret", good({"alg": "HS512"}, hs("512", SECRET + "-" * 14)), ""),
        ("a public key of RSA", "RSA", good({"alg": "PS256"}, ps()), ""),
        ("a public key of EC", "EC", good({"alg": "ES256"}, es()), ""),
        ("a public key of Ed25519", "Ed", good({"alg": "EdDSA"}, ed()), ""),
        ("no kid, RFC 7515 4.1.4", "set", good({"alg": "RS256"}), ""),
        ("typ JWT, RFC 7519 5.1", "set", good({**RS, "typ": "JWT"}), ""),
        ("typ in any case, RFC 7515 4.1.9", "set", good({**RS, "typ": "jwt"}), ""),
        ("typ of an access token, RFC 9068 2.1", "set", good({**RS, "typ": "at+jwt"}), ""),
        ("typ with its prefix, RFC 7515 4.1.9", "set", good({**RS, "typ": "application/at+jwt"}), ""),
    ],
    "none": [
        ("RFC 7519 6.1, RFC 8725 2.1", "set", good({"alg": "none"}, nobody), "no base64url"),
        ("with the real signature", "set", resigned(good({"alg": "none", "kid": "r"}), rs()), ALG),
        ("None", "set", good({"alg": "None"}), ALG),
        ("NONE", "set", good({"alg": "NONE"}), ALG),
        ("nOnE", "secret", good({"alg": "nOnE"}, hs()), ALG),
        ("with a secret", "secret", good({"alg": "none"}, hs()), ALG),
        ("with any signature", "RSA", good({"alg": "none"}, lambda signed: b"x"), ALG),
        ("with a space", "secret", good({"alg": "none "}, hs()), ALG),
        ("empty alg", "secret", good({"alg": ""}, hs()), ALG),
        ("no alg, RFC 7515 4.1.1", "secret", good({}, hs()), "has no `alg`"),
        ("alg null", "secret", good({"alg": None}, hs()), "has no `alg`"),
        ("alg a list", "secret", good({"alg": ["HS256"]}, hs()), "has no `alg`"),
        ("alg a number", "secret", good({"alg": 256}, hs()), "has no `alg`"),
        ("no signature", "secret", good(HS, nobody), "no base64url"),
        ("no signature and no dot", "secret", good(HS, nobody)[:-1], FORM),
    ],
    "family confusion": [
        ("the public key as a secret, RFC 8725 2.1", "RSA", good(HS, hs(secret=pem(rsa_key()))), ALG),
        ("the same without its last line end", "RSA", good(HS, hs(secret=pem(rsa_key()).strip())), ALG),
        ("the key in DER as a secret", "EC", good(HS, hs(secret=pem(ec_key()).encode())), ALG),
        ("the JWK as a secret", "set", good(HS_R, hs(secret=json.dumps(rsa_jwk(kid="r")))), ALG),
        ("the modulus as a secret", "set", good({"alg": "HS512", "kid": "r"}, hs("512", rsa_jwk()["n"])), ALG),
        ("HS384 with a public key", "Ed", good({"alg": "HS384"}, hs("384", pem(ed_key()))), ALG),
        ("RS for a secret, RFC 8725 3.1", "secret", good(), ALG),
        ("ES for a secret", "secret", good({"alg": "ES256"}, es()), ALG),
        ("an EC key's kid with RS", "set", good({"alg": "RS256", "kid": "e"}), KEY),
        ("an RSA key's kid with ES", "set", good({"alg": "ES256", "kid": "r"}, es()), KEY),
        ("an RSA key's kid with EdDSA", "set", good({"alg": "EdDSA", "kid": "r"}, ed()), KEY),
        ("RS signed as PS", "set", good({"alg": "PS256", "kid": "r"}, rs()), SIGNATURE),
        ("PS signed as RS", "set", good(RS, ps()), SIGNATURE),
        ("RS with a key whose alg is PS, RFC 7517 4.4", "set", good({"alg": "RS256", "kid": "ps"}), KEY),
        ("PS384 with a key whose alg is PS256", "set", good({"alg": "PS384", "kid": "ps"}, ps("384")), KEY),
        ("ES where RS256 alone is allowed, RFC 8725 3.1", "RS256 alone", good(ES, es()), ALG),
        ("RS512 where RS256 alone is allowed", "RS256 alone", good({"alg": "RS512", "kid": "r"}, rs("512")), ALG),
        ("RS256 where it alone is allowed", "RS256 alone", good(), ""),
        ("an encryption's alg, RFC 7518 4.1", "set", good({"alg": "RSA-OAEP", "kid": "r"}), ALG),
        ("another case, RFC 7515 4.1.1", "set", good({"alg": "rs256", "kid": "r"}), ALG),
        ("an alg that does not exist", "set", good({"alg": "RS257", "kid": "r"}), ALG),
        ("ES256K, RFC 8812 3.2", "set", good({"alg": "ES256K", "kid": "e"}, es()), ALG),
    ],
    "crit": [
        ("unknown, RFC 7515 4.1.11", "secret", good({**HS, "crit": ["exp"], "exp": 1800000000}, hs()), "`crit`"),
        ("unknown and absent", "secret", good({**HS, "crit": ["urn:x"]}, hs()), "`crit`"),
        ("empty", "secret", good({**HS, "crit": []}, hs()), "`crit`"),
        ("null", "secret", good({**HS, "crit": None}, hs()), "`crit`"),
        ("a string", "secret", good({**HS, "crit": "exp"}, hs()), "`crit`"),
        ("alg itself", "secret", good({**HS, "crit": ["alg"]}, hs()), "`crit`"),
        ("crit itself", "secret", good({**HS, "crit": ["crit"]}, hs()), "`crit`"),
        ("twice the same", "secret", good({**HS, "crit": ["b64", "b64"], "b64": True}, hs()), "`crit`"),
        ("b64 false, RFC 7797 3", "secret", good({**HS, "crit": ["b64"], "b64": False}, hs()), "`crit`"),
        ("b64 false without crit, RFC 7797 6", "secret", good({**HS, "b64": False}, hs()), "`b64`"),
        ("b64 true", "secret", good({**HS, "b64": True}, hs()), "`b64`"),
        ("an unknown member that is not critical, RFC 7515 4", "secret", good({**HS, "x": [1]}, hs()), ""),
    ],
    "embedded keys": [
        # All of them are ignored (RFC 8725 3.10): what counts is the signature by a key of ours.
        ("jwk, RFC 7515 4.1.3", "set", good({**RS, "jwk": rsa_jwk(THEIRS)}, rs(key=THEIRS)), SIGNATURE),
        ("jwk and no kid", "set", good({"alg": "RS256", "jwk": rsa_jwk(THEIRS)}, rs(key=THEIRS)), SIGNATURE),
        ("jwk of a secret", "set", good({**HS, "jwk": OCTETS}, hs()), ALG),
        ("jwk of another kid", "set", good({**RS, "kid": "x", "jwk": rsa_jwk(THEIRS, kid="x")}, rs(key=THEIRS)), KEY),
        ("jku, RFC 7515 4.1.2", "set", good({**RS, "kid": "x", "jku": "https://evil.test/jwks"}, rs(key=THEIRS)), KEY),
        ("jku to ourselves", "set", good({**RS, "jku": "http://127.0.0.1/jwks"}, rs(key=THEIRS)), SIGNATURE),
        ("x5u, RFC 7515 4.1.5", "set", good({**RS, "x5u": "https://evil.test/c.pem"}, rs(key=THEIRS)), SIGNATURE),
        ("x5c, RFC 7515 4.1.6", "set", good({**RS, "x5c": ["MIIB"]}, rs(key=THEIRS)), SIGNATURE),
        ("x5t in place of kid, RFC 7515 4.1.7", "set", good({"alg": "RS256", "kid": "x", "x5t": "r"}), KEY),
        ("jwk beside our signature", "set", good({**RS, "jwk": rsa_jwk(THEIRS)}), ""),
        ("jku beside our signature", "set", good({**RS, "jku": "https://evil.test/jwks"}), ""),
        ("x5u and x5c beside our signature", "set", good({**RS, "x5u": 1, "x5c": {}, "x5t#S256": None}), ""),
    ],
    "kid": [
        ("a path, RFC 8725 3.10", "set", good({**RS, "kid": "../../../../dev/null"}), KEY),
        ("a path, with the empty secret", "set", good({"alg": "HS256", "kid": "/dev/null"}, hs(secret=b"")), ALG),
        ("a URL", "set", good({**RS, "kid": "https://evil.test/key"}), KEY),
        ("SQL", "set", good({**RS, "kid": "x' UNION SELECT 'k'--"}), KEY),
        ("a command", "set", good({**RS, "kid": "|touch /tmp/x"}), KEY),
        ("empty", "set", good({**RS, "kid": ""}), KEY),
        ("another case, RFC 7515 4.1.4", "set", good({**RS, "kid": "R"}), KEY),
        ("with a NUL", "set", good({**RS, "kid": "r\0"}), KEY),
        ("with a space", "set", good({**RS, "kid": "r "}), KEY),
        ("a number", "set", good({**RS, "kid": 0}), "`kid` is no string"),
        ("a list", "set", good({**RS, "kid": ["r"]}), "`kid` is no string"),
        ("true", "set", good({**RS, "kid": True}), "`kid` is no string"),
        ("an object", "set", good({**RS, "kid": {"r": 1}}), "`kid` is no string"),
        ("null is none", "set", good({**RS, "kid": None}), ""),
        ("another key's", "set", good({"alg": "PS256", "kid": "ps"}, ps()), SIGNATURE),
        ("very long", "set", good({**RS, "kid": "k" * 8000}), KEY),
        ("any, where keys have none, RFC 7517 4.5", "set without kid", good({**RS, "kid": "whatever"}), ""),
        ("any, where there is one key", "RSA", good({**RS, "kid": "whatever"}), ""),
        ("none, where nine keys fit", "nine keys", good({"alg": "RS256"}), "too many keys"),
        ("one, where nine keys would fit", "nine keys", good({"alg": "RS256", "kid": "8"}), ""),
        ("none, where one of ten keys fits", "nine keys", good({"alg": "ES256"}, es()), ""),
        ("any, where there is a secret", "secret", good({**HS, "kid": "/dev/null"}, hs()), ""),
    ],
    "curves": [
        ("ES256 with a P-384 key, RFC 7518 3.4", "set", good({"alg": "ES256", "kid": "e3"}, es("256", "P-384")), KEY),
        ("ES384 with a P-256 key", "set", good({"alg": "ES384", "kid": "e"}, es("384", "P-256")), KEY),
        ("ES512 with a P-384 key", "set", good({"alg": "ES512", "kid": "e3"}, es("512", "P-384")), KEY),
        ("ES384 with a P-521 key", "set", good({"alg": "ES384", "kid": "e5"}, es("384", "P-521")), KEY),
        ("ES521, which does not exist", "set", good({"alg": "ES521", "kid": "e5"}, es("512", "P-521")), ALG),
        ("Ed448 with an Ed25519 key, RFC 9864 2.2", "set", good({"alg": "Ed448", "kid": "o"}, ed()), KEY),
        ("Ed25519 with an Ed448 key", "set", good({"alg": "Ed25519", "kid": "o4"}, ed("Ed448")), KEY),
        ("ES384 with a public key on P-256", "EC", good({"alg": "ES384"}, es("384", "P-256")), KEY),
        ("ES256 with an Ed25519 key", "Ed", good({"alg": "ES256"}, es()), KEY),
    ],
    "short keys": [
        ("HS384 with a secret of 48 bytes, RFC 7518 3.2", "secret", good({"alg": "HS384"}, hs("384")), ""),
        ("HS512 with less than 64", "secret", good({"alg": "HS512"}, hs("512")), KEY),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", cases(CLASSES))
def test_tokens(case: Case) -> None:
    check(case)
