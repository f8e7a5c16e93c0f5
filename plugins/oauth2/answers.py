"""What a token endpoint answers: a token (RFC 6749 5.1), an error (5.2), or something else; and what becomes of it.

Belongs here: reading an answer, and the words for what is wrong with one. Does not: asking (endpoint.py).
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from attrs import field, frozen

from rrgate.api import OutsideAnswer

LONGEST_TOKEN: Final = 16 * 1024
LONGEST_LIFE: Final = 365 * 86400.0
_LONGEST_WAIT: Final = 300.0

_KNOWN_ERRORS: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "server_error",
        "temporarily_unavailable",
    }
)
"""Those that may be repeated to people: what else a provider writes may be anything."""


@frozen
class Granted:
    """What was granted. `life`: seconds from when it was asked for; None if the provider did not say."""

    access_token: str = field(repr=False)
    life: float | None
    refresh_token: str | None = field(default=None, repr=False)


class NoToken(Exception):
    """There is no token to be had. Its text is fixed, but for the provider's status and an error code that is known.

    `grant_is_over`: only a person can help. `wait`: seconds that the provider asks to be left alone for.
    """

    holds_no_values = True

    def __init__(self, message: str, *, grant_is_over: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.grant_is_over = grant_is_over
        self.wait = wait


def read_answer(answer: OutsideAnswer) -> Granted:
    """What `answer` grants. Raises NoToken with what is wrong."""
    status = answer.status
    if 300 <= status < 400:
        raise NoToken("the token endpoint answered with a redirect, which is not followed")
    document = _object(answer.body)
    if document is None:
        if status != 200:
            raise NoToken(f"the token endpoint answered {status}", wait=wait_of(answer))
        raise NoToken("the token endpoint's answer is no JSON object")
    error = document.get("error")
    if status >= 500 or (status != 200 and not isinstance(error, str)) or status == 429:
        raise NoToken(f"the token endpoint answered {status}", wait=wait_of(answer))
    if isinstance(error, str):
        code = error if error in _KNOWN_ERRORS else "an error"
        raise NoToken(f"the token endpoint refused: {code}", grant_is_over=error == "invalid_grant")
    if status != 200:
        raise NoToken(f"the token endpoint answered {status}")
    return _granted(document)


def _granted(document: dict[str, Any]) -> Granted:
    token, kind, refresh = document.get("access_token"), document.get("token_type"), document.get("refresh_token")
    if not isinstance(token, str) or not is_token_text(token):
        raise NoToken("the token endpoint's answer has no access_token that could be sent")
    # RFC 6749 7.1: a type that is not understood must not be used. Some providers leave it out, and mean this one.
    if kind is not None and (not isinstance(kind, str) or kind.lower() != "bearer"):
        raise NoToken("the token endpoint gave a token of another type than bearer")
    if refresh is not None and (not isinstance(refresh, str) or not 0 < len(refresh) <= LONGEST_TOKEN):
        raise NoToken("the token endpoint's answer has a refresh_token that could not be kept")
    return Granted(token, life_of(document.get("expires_in")), refresh)


def is_token_text(token: str) -> bool:
    """Whether it can stand behind `Bearer ` in a header."""
    return 0 < len(token) <= LONGEST_TOKEN and all("!" <= letter <= "~" for letter in token)


def life_of(given: object) -> float | None:
    """Seconds. Providers send numbers as texts, and 0 for tokens that do not expire: then nothing is known."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        seconds = float(given)
    except (ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_LIFE) if math.isfinite(seconds) and seconds > 0 else None


def wait_of(answer: OutsideAnswer) -> float:
    """For how many seconds its server asks to be left alone."""
    told = answer.header(b"Retry-After") or b""
    return min(float(told), _LONGEST_WAIT) if told.isdigit() and len(told) < 10 else 0.0


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
