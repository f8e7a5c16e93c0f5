"""Keys that JWTs are signed with, typed, and the algorithms that fit each.

Belongs here: making a key of what is configured, and signing with it. Does not: what is signed (signed_jwt.py).
The cryptography is joserfc's; that key and algorithm belong together is seen to here.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Final, Literal

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc.jwa import JWS_ALGORITHMS
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from rrgate.api import WrongPrivateKey, private_key_of_pem

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448",
]  # fmt: skip

_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
_LONGEST: Final = 16 * 1024
_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_MODELS: Final = {model.name: model for model in JWS_ALGORITHMS}


class WrongKey(ValueError):
    """What cannot sign with the algorithm. The text says why and quotes nothing."""


@frozen
class SigningKey:
    """A key with the one algorithm that it is used with."""

    algorithm: str
    _key: RSAKey | ECKey | OKPKey | OctKey = field(repr=False)

    def compact(self, header: bytes, payload: bytes) -> bytes:
        """The compact serialization of these two JSON texts (RFC 7515 7.1), signed."""
        signed = _base64url(header) + b"." + _base64url(payload)
        return signed + b"." + _base64url(_MODELS[self.algorithm].sign(signed, self._key))


def signing_key(text: str, algorithm: Algorithm) -> SigningKey:
    """`text`: for HS a shared secret, for all others a private key in PEM, not encrypted. Raises WrongKey."""
    if len(text) > _LONGEST:
        raise WrongKey(f"must have at most {_LONGEST} characters")
    least = _SECRET_BYTES.get(algorithm)
    if least is not None:
        secret = text.encode("utf-8", "replace")
        if b"-----BEGIN " in secret:
            raise WrongKey(f"must be a shared secret for {algorithm}; this is a key in PEM")
        if len(secret) < least:
            raise WrongKey(f"must have at least {least} bytes for {algorithm} (RFC 7518 3.2)")
        return SigningKey(algorithm, OctKey.import_key(secret))
    key, fitting = _of_pem(text)
    if algorithm not in fitting:
        raise WrongKey(f"is a key for {' or '.join(fitting)}, and not for {algorithm}")
    return SigningKey(algorithm, key)


def _of_pem(text: str) -> tuple[RSAKey | ECKey | OKPKey, tuple[str, ...]]:
    try:
        native = private_key_of_pem(text)
    except WrongPrivateKey as error:
        raise WrongKey(str(error)) from None
    if isinstance(native, RSAPrivateKey):
        return RSAKey.import_key(native), _RSA
    if isinstance(native, EllipticCurvePrivateKey) and native.curve.name in _CURVES:
        return ECKey.import_key(native), (_CURVES[native.curve.name],)
    if isinstance(native, Ed25519PrivateKey):
        return OKPKey.import_key(native), ("EdDSA", "Ed25519")
    if isinstance(native, Ed448PrivateKey):
        return OKPKey.import_key(native), ("EdDSA", "Ed448")
    raise WrongKey("must be a private key of RSA, P-256, P-384, P-521, Ed25519 or Ed448")


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
