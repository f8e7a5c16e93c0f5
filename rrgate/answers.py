"""The gateway's own answers: statuses, codes and texts (gateway-api.md 6).

Belongs here: what they say. Does not: when they are given (pipeline.py), the header fields on them (answer_headers.py).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from rrgate.body import BodyBroken, BodyTooLarge, NoRoom
from rrgate.messages import Reply
from rrgate.upstream import TargetTimeout

GRANTED: Final = "proxy-access-granted"
DENIED: Final = "proxy-access-denied"
BAD_REQUEST: Final = "bad-request"
GRANTED_MESSAGE: Final = "Proxy authentication successful"
INVALID_CREDENTIAL: Final = "Invalid proxy credential"

CLOSING: Final = frozenset({400, 408, 413, 414, 417, 421, 431, 501, 505})
"""After these the connection closes."""

CHALLENGES: Final = (
    (b"WWW-Authenticate", b'Bearer realm="rrgate"'),
    (b"WWW-Authenticate", b'Basic realm="rrgate", charset="UTF-8"'),
)
"""Of every 401, whatever the proxy's credential is: which one it wants would tell a deleted one from a wrong one. Two
fields, since many clients read only one challenge of each (RFC 9110 11.6.1)."""

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus} | {
    # Python has other names for these before 3.13; the first is the published one.
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
_ALLOWED: Final = ((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
_SOON: Final = ((b"Retry-After", b"1"),)


def reason_phrase(status: int) -> str:
    """The reason phrase of a status (RFC 9110 15), the same on every Python."""
    return _REASONS.get(status, "Error")


def refusal(status: int, message: str, *, close: bool = False) -> Reply:
    """A request that never became one. 405 says what is served instead, as it must (RFC 9110 15.5.6)."""
    return Reply(status, message, BAD_REQUEST, headers=_ALLOWED if status == 405 else (), close=close)


def denied_401(message: str = INVALID_CREDENTIAL) -> Reply:
    """Whatever is wrong with the caller's credential, it looks like this."""
    return Reply(401, message, DENIED, headers=CHALLENGES)


def unavailable(message: str) -> Reply:
    """503: come back in a second."""
    return Reply(503, message, "unavailable", headers=_SOON)


def overloaded(message: str) -> Reply:
    """503, because there is too much to do: come back in a second."""
    return Reply(503, message, "overloaded", headers=_SOON)


def not_sent(error: Exception) -> Reply:
    """What a caller is told whose request could not be taken whole (BodyTooLarge, BodyBroken) or sent (TargetError)."""
    if isinstance(error, BodyTooLarge):
        message = f"The request's body is over the limit of {error.limit} bytes"
        return Reply(413, message, "request-too-large", close=True)
    if isinstance(error, NoRoom):
        return overloaded(str(error))
    if isinstance(error, BodyBroken):
        return Reply(error.status or 400, f"The request broke off: {error}", BAD_REQUEST, close=True)
    if isinstance(error, TargetTimeout):
        return Reply(504, f"Gateway timeout: {error}", "target-timeout")
    return Reply(502, f"Bad gateway: {error}", "target-unreachable")
