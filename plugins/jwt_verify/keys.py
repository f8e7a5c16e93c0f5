"""Keys that signatures are verified with, and the algorithms that each may be used for.

Belongs here: making typed keys of what is configured or fetched, and verifying with them. Does not: fetching
(remote_keys.py). The cryptography is joserfc's; which algorithm a key is used with is decided here, by the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.errors import JoseError
from joserfc.jwa import JWS_ALGORITHMS, JWSAlgModel
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from rrgate_plugins.jwt_verify.strict import from_base64url
from rrgate_plugins.jwt_verify.tokens import Token, TokenRefused

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519", "Ed448", "HS256", "HS384", "HS512",
]  # fmt: skip

SYMMETRIC: Final = frozenset({"HS256", "HS384", "HS512"})
SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
"""At least as many as the hash has (RFC 7518 3.2)."""
MOST_KEYS: Final = 100
"""Of a set."""
_MOST_TRIED: Final = 8
"""Of a set, for one token without `kid`, or with one that several keys share."""
_RSA_BITS: Final = range(2048, 8192 + 1)
"""From RFC 7518 3.3; a larger one takes too long."""
_EXPONENT_BITS: Final = 64
_LONGEST_MEMBER: Final = 2048

_FITTING: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
    ("OKP", "Ed448"): ("EdDSA", "Ed448"),
}
"""By type and curve (RFC 7518 3.1, RFC 8037 3.1, RFC 9864 2.2)."""
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_MODELS: Final[Mapping[str, JWSAlgModel]] = {model.name: model for model in JWS_ALGORITHMS}

TypedKey = RSAKey | ECKey | OKPKey | OctKey


class WrongKey(ValueError):
    """What cannot be a key here. The text says why and quotes nothing."""

    holds_no_values = True


@frozen
class VerifyingKey:
    """`key_id`: its `kid`, or None. `algorithms`: those it may be used with, never one that a token chose."""

    key_id: str | None
    algorithms: frozenset[str]
    _key: TypedKey = field(repr=False)

    def verifies(self, token: Token) -> bool:
        """Whether the token's signature is this key's. Its algorithm must be one of `algorithms`."""
        return _MODELS[token.algorithm].verify(token.signed, token.signature, self._key)


@frozen(eq=False)
class KeySet:
    """The keys in force. What changes takes the place of the whole set."""

    keys: tuple[VerifyingKey, ...]
    _ids: frozenset[str | None] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_ids", frozenset(key.key_id for key in self.keys))

    def knows(self, key_id: str | None) -> bool:
        """Whether any key here may be the one that a token with this `kid` was signed with."""
        return key_id is None or key_id in self._ids or None in self._ids

    def verify(self, token: Token) -> None:
        """Raises TokenRefused unless a key here signed `token`.

        A token with `kid` is verified with keys that have the same one, or none; a `kid` is compared, and nothing else
        (RFC 8725 3.10).
        """
        named = token.key_id if token.key_id in self._ids else None
        whole = token.key_id is None
        tried = [key for key in self.keys if (whole or key.key_id == named) and token.algorithm in key.algorithms]
        if not tried:
            raise TokenRefused("no key fits the token's `kid` and `alg`")
        if len(tried) > _MOST_TRIED:
            raise TokenRefused("too many keys fit the token, which has no `kid` of its own")
        if not any(key.verifies(token) for key in tried):
            raise TokenRefused("the token's signature is not right")


def key_of_secret(secret: bytes) -> VerifyingKey:
    """A shared secret. Raises WrongKey."""
    if len(secret) < SECRET_BYTES["HS256"]:
        raise WrongKey("must have at least 32 bytes (RFC 7518 3.2)")
    if b"-----BEGIN " in secret or secret.startswith((b"ssh-", b"ecdsa-")):
        raise WrongKey("must not be a key that others know; a public key is a `publicKey`")
    algorithms = frozenset(name for name, size in SECRET_BYTES.items() if len(secret) >= size)
    return VerifyingKey(None, algorithms, OctKey.import_key(secret))


def key_of_pem(text: str) -> VerifyingKey:
    """A public key in PEM (RFC 7468 13). Raises WrongKey."""
    if "PRIVATE KEY-----" in text:
        raise WrongKey("must be a public key; this one is private")
    try:
        native = load_pem_public_key(text.encode("utf-8", "replace"))
    except (ValueError, UnsupportedAlgorithm):
        raise WrongKey("must be a public key in PEM, from `-----BEGIN PUBLIC KEY-----` on") from None
    key: RSAKey | ECKey | OKPKey
    if isinstance(native, RSAPublicKey):
        numbers = native.public_numbers()
        _check_size(numbers.n, numbers.e)
        key = RSAKey.import_key(native)
    elif isinstance(native, EllipticCurvePublicKey):
        key = ECKey.import_key(native)
    elif isinstance(native, Ed25519PublicKey | Ed448PublicKey):
        key = OKPKey.import_key(native)
    else:
        raise WrongKey("must be a key of RSA, P-256, P-384, P-521, Ed25519 or Ed448")
    return _fitted(None, key, None)


def key_of_jwk(jwk: object) -> VerifyingKey | None:
    """A member of a JWK Set (RFC 7517 4); None for one that is not for signatures. Raises WrongKey."""
    if not isinstance(jwk, dict):
        raise WrongKey("must be an object")
    kind, key_id, algorithm = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if kind == "oct":
        raise WrongKey("must not be symmetric: a secret is a `sharedSecret`")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise WrongKey("must have a `kty` of RSA, EC or OKP")
    if "d" in jwk:
        raise WrongKey("must be a public key; this one is private")
    if not isinstance(key_id, str | None) or not isinstance(algorithm, str | None):
        raise WrongKey("must have strings as `kid` and `alg`")
    # Nothing else is looked at: not the certificates, nor where they are said to be.
    members: Any = {name: jwk.get(name) for name in _MEMBERS[kind]}
    if not all(isinstance(value, str) and len(value) <= _LONGEST_MEMBER for value in members.values()):
        raise WrongKey(f"must have {', '.join(members)} as strings")
    types: Mapping[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    try:
        if kind == "RSA":
            # First, because joserfc takes a short one, and warns of it in its own way.
            _check_size(_number(members["n"]), _number(members["e"]))
        key: RSAKey | ECKey | OKPKey = types[kind].import_key({"kty": kind, **members})
    except WrongKey:
        raise
    except (ValueError, KeyError, TypeError, JoseError, UnsupportedAlgorithm):
        # A point beside its curve, too (RFC 7518 6.2.2, RFC 8725 3.4).
        raise WrongKey("must be a key of RSA, P-256, P-384, P-521, Ed25519 or Ed448") from None
    return _fitted(key_id, key, algorithm)


def _number(text: str) -> int:
    """A Base64urlUInt (RFC 7518 2). Raises NotStrict."""
    return int.from_bytes(from_base64url(text.encode()))


def _check_size(modulus: int, exponent: int) -> None:
    if modulus.bit_length() not in _RSA_BITS:
        raise WrongKey("must have 2048 to 8192 bits (RFC 7518 3.3)")
    if exponent.bit_length() > _EXPONENT_BITS:
        raise WrongKey("must have a public exponent of at most 64 bits")


def _fitted(key_id: str | None, key: RSAKey | ECKey | OKPKey, algorithm: str | None) -> VerifyingKey:
    """`key` with the algorithms that fit its type, its curve and, if it has one, its `alg`."""
    curve = "" if isinstance(key, RSAKey) else _curve(key)
    fitting = _FITTING.get((key.key_type, curve))
    if fitting is None:
        raise WrongKey("must be a key of RSA, P-256, P-384, P-521, Ed25519 or Ed448")
    if algorithm is not None and algorithm not in fitting:
        raise WrongKey(f"must have one of these as its `alg`, or none at all: {', '.join(fitting)}")
    return VerifyingKey(key_id, frozenset(fitting if algorithm is None else (algorithm,)), key)


def _curve(key: ECKey | OKPKey) -> str:
    try:
        return str(key.curve_name)
    except KeyError:
        return "one that joserfc does not know"
