"""Who asks: the user token in `Authorization`, and what the table in access.py lets him do.

Belongs here: 401, 403, and the 404 of other people's clients. Does not: the table, making tokens (tokens.py).
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from rrgate.core.access import Needs, Or, Role, Who, role_of
from rrgate.core.answers import Refused, missing
from rrgate.core.house import CoreHouse
from rrgate.model import Client, Token, User

LONGEST_TOKEN: Final = 512


@frozen
class Admitted:
    """Who asks, by which token, and as what in the client that the path names; None where nobody has to say.

    An operator's `role` is None in a client that he is no member of.
    """

    user: User | None = None
    token: Token | None = None
    client: Client | None = None
    role: Role | None = None


def admit(
    house: CoreHouse,
    needed: Needs,
    ids: dict[str, str],
    authorization: list[bytes],
    address: str,
    *,
    again: bool = False,
) -> Admitted:
    """Whoever asks from `address`, if he may do what needs `needed`. Raises Refused: 401, 403, 404, 429.

    Nothing is looked up that the path names besides the client before it is known that he may. `again`: it has counted
    towards his limit already.
    """
    if needed is Who.ANYBODY:
        return Admitted()
    user, token = identify(house, authorization, address)
    if not again:
        house.user_limit.take(user.id)
    if isinstance(needed, Role):
        client, role = enter(house, user, token, ids["clientId"], needed)
        return Admitted(user, token, client, role)
    if isinstance(needed, Or):
        return _admit_or(house, needed, user, token, ids)
    if needed in (Who.SELF, Who.WHOLE_SELF) and ids["userId"] != user.id:
        raise missing()
    if needed in (Who.ANY_USER, Who.SELF):
        return Admitted(user, token)
    if token.narrowed:
        raise Refused(403, "This needs a token that is confined to no client and narrowed to no role.")
    if needed in (Who.OPERATOR, Who.CREATOR) and not (
        user.operator or (needed is Who.CREATOR and house.open_clients)
    ):
        raise Refused(403, "Only an operator may do this.")
    return Admitted(user, token)


def _admit_or(house: CoreHouse, needed: Or, user: User, token: Token, ids: dict[str, str]) -> Admitted:
    client_id = ids["clientId"]
    client, role = house.directory.clients.get(client_id), role_in(house, user, token, client_id)
    if client is not None and acts_as_operator(user, token) and needed.who is Who.OPERATOR:
        return Admitted(user, token, client, role)
    himself = needed.who is Who.WHOLE_SELF and ids["userId"] == user.id and not token.narrowed
    client, role = enter(house, user, token, client_id, Role.USER if himself else needed.role)
    return Admitted(user, token, client, role)


def identify(house: CoreHouse, authorization: list[bytes], address: str) -> tuple[User, Token]:
    """The user whose token stands in `Authorization`, raw or behind `Bearer `, and that token.

    Looked up by a keyed hash, so that no comparison tells how near a guess was. Raises Refused: with 401, the same for
    every reason, or with 429 where too many wrong ones came from `address`.
    """
    shown = _shown(authorization)
    token_hash = b"" if shown is None else house.store.secrets.token_hash(shown)
    if authorization:
        house.attempts.check(address, token_hash)
    token = house.directory.token_by_hash.get(token_hash) if token_hash else None
    if token is not None and (token.expires_at is None or house.now() < token.expires_at):
        user = house.directory.users.get(token.user_id)
        if user is not None:
            house.attempts.good(address, token_hash)
            return user, token
    if authorization:
        house.attempts.wrong(address)
    raise Refused(
        401,
        "A valid user token is needed in the Authorization header.",
        headers=(("WWW-Authenticate", 'Bearer realm="rrgate core"'),),
    )


def is_known(house: CoreHouse, authorization: list[bytes], address: str) -> bool:
    """Whether `identify` knows who asks. A wrong token counts: nobody may try more of them by asking in this way."""
    try:
        identify(house, authorization, address)
    except Refused:
        return False
    return True


def _shown(authorization: list[bytes]) -> str | None:
    """The token as it was shown, if what was shown has the form of one."""
    if len(authorization) != 1:
        return None
    value = authorization[0].strip()
    if value[:7].lower() == b"bearer ":
        value = value[7:].strip()
    return value.decode("ascii") if 0 < len(value) <= LONGEST_TOKEN and value.isascii() else None


def acts_as_operator(user: User, token: Token) -> bool:
    """Whether `user` is an operator, and `token` does not make him less."""
    return user.operator and not token.narrowed


def role_in(house: CoreHouse, user: User, token: Token, client_id: str) -> Role | None:
    """The greatest role of `user` in a client, as far as `token` goes; None if he is no member, or it does not."""
    if token.client_id not in (None, client_id):
        return None
    role = role_of(house.directory.members.get((user.id, client_id), ()))
    if role is None or token.role is None:
        return role
    # A role that is unknown, of a newer version say, is none.
    narrowed = role_of((token.role,))
    return None if narrowed is None else min(role, narrowed)


def enter(house: CoreHouse, user: User, token: Token, client_id: str, least: Role) -> tuple[Client, Role]:
    """The client, if `user` has by `token` at least the role `least` in it.

    Raises Refused: 404 if it does not exist or he is no member, 403 if his role is too small.
    """
    client = house.directory.clients.get(client_id)
    role = role_in(house, user, token, client_id)
    if client is None or role is None:
        raise missing()
    if role < least:
        raise Refused(403, f"This needs the role {least.name.lower()} in this client; yours is {role.name.lower()}.")
    return client, role
