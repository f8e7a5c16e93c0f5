"""Private keys that tenants give, in PEM: read only if neither reading them nor signing with them takes long.

Belongs here: telling a key from its first bytes, reading it, bounds. Does not: what it is used for.

A private key of DSA comes without its public one, which is worked out as it is read: for numbers that somebody made up
that takes minutes, or hours, on the thread that serves everybody. So what is no key of RSA, ECDSA or EdDSA is not read.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey

RSA_BITS: Final = range(2048, 4096 + 1)
"""From RFC 7518 3.3; to sign with a larger one takes long: 0.2 s at 8192 bits, 14 s at 32768."""
_LONGEST: Final = 16 * 1024

_BLOCK: Final = re.compile(r"-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----([^-]*)-----END \1-----")
_LENGTH: Final = rb"(?:\x82..|\x81.|[\x00-\x7f])"
_DER: Final = re.compile(
    rb"\x30" + _LENGTH + rb"\x02\x01"
    rb"(?:\x00\x02"  # RSAPrivateKey: a version and a modulus (RFC 8017 A.1.2)
    rb"|\x01\x04"  # ECPrivateKey: a version and a string of octets (RFC 5915 3)
    rb"|[\x00\x01]\x30" + _LENGTH + rb"\x06"  # PrivateKeyInfo: a version and an algorithm (RFC 5208 5)
    rb"(?:\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x0a]"  # of RSA (RFC 8017 C)
    rb"|\x07\x2a\x86\x48\xce\x3d\x02\x01"  # on a curve (RFC 5480 2.1.1)
    rb"|\x03\x2b\x65[\x70\x71]))",  # Ed25519, Ed448 (RFC 8410 3)
    re.DOTALL,
)


class WrongPrivateKey(ValueError):
    """What is no private key that may be used. The text says what would be right and quotes nothing."""

    holds_no_values = True


def private_key_of_pem(text: str) -> PrivateKey:
    """The one private key in `text`, of RSA, ECDSA or EdDSA, not encrypted. Raises WrongPrivateKey.

    Whether the primes of one of RSA are prime is not looked at, which takes a second: a wrong one harms its owner.
    """
    if "\nProc-Type:" in text or "-----BEGIN ENCRYPTED" in text:
        raise WrongPrivateKey("must not be encrypted: it is encrypted at rest here")
    key = _read(text) if len(text) <= _LONGEST else None
    if key is None:
        raise WrongPrivateKey(
            "must be a private key of RSA, ECDSA or EdDSA in PEM, from `-----BEGIN PRIVATE KEY-----` on; "
            "it cannot be read"
        )
    if isinstance(key, RSAPrivateKey):
        _check_size(key)
    return key


def _read(text: str) -> PrivateKey | None:
    blocks = _BLOCK.findall(text)
    if len(blocks) != 1:
        return None
    try:
        der = b64decode("".join(blocks[0][1].split()), validate=True)
        # What was looked at is what is read, and not the text once more.
        key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True) if _DER.match(der) else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, PrivateKey) else None


def _check_size(key: RSAPrivateKey) -> None:
    if key.key_size not in RSA_BITS:
        raise WrongPrivateKey(f"must have {RSA_BITS.start} to {RSA_BITS.stop - 1} bits as a key of RSA (RFC 7518 3.3)")
    numbers = key.private_numbers()
    if max(numbers.d, numbers.dmp1, numbers.dmq1).bit_length() > key.key_size:
        # What it costs to sign grows with them, too, and nothing else bounds them.
        raise WrongPrivateKey("must have exponents no longer than its modulus")
