"""RSA keys that are not right, as whoever means harm may write them: too large, or with exponents that are.

Belongs here: making them, at once; one whose primes are prime would take a minute. Does not: who refuses them.
"""

from __future__ import annotations

from base64 import encodebytes


def rsa_pem(bits: int, exponent_bits: int = 2, prime_exponent_bits: int = 2) -> str:
    """A private key of PKCS #1 (RFC 8017 A.1.2) with a modulus of `bits`, whose private exponent has `exponent_bits`
    and those for its primes `prime_exponent_bits`."""
    p, q = (1 << bits // 2) - 1, (1 << bits // 2) - 3
    d, for_prime = (1 << exponent_bits) - 1, (1 << prime_exponent_bits) - 1
    numbers = (0, p * q, 65537, d, p, q, for_prime, for_prime, pow(q, -1, p))
    der = _element(0x30, b"".join(_element(2, each.to_bytes(each.bit_length() // 8 + 1)) for each in numbers))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{encodebytes(der).decode()}-----END RSA PRIVATE KEY-----\n"


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, size] if size < 128 else [tag, 0x80 | len(long), *long]) + content
