"""The examples of RFC 7515 A and RFC 8037 A: their keys verify their tokens, and nobody else's do.

Belongs here: tokens that others have made. Does not: those that are made here (signing.py).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode

import pytest

from rrgate_plugins.jwt_verify.claims import ClaimRules
from rrgate_plugins.jwt_verify.keys import KeySet, VerifyingKey, key_of_jwk, key_of_secret
from rrgate_plugins.jwt_verify.tokens import TokenRefused, read_token

SECRET = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
POINT = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
CLAIMS = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"


def of_jwk(jwk: dict[str, str]) -> VerifyingKey:
    key = key_of_jwk(jwk)
    assert key is not None
    return key


VECTORS = {
    "HS256, RFC 7515 A.1": (
        key_of_secret(urlsafe_b64decode(SECRET)),
        f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    "ES256, RFC 7515 A.3": (
        of_jwk(POINT),
        f"eyJhbGciOiJFUzI1NiJ9.{CLAIMS}."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    "EdDSA, RFC 8037 A.4": (
        of_jwk(ED25519),
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    key, made = VECTORS[name]
    KeySet((key,)).verify(read_token(made.encode()))
    for other, (another, _) in VECTORS.items():
        if other != name:
            with pytest.raises(TokenRefused):
                KeySet((another,)).verify(read_token(made.encode()))


def test_the_claims_of_rfc_7515() -> None:
    claims = read_token(VECTORS["ES256, RFC 7515 A.3"][1].encode()).claims()
    assert claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    rules = ClaimRules(frozenset(), frozenset({"joe"}), 0)
    assert rules.judge(claims, 1300819379) == 1300819380
    with pytest.raises(TokenRefused, match="expired"):
        rules.judge(claims, 1300819380)


def test_an_unsecured_token_of_rfc_7515_a_5() -> None:
    with pytest.raises(TokenRefused):
        read_token(f"eyJhbGciOiJub25lIn0.{CLAIMS}.".encode())


@pytest.mark.parametrize("made", ["eyJhbGciOiJub25lIn0..", ".", "..", "a.b.c"])
def test_what_is_no_token(made: str) -> None:
    with pytest.raises(TokenRefused):
        read_token(made.encode())
