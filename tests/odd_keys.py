"""Private keys that are not right, as whoever means harm may write them: too large, or with exponents that are.

Belongs here: making them, at once; one whose primes are prime would take a minute. Does not: who refuses them.
"""

from __future__ import annotations

from base64 import encodebytes


def rsa_pem(bits: int, exponent_bits: int = 2, prime_exponent_bits: int = 2) -> str:
    """A private key of PKCS #1 (RFC 8017 A.1.2) with a modulus of `bits`, whose private exponent has `exponent_bits`
    and those for its primes `prime_exponent_bits`."""
    p, q = (1 << bits // 2) - 1, (1 << bits // 2) - 3
    d, for_prime = (1 << exponent_bits) - 1, (1 << prime_exponent_bits) - 1
    return _pem("RSA PRIVATE KEY", _sequence(0, p * q, 65537, d, p, q, for_prime, for_prime, pow(q, -1, p)))


def dsa_pem(bits: int, exponent_bits: int, kind: str = "PRIVATE KEY") -> str:
    """One of DSA in PKCS #8, whose public key is worked out by whoever reads it, in a time that grows with both."""
    p, x = (1 << bits) - 1, (1 << exponent_bits) - 1
    algorithm = _element(0x30, bytes.fromhex("06072a8648ce380401") + _sequence(p, (1 << 255) | 1, 3))
    return _pem(kind, _element(0x30, _integer(0) + algorithm + _element(4, _integer(x))))


def _pem(kind: str, der: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{encodebytes(der).decode()}-----END {kind}-----\n"


def _sequence(*numbers: int) -> bytes:
    return _element(0x30, b"".join(map(_integer, numbers)))


def _integer(number: int) -> bytes:
    return _element(2, number.to_bytes(number.bit_length() // 8 + 1))


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, size] if size < 128 else [tag, 0x80 | len(long), *long]) + content
