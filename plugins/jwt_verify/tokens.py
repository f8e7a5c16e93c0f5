"""A token as it is shown: its form and its header, before anything in it is believed (RFC 7515 5.2, RFC 7519 7.2).

Belongs here: what is refused whatever key the token is signed with. Does not: signatures (keys.py), claims (claims.py).
"""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from rrgate_plugins.jwt_verify.strict import NotStrict, from_base64url, object_from

LONGEST_TOKEN: Final = 16 * 1024
"""Bytes; a longer token is not looked at."""

_TYPES: Final = frozenset({"jwt", "at+jwt"})
"""Tokens of other kinds are signed with the same keys, for other purposes (RFC 8725 2.8, 3.11)."""


class TokenRefused(Exception):
    """Why a token is not good. The text is a fixed one, for the operator's log, and quotes nothing."""

    holds_no_values = True


@frozen
class Token:
    """One whose form is right. Nothing in it is verified."""

    algorithm: str
    key_id: str | None = field(repr=False)
    signed: bytes = field(repr=False)
    """What the signature is of (RFC 7515 5.1)."""
    signature: bytes = field(repr=False)

    def claims(self) -> dict[str, Any]:
        """The claims, to be read once the signature is verified. Raises TokenRefused if they are no JSON object."""
        try:
            return object_from(from_base64url(self.signed.partition(b".")[2]))
        except NotStrict as error:
            raise TokenRefused(f"the token's payload is not right: {error}") from None


def read_token(raw: bytes) -> Token:
    """The token in `raw`, in its compact form; of `LONGEST_TOKEN` bytes at most. Raises TokenRefused.

    `jwk`, `jku`, `x5u`, `x5c` and all other members that tell of keys are ignored: what a token says of the key that
    it is to be verified with counts for nothing (RFC 8725 3.10, RFC 7515 10.).
    """
    parts = raw.split(b".")
    if len(parts) != 3:
        raise TokenRefused("the token has not the three parts of a signed one")
    head, payload, signature = parts
    try:
        header = object_from(from_base64url(head))
        signature_bytes = from_base64url(signature)
    except NotStrict as error:
        raise TokenRefused(f"the token is not right: {error}") from None
    algorithm, key_id, type_ = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str):
        raise TokenRefused("the token has no `alg`")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenRefused("the token's `kid` is no string")
    if "crit" in header:
        # No extension is known here, and an empty list is not allowed either (RFC 7515 4.1.11).
        raise TokenRefused("the token asks for extensions (`crit`)")
    if "b64" in header:
        # Ignoring it would take a text that somebody had signed as it is for claims (RFC 7797 6).
        raise TokenRefused("the token's payload is said not to be base64url (`b64`)")
    if not isinstance(type_, str) or type_.lower().removeprefix("application/") not in _TYPES:
        raise TokenRefused("the token is of another kind (`typ`)")
    return Token(algorithm, key_id, head + b"." + payload, signature_bytes)
