"""Keys, and tokens signed with them, right or wrong in any way; by `cryptography` alone, not by what is tried out.

Belongs here: making tokens and key sets. Does not: any expectation.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW: Final = 1_700_000_000.0
SECRET: Final = "a-Secret/of-the-Sample+0001-and-more-than-32-bytes"
CLAIMS: Final[Mapping[str, Any]] = {"iss": "https://issuer.test", "sub": "ann", "aud": "us", "exp": NOW + 600}

Sign = Callable[[bytes], bytes]
HASHES: Final = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES: Final = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}


def b64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def as_json(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def token(header: object, claims: object, sign: Sign) -> bytes:
    """A token in its compact form. `header`, `claims`: what becomes JSON, or bytes as they are."""
    signed = b64(as_json(header)) + b"." + b64(as_json(claims))
    return signed + b"." + b64(sign(signed))


def rsa_key(name: str = "ours", bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return _made((name, bits), lambda: rsa.generate_private_key(exponent, bits))


def ec_key(curve: str = "P-256", name: str = "ours") -> ec.EllipticCurvePrivateKey:
    return _made((name, curve), lambda: ec.generate_private_key(CURVES[curve]()))


def ed_key(curve: str = "Ed25519", name: str = "ours") -> ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey:
    kind: Any = ed25519.Ed25519PrivateKey if curve == "Ed25519" else ed448.Ed448PrivateKey
    return _made((name, curve), kind.generate)


def _made(which: tuple[str, object], make: Callable[[], Any]) -> Any:
    if which not in _KEYS:
        _KEYS[which] = make()
    return _KEYS[which]


_KEYS: Final[dict[tuple[str, object], Any]] = {}


def rs(size: str = "256", key: rsa.RSAPrivateKey | None = None) -> Sign:
    return lambda signed: (key or rsa_key()).sign(signed, padding.PKCS1v15(), HASHES[size]())


def ps(size: str = "256", salt: int | None = None) -> Sign:
    kind = HASHES[size]()
    pss = padding.PSS(padding.MGF1(kind), kind.digest_size if salt is None else salt)
    return lambda signed: rsa_key().sign(signed, pss, kind)


def es(size: str = "256", curve: str = "P-256", key: ec.EllipticCurvePrivateKey | None = None) -> Sign:
    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature((key or ec_key(curve)).sign(signed, ec.ECDSA(HASHES[size]())))
        length = (CURVES[curve]().key_size + 7) // 8
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")

    return sign


def es_der(signed: bytes) -> bytes:
    """As everybody but JOSE writes it (RFC 7518 3.4)."""
    return ec_key().sign(signed, ec.ECDSA(hashes.SHA256()))


def ed(curve: str = "Ed25519", name: str = "ours") -> Sign:
    return lambda signed: ed_key(curve, name).sign(signed)


def hs(size: str = "256", secret: str | bytes = SECRET) -> Sign:
    raw = secret if isinstance(secret, bytes) else secret.encode()
    return lambda signed: hmac.new(raw, signed, getattr(hashlib, f"sha{size}")).digest()


def nobody(signed: bytes) -> bytes:
    return b""


def pem(key: Any) -> str:
    """`key`: private or public."""
    key = key.public_key() if hasattr(key, "public_key") else key
    public: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


def number(value: int, length: int = 0) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big")).decode()


def rsa_jwk(key: rsa.RSAPrivateKey | None = None, **more: Any) -> dict[str, Any]:
    numbers = (key or rsa_key()).public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **more}


def ec_jwk(curve: str = "P-256", key: ec.EllipticCurvePrivateKey | None = None, **more: Any) -> dict[str, Any]:
    numbers = (key or ec_key(curve)).public_key().public_numbers()
    length = (CURVES[curve]().key_size + 7) // 8
    return {"kty": "EC", "crv": curve, "x": number(numbers.x, length), "y": number(numbers.y, length), **more}


def ed_jwk(curve: str = "Ed25519", **more: Any) -> dict[str, Any]:
    raw = ed_key(curve).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": curve, "x": b64(raw).decode(), **more}


def key_set(*keys: Mapping[str, Any]) -> dict[str, Any]:
    return {"keys": [dict(key) for key in keys]}
