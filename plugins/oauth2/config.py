"""What the secret of an `oauth2` credential holds, and what it may be.

Belongs here: the fields and their rules. Does not: any request.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from rrgate.api import ConfigError, Problem, documented, secret

CODE: Final = "authorization_code"
CLIENT: Final = "client_credentials"
REFRESH: Final = "refresh_token"

_OURS: Final = frozenset(
    {
        "grant_type",
        "client_id",
        "client_secret",
        "refresh_token",
        "code",
        "code_verifier",
        "redirect_uri",
        "response_type",
        "state",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "audience",
    }
)
"""Parameters that are written from other fields, or made afresh each time."""


@frozen
class OAuth2Config:
    """See docs/oauth2.md. Which fields there must be depends on `grant_type`."""

    grant_type: Literal["client_credentials", "refresh_token", "authorization_code"] = documented(
        "How tokens are got."
    )
    token_url: str = documented("The token endpoint.")
    client_id: str = documented("Who we are there.")
    client_secret: str | None = secret("And its secret; null for a public client.", default=None)
    refresh_token: str | None = secret("`refresh_token`: the first one.", default=None)
    authorization_url: str | None = documented(
        "`authorization_code`: where users are sent to authorize it.", default=None
    )
    issuer: str | None = documented(
        "`authorization_code`: what the provider calls itself, and then must (RFC 9207).", default=None
    )
    scope: str | None = documented("What is asked for, with spaces between.", default=None)
    audience: str | None = documented("For which API, where the provider wants to know.", default=None)
    pkce: bool = documented("`authorization_code`: whether with PKCE (RFC 7636).", default=True)
    client_authentication: Literal["basic", "post"] = documented(
        "Whether id and secret are sent in a header or in the body.", default="basic"
    )
    extra_params: dict[str, str] = secret("Further parameters of token requests.", factory=dict)
    authorization_params: dict[str, str] = documented(
        "`authorization_code`: further parameters with which users are sent to the provider.", factory=dict
    )

    def __attrs_post_init__(self) -> None:
        problems = [*self._wrong_urls(), *self._wrong_texts(), *self._wrong_for_its_grant()]
        if problems:
            raise ConfigError(*problems)

    def _wrong_urls(self) -> list[Problem]:
        problems = []
        token = _split(self.token_url)
        if token is None:
            problems.append(Problem("tokenUrl", _URL))
        if self.authorization_url is not None:
            there = _split(self.authorization_url)
            if there is None:
                problems.append(Problem("authorizationUrl", _URL))
            elif there.scheme == "http" and (token is None or there[0] != token[0] or there.hostname != token.hostname):
                problems.append(Problem("authorizationUrl", "must be https, unless tokenUrl is http on the same host"))
        return problems

    def _wrong_texts(self) -> list[Problem]:
        problems = []
        for name, text in (
            ("clientId", self.client_id),
            ("clientSecret", self.client_secret),
            ("refreshToken", self.refresh_token),
            ("issuer", self.issuer),
            ("scope", self.scope),
            ("audience", self.audience),
        ):
            if text is not None and not _sendable(text):
                problems.append(Problem(name, "must have 1 to 8192 characters, and no control characters"))
        for where, given in (("extraParams", self.extra_params), ("authorizationParams", self.authorization_params)):
            for place, (name, value) in enumerate(given.items()):
                if name in _OURS:
                    problems.append(Problem(f"{where}.{name}", "is written by the gateway itself and cannot be set"))
                elif not _sendable(name) or (value and not _sendable(value)):
                    # By its place: what is no name may be a secret in the wrong column.
                    problems.append(Problem(where, f"has a control character, or no name, at place {place}"))
        return problems

    def _wrong_for_its_grant(self) -> list[Problem]:
        problems = []
        for name, given, grant, required in (
            ("refreshToken", self.refresh_token, REFRESH, True),
            ("authorizationUrl", self.authorization_url, CODE, True),
            ("issuer", self.issuer, CODE, False),
            ("authorizationParams", self.authorization_params or None, CODE, False),
        ):
            if given is not None and self.grant_type != grant:
                problems.append(Problem(name, f"is for grantType {grant}"))
            elif given is None and required and self.grant_type == grant:
                problems.append(Problem(name, "is required for this grantType"))
        if self.client_secret is None and self.grant_type == CLIENT:
            problems.append(Problem("clientSecret", "is required for this grantType"))
        if self.client_secret is None and self.grant_type == CODE and not self.pkce:
            problems.append(Problem("pkce", "must be true for a client without clientSecret"))
        return problems


_URL: Final = (
    "must be an absolute https URL, or http in a network that the operator has opened, without user and fragment"
)


def _split(url: str) -> SplitResult | None:
    """The parts of `url`, or None if it is none that may be used (RFC 6749 3.1, 3.2)."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    right = right and "@" not in parts.netloc and "#" not in url and url.isascii() and url.isprintable()
    return parts if right and not set(url) & set(' \\"<>') else None


def _sendable(text: str) -> bool:
    return 0 < len(text) <= 8192 and not any(
        letter < " " or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in text
    )
