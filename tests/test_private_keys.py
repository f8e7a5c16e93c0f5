"""`private_key_of_pem`: which keys are read, and which are not even tried.

Belongs here: that. Does not: what they are used for (plugins/test_signed_jwt.py, core/test_client_certificates.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from rrgate import private_keys
from rrgate.private_keys import WrongPrivateKey, private_key_of_pem
from tests.odd_keys import dsa_pem, rsa_pem

KEYS = (
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP521R1()),
    ed25519.Ed25519PrivateKey.generate(),
    ed448.Ed448PrivateKey.generate(),
)
PKCS8, LEGACY = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL


def pem(key: Any, form: PrivateFormat = PKCS8, encryption: Any = None) -> str:
    return str(key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode())


@pytest.mark.parametrize("text", [*(pem(key) for key in KEYS), *(pem(key, LEGACY) for key in KEYS[:3])])
@pytest.mark.parametrize("ends", ["\n", "\r\n", " \n"])
def test_what_is_read(text: str, ends: str) -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = private_key_of_pem(parameters + text.replace("\n", ends))
    assert pem(key) in [pem(each) for each in KEYS]


@pytest.mark.parametrize(
    "text",
    [
        # To read it is what takes long.
        *(dsa_pem(3000, 2000, f"{kind}PRIVATE KEY") for kind in ("", "RSA ", "EC ", "DSA ")),
        dsa_pem(100_000, 2000),
        pem(KEYS[1]) + dsa_pem(3000, 2000),
        dsa_pem(3000, 2000) + pem(KEYS[1]),
        pem(KEYS[1]) + pem(KEYS[1]),
        pem(KEYS[1]).replace("PRIVATE", "PUBLIC"),
        pem(KEYS[1]).replace("M", "-"),
        pem(KEYS[1]) + " " * 16 * 1024,
        "",
        *(pem(key, PKCS8, BestAvailableEncryption(b"word")) for key in KEYS[:2]),
        *(pem(key, LEGACY, BestAvailableEncryption(b"word")) for key in KEYS[:2]),
    ],
)
def test_what_is_not_even_tried(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*given: object, **more: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(private_keys, "load_der_private_key", read)
    with pytest.raises(WrongPrivateKey, match=r"be encrypted|it cannot be read"):
        private_key_of_pem(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rsa_pem(1024), "2048 to 4096 bits"),
        (rsa_pem(4352), "2048 to 4096 bits"),
        (rsa_pem(2048, exponent_bits=2049), "no longer than"),
        (rsa_pem(2048, prime_exponent_bits=2049), "no longer than"),
        (pem(KEYS[1])[:100] + pem(KEYS[1])[104:], "it cannot be read"),
    ],
)
def test_what_takes_long_to_sign_with_or_is_damaged(text: str, said: str) -> None:
    with pytest.raises(WrongPrivateKey, match=said):
        private_key_of_pem(text)
