"""The authorization code grant as a browser sees it: the request (RFC 6749 4.1.1, 7636), the response (4.1.2, 9207).

Belongs here: the two messages. Does not: state and cookies, which the gateway checks; changing the code for a token
(endpoint.py).
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from rrgate.api import AuthorizationRefused, AuthorizationRequest
from rrgate_plugins.oauth2.config import OAuth2Config

_LONGEST_CODE: Final = 8192
_KNOWN_ERRORS: Final = frozenset(
    {
        "invalid_request",
        "unauthorized_client",
        "access_denied",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
    }
)


def request_for(config: OAuth2Config, redirect_uri: str, state: str) -> AuthorizationRequest:
    """Where to send a browser; what is kept is the verifier of PKCE, if it is used."""
    assert config.authorization_url is not None
    parameters = {
        **config.authorization_params,
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
    }
    asked_for = (("scope", config.scope), ("audience", config.audience))
    parameters |= {name: value for name, value in asked_for if value is not None}
    verifier = ""
    if config.pkce:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        parameters["code_challenge"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
        parameters["code_challenge_method"] = "S256"
    mark = "&" if "?" in config.authorization_url else "?"
    return AuthorizationRequest(f"{config.authorization_url}{mark}{urlencode(parameters)}", verifier)


def code_in(config: OAuth2Config, parameters: Mapping[str, str]) -> str:
    """The code that a browser brought back. Raises AuthorizationRefused."""
    _check_issuer(config, parameters.get("iss"))
    error = parameters.get("error")
    if error is not None:
        known = error if error in _KNOWN_ERRORS else "an error"
        raise AuthorizationRefused(f"the provider answered: {known}")
    code = parameters.get("code", "")
    if not 0 < len(code) <= _LONGEST_CODE:
        raise AuthorizationRefused("the provider's answer has no code")
    return code


def _check_issuer(config: OAuth2Config, given: str | None) -> None:
    """RFC 9207 2.4: an answer of another provider's than the one that was asked is none."""
    if config.issuer is not None:
        if given is None:
            raise AuthorizationRefused("the provider's answer has no iss, and the credential names its issuer")
        fits = given == config.issuer
    else:
        fits = given is None or _origin(given) == _origin(config.authorization_url or "")
    if not fits:
        raise AuthorizationRefused("the answer is of another issuer than the one that was asked")


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None
