"""/users/{userId}/tokens: by what a user is known, each shown once.

Belongs here: making and ending them. Does not: knowing somebody by one (authentication.py), tokens by hand (cli/).
"""

from __future__ import annotations

from typing import Any, Final

from rrgate.api import ConfigError, Problem
from rrgate.core.answers import Answer, conflict, deleted, listed, missing, shown
from rrgate.core.checking import gathered, refuse_if
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, page
from rrgate.core.routes import Call, Route
from rrgate.ids import new_id
from rrgate.model import Token, User
from rrgate.model.documents import Extra, publish, read_new
from rrgate.model.user import new_token

MOST_TOKENS: Final = 100
"""Tokens of one user."""

SHOWN_ONCE: Final = "userToken"

EXTRAS: Final = (
    Extra(SHOWN_ONCE, "a string", help="The token itself. In the answer to POST alone, and kept nowhere.", once=True),
)


def token_for(house: CoreHouse, user: User, values: dict[str, Any]) -> tuple[Token, str]:
    """A new token of `user`, and its text."""
    text = new_token()
    token_hash = house.store.secrets.token_hash(text)
    return Token(id=new_id(), user_id=user.id, token_hash=token_hash, created_at=house.now(), **values), text


def tokens_of(house: CoreHouse, user: User) -> list[Token]:
    """Those that are there, whether they still work or not."""
    return [each for each in house.directory.token_by_hash.values() if each.user_id == user.id]


async def list_tokens(call: Call) -> Answer:
    tokens, cursor = page(tokens_of(call.house, call.user), call.query)
    return listed("tokens", map(publish, tokens), cursor)


async def create_token(call: Call) -> Answer:
    house = call.house
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    confined = call.document.get("tokenClientId")
    with gathered(problems):
        values = read_new(Token, call.document)
    with gathered(problems):
        _check_client(call, confined)
    if values.get("expires_at") is not None and values["expires_at"] <= house.now():
        problems.append(Problem("tokenExpiresAt", "must lie ahead"))
    refuse_if(problems)
    gone = _making_room(house, tokens_of(house, call.user))
    token, text = token_for(house, call.user, values)
    await call.save(token, gone=gone)
    return shown("tokens", publish(token, **{SHOWN_ONCE: text}))


def _making_room(house: CoreHouse, tokens: list[Token]) -> list[Token]:
    """Which of a user's tokens goes so that he can have another: the first that has expired, if he has as many as he
    can have. Raises Refused with 409 where none has."""
    if len(tokens) < MOST_TOKENS:
        return []
    over = [each for each in tokens if each.expires_at is not None and each.expires_at <= house.now()]
    if not over:
        raise conflict("tokens", f"you have {MOST_TOKENS} tokens, which is the most that you can have")
    return [min(over, key=lambda each: (each.expires_at or 0, each.id))]


def _check_client(call: Call, client_id: object) -> None:
    """Raises ConfigError, the same for a client that is not there and for one of other people."""
    if isinstance(client_id, str) and (call.user.id, client_id) not in call.house.directory.members:
        raise ConfigError(Problem("tokenClientId", "names no client of yours"))


async def delete_token(call: Call) -> Answer:
    for token in tokens_of(call.house, call.user):
        if token.id == call.ids["tokenId"]:
            await call.delete(token)
            return deleted("Token")
    raise missing()


ROUTES = (
    Route(
        method="GET",
        template="/users/{userId}/tokens",
        handler=list_tokens,
        parameters=PAGING,
        help="Your tokens: what for and until when, never the tokens themselves.",
    ),
    Route(
        method="POST",
        template="/users/{userId}/tokens",
        handler=create_token,
        noun=Token,
        help=f"Make a token, which is shown this once; you can have {MOST_TOKENS}. One that has expired makes room.",
    ),
    Route(
        method="DELETE",
        template="/users/{userId}/tokens/{tokenId}",
        handler=delete_token,
        help="End a token at once, also the one that you show.",
    ),
)
