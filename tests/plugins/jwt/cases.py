"""Tables of tokens: the credentials they are shown to, how they are made, and trying one.

Belongs here: what several tables need. Does not: any row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest
from attrs import frozen

from rrgate_plugins.jwt_verify import JwtVerify
from tests.plugins.jwt.asking import credential, said
from tests.plugins.jwt.signing import (
    CLAIMS,
    SECRET,
    Sign,
    b64,
    ec_jwk,
    ec_key,
    ed_jwk,
    ed_key,
    hs,
    key_set,
    pem,
    rs,
    rsa_jwk,
    rsa_key,
    token,
)

Classes = Mapping[str, list[tuple[str, str, bytes, str]]]
"""By class: what, the credential, the token, and part of the reason for which it is refused; nothing if it is taken."""

RULES: Final = {"audience": ["us", "also-us"], "issuer": "https://issuer.test"}
KEYS: Final = key_set(
    rsa_jwk(kid="r"),
    ec_jwk(kid="e"),
    ec_jwk("P-384", kid="e3"),
    ec_jwk("P-521", kid="e5"),
    ed_jwk(kid="o"),
    ed_jwk("Ed448", kid="o4"),
    rsa_jwk(rsa_key("second"), kid="ps", alg="PS256"),
)
CREDENTIALS: Final[Mapping[str, Mapping[str, Any]]] = {
    "set": {"jwks": KEYS, **RULES},
    "set without kid": {"jwks": key_set(rsa_jwk(), ec_jwk()), **RULES},
    "nine keys": {"jwks": key_set(*[rsa_jwk(kid=str(place)) for place in range(9)], ec_jwk(kid="e")), **RULES},
    "RS256 alone": {"jwks": KEYS, "algorithms": ["RS256"], **RULES},
    "RSA": {"publicKey": pem(rsa_key()), **RULES},
    "EC": {"publicKey": pem(ec_key()), **RULES},
    "Ed": {"publicKey": pem(ed_key()), **RULES},
    "secret": {"sharedSecret": SECRET, **RULES},
    "long secret": {"sharedSecret": SECRET + "-" * 14, **RULES},
    "no audience": {"sharedSecret": SECRET},
    "any audience": {"sharedSecret": SECRET, "audience": None},
    "several issuers": {"sharedSecret": SECRET, "audience": "us", "issuer": ["https://a.test", "https://issuer.test"]},
    "exact clock": {"sharedSecret": SECRET, **RULES, "clockTolerance": 0},
}
RS: Final = {"alg": "RS256", "kid": "r"}
ES: Final = {"alg": "ES256", "kid": "e"}
HS: Final = {"alg": "HS256"}

_MADE: Final[dict[str, JwtVerify]] = {}


@frozen
class Case:
    """One row."""

    credential: str
    token: bytes
    why: str


def cases(classes: Classes) -> list[Any]:
    """For `pytest.mark.parametrize`."""
    return [pytest.param(Case(*rest), id=f"{name}: {what}") for name, rows in classes.items() for what, *rest in rows]


def check(case: Case) -> None:
    """The token is taken, or refused for this reason; a second time too, when it might be remembered."""
    if case.credential not in _MADE:
        _MADE[case.credential] = credential(CREDENTIALS[case.credential])
    for _ in range(2):
        reason = said(_MADE[case.credential], case.token)
        assert case.why in reason if case.why else not reason, reason


def good(header: Mapping[str, Any] = RS, sign: Sign | None = None) -> bytes:
    """A token whose claims are good."""
    return token(header, CLAIMS, sign or rs())


def with_claims(text: bytes) -> bytes:
    """A token whose claims are this text."""
    return token(HS, text, hs())


def claiming(**claims: Any) -> bytes:
    """A token with good claims, and these."""
    return token(HS, {**CLAIMS, **claims}, hs())


def without(*names: str) -> bytes:
    """A token with good claims but these."""
    return token(HS, {name: value for name, value in CLAIMS.items() if name not in names}, hs())


def resigned(whole: bytes, sign: Sign) -> bytes:
    """The same header and claims with another signature."""
    signed = whole.rpartition(b".")[0]
    return signed + b"." + b64(sign(signed))
