"""The pages that a person sees who authorizes a credential: fixed, whatever was asked for and whoever answered.

Belongs here: their words and headers. Does not: which one is shown (authorize.py).
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from rrgate.core.answers import Answer
from rrgate.core.under_way import cookie_name


@frozen
class Words:
    """A page's status, heading and sentence. No markup, and nothing from outside."""

    status: int
    heading: str
    sentence: str


AUTHORIZED: Final = Words(200, "Authorized", "The gateway can use this account from now on. You can close this page.")
NOT_KNOWN: Final = Words(
    400,
    "This link does not work",
    "It was used already, is too old, or was opened in another browser. Ask for a new one.",
)
NOT_KNOWN_ANY_MORE: Final = Words(
    400, "Nothing was changed", "What was to be authorized has changed meanwhile, or is gone. Ask for a new link."
)
REFUSED: Final = Words(
    400, "Not authorized", "The provider did not grant it, or its answer does not fit. The gateway's log says why."
)
UNFINISHED: Final = Words(
    400, "This cannot be authorized", "The credential's configuration does not work. The gateway's log says why."
)

_HEADERS: Final[tuple[tuple[str, str], ...]] = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
)


def page(words: Words, *, forget: str = "") -> Answer:
    """The page. `forget`: the state whose cookie has done its work."""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{words.heading}</title>'
        f"<h1>{words.heading}</h1><p>{words.sentence}</p></html>"
    )
    headers = _HEADERS
    if forget:
        headers += (_cookie(cookie_name(forget), "", 0),)
    return Answer(words.status, {}, headers, text.encode())


def redirect(url: str, cookie: tuple[str, str], seconds: int) -> Answer:
    """To the provider, with the cookie by which this browser is known again for so many `seconds`."""
    headers = (("Location", url), ("Referrer-Policy", "no-referrer"), _cookie(*cookie, seconds))
    return Answer(303, {"message": "Go to the provider."}, headers)


def _cookie(name: str, value: str, seconds: int) -> tuple[str, str]:
    # Lax: it is sent when the provider's page leads here, and not with what other pages load from here.
    return "Set-Cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"
