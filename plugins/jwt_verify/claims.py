"""What a verified token must say for its bearer to be let in (RFC 7519 4.1).

Belongs here: the rules of claims. Does not: reading the token (tokens.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from attrs import frozen

from rrgate_plugins.jwt_verify.tokens import TokenRefused


@frozen
class ClaimRules:
    """`audiences`: those that we are; none of them: tokens for anybody in particular are refused; None: not looked at.

    `issuers`: whose tokens are taken; None: not looked at. `tolerance`: seconds by which clocks may differ.
    """

    audiences: frozenset[str] | None
    issuers: frozenset[str] | None
    tolerance: float

    def judge(self, claims: Mapping[str, Any], now: float) -> float:
        """Until when the claims are good, without the tolerance, in seconds since the epoch. Raises TokenRefused."""
        expires = _date(claims, "exp")
        if expires is None:
            raise TokenRefused("the token has no `exp`")
        # The tolerance is taken from our side: a date may be a number too large to be added to.
        if now - self.tolerance >= expires:
            raise TokenRefused("the token has expired (`exp`)")
        begins, issued = _date(claims, "nbf"), _date(claims, "iat")
        if begins is not None and begins > now + self.tolerance:
            raise TokenRefused("the token is not valid yet (`nbf`)")
        if issued is not None and issued > now + self.tolerance:
            raise TokenRefused("the token is from the future (`iat`)")
        issuer, subject = _text(claims, "iss"), _text(claims, "sub")
        if self.issuers is not None and issuer not in self.issuers:
            raise TokenRefused("the token is not of this issuer (`iss`)")
        if subject == "":
            raise TokenRefused("the token is of nobody (`sub`)")
        self._judge_audience(claims)
        return expires

    def _judge_audience(self, claims: Mapping[str, Any]) -> None:
        named = claims.get("aud")
        if "aud" in claims:
            named = [named] if isinstance(named, str) else named
            if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
                raise TokenRefused("the token's `aud` is neither a string nor an array of strings")
        if self.audiences is None or (named is None and not self.audiences):
            return
        if named is None or self.audiences.isdisjoint(named):
            raise TokenRefused("the token is for somebody else (`aud`)")


def _date(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 2), whole or not."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is int or (type(value) is float and isfinite(value)):
        return value
    raise TokenRefused(f"the token's `{name}` is no number of seconds")


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """A StringOrURI (RFC 7519 2)."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, str):
        return value
    raise TokenRefused(f"the token's `{name}` is no string")
