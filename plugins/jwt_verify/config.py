"""What a credential of `jwtVerify` may say, checked as far as it can be without a request.

Belongs here: the fields of `credentialSecret` and what is wrong with them. Does not: any token.
"""

from __future__ import annotations

from typing import Any, Final, get_args
from urllib.parse import urlsplit

from attrs import field, frozen

from rrgate.api import ConfigError, Problem, documented, secret
from rrgate_plugins.jwt_verify.claims import ClaimRules
from rrgate_plugins.jwt_verify.keys import (
    MOST_KEYS,
    SECRET_BYTES,
    SYMMETRIC,
    Algorithm,
    KeySet,
    VerifyingKey,
    WrongKey,
    key_of_jwk,
    key_of_pem,
    key_of_secret,
)

_MOST_TOLERANCE: Final = 300.0
_LONGEST_URL: Final = 2048
_MOST_LOGGED: Final = 16
_LONGEST_NAME: Final = 256


@frozen
class JwtVerifyConfig:
    """Exactly one of `jwksUri`, `jwks`, `publicKey` and `sharedSecret`, and what tokens must be like."""

    jwks_uri: str | None = documented("The https URL of the issuer's key set.", default=None)
    jwks: dict[str, Any] | None = documented('A key set itself: `{"keys": […]}`, public keys only.', default=None)
    public_key: str | None = documented("One public key in PEM, from `-----BEGIN PUBLIC KEY-----` on.", default=None)
    shared_secret: str | None = secret("A secret of at least 32 bytes that the issuer has, too.", default=None)
    algorithms: tuple[Algorithm, ...] | None = documented(
        "What tokens may be signed with, of what fits the key; by default all of that.", default=None
    )
    audience: str | tuple[str, ...] | None = documented(
        "Who we are: one of these must be in `aud`. Required with `jwksUri`; `null` takes tokens for anybody.",
        default=(),
    )
    issuer: str | tuple[str, ...] | None = documented("Whose tokens are taken: one of these is `iss`.", default=None)
    clock_tolerance: float = documented("Seconds by which the issuer's clock may differ, 0 to 300.", default=30.0)
    log_claims: tuple[str, ...] = documented(
        "Names of the claims that the request log keeps, at most 16; admins and owners see them.", default=("sub",)
    )
    keys: KeySet | None = field(init=False, default=None, repr=False)
    """The keys, where they are configured; None: they are to be fetched."""

    def __attrs_post_init__(self) -> None:
        problems = self._wrong_source() or self._wrong_keys()
        if self.algorithms is not None:
            problems += self._wrong_algorithms(self.algorithms)
        if not 0 <= self.clock_tolerance <= _MOST_TOLERANCE:
            problems.append(Problem("clockTolerance", "must be 0 to 300"))
        for name, value in (("audience", self.audience), ("issuer", self.issuer)):
            if value is not None and ("" in _several(value) or (name == "issuer" and not value)):
                problems.append(Problem(name, "must be a string, or several, none of them empty"))
        if len(self.log_claims) > _MOST_LOGGED or not all(map(_is_name, self.log_claims)):
            problems.append(Problem("logClaims", "must be at most 16 names, each of 1 to 256 characters"))
        if self.jwks_uri is not None and self.audience == ():
            problems.append(
                Problem("audience", "is required with jwksUri, which signs tokens for others, too; null takes them all")
            )
        if problems:
            raise ConfigError(*problems)

    @property
    def claim_rules(self) -> ClaimRules:
        """What claims are judged by."""
        audiences = None if self.audience is None else frozenset(_several(self.audience))
        issuers = None if self.issuer is None else frozenset(_several(self.issuer))
        return ClaimRules(audiences, issuers, self.clock_tolerance)

    @property
    def allowed(self) -> frozenset[str]:
        """What tokens may be signed with, as far as that does not depend on the key."""
        if self.algorithms is not None:
            return frozenset(self.algorithms)
        return SYMMETRIC if self.shared_secret is not None else frozenset(get_args(Algorithm)) - SYMMETRIC

    def _wrong_source(self) -> list[Problem]:
        sources = {
            "jwksUri": self.jwks_uri,
            "jwks": self.jwks,
            "publicKey": self.public_key,
            "sharedSecret": self.shared_secret,
        }
        given = [name for name, value in sources.items() if value is not None]
        if not given:
            return [Problem("jwksUri", "is required, or one of jwks, publicKey and sharedSecret in its place")]
        return [Problem(name, f"must not be given beside {given[0]}") for name in given[1:]]

    def _wrong_keys(self) -> list[Problem]:
        if self.jwks_uri is not None:
            return [] if _is_right(self.jwks_uri) else [Problem("jwksUri", "must be an https URL without user or #")]
        if self.jwks is not None:
            return self._wrong_key_set(self.jwks)
        name = "sharedSecret" if self.shared_secret is not None else "publicKey"
        try:
            if self.shared_secret is not None:
                key = key_of_secret(self.shared_secret.encode("utf-8", "replace"))
            else:
                key = key_of_pem(self.public_key or "")
        except WrongKey as error:
            return [Problem(name, str(error))]
        object.__setattr__(self, "keys", KeySet((key,)))
        return []

    def _wrong_key_set(self, document: dict[str, Any]) -> list[Problem]:
        members = document.get("keys")
        if not isinstance(members, list) or len(members) > MOST_KEYS:
            return [Problem("jwks.keys", f"must be an array of at most {MOST_KEYS} keys")]
        problems: list[Problem] = []
        found: list[VerifyingKey] = []
        for place, member in enumerate(members):
            try:
                key = key_of_jwk(member)
            except WrongKey as error:
                problems.append(Problem(f"jwks.keys.{place}", str(error)))
                continue
            if key is not None:
                found.append(key)
        if not found and not problems:
            problems.append(Problem("jwks.keys", "must hold a key for signatures"))
        object.__setattr__(self, "keys", KeySet(tuple(found)))
        return problems

    def _wrong_algorithms(self, algorithms: tuple[Algorithm, ...]) -> list[Problem]:
        if not algorithms:
            return [Problem("algorithms", "must not be empty; leave it out for all that fit")]
        if self.shared_secret is None:
            if SYMMETRIC & set(algorithms):
                return [Problem("algorithms", "must not have HS256, HS384 or HS512 without sharedSecret")]
        else:
            size = len(self.shared_secret.encode("utf-8", "replace"))
            for name in algorithms:
                if size < (least := SECRET_BYTES.get(name, 0)):
                    return [Problem("sharedSecret", f"must have at least {least} bytes for {name} (RFC 7518 3.2)")]
        fitting = {name for key in (self.keys.keys if self.keys else ()) for name in key.algorithms}
        if self.keys is not None and not fitting & set(algorithms):
            return [Problem("algorithms", f"must have one that fits a key: {', '.join(sorted(fitting))}")]
        return []


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and not any("\ud800" <= letter <= "\udfff" for letter in name)


def _is_right(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    right = parts.scheme in ("https", "http") and bool(parts.hostname) and port != 0 and len(url) <= _LONGEST_URL
    return right and "@" not in parts.netloc and url.isascii() and url.isprintable() and not set(url) & set(' \\"<>#')
