"""Who asks: the user token in `Authorization`, and the caller's role in the client that a path names.

Belongs here: 401, 403, and the 404 of other people's clients. Does not: making tokens.
"""

from __future__ import annotations

from rrgate.core.answers import Refused, missing
from rrgate.core.house import CoreHouse
from rrgate.core.routes import Role
from rrgate.model import Client, Token, User

LONGEST_TOKEN = 512


def identify(house: CoreHouse, authorization: list[bytes]) -> tuple[User, Token]:
    """The user whose token stands in `Authorization`, raw or behind `Bearer `, and that token.

    Looked up by a keyed hash, so that no comparison tells how near a guess was. Raises Refused with 401, the same
    for every reason.
    """
    if len(authorization) == 1:
        value = authorization[0].strip()
        if value[:7].lower() == b"bearer ":
            value = value[7:].strip()
        if 0 < len(value) <= LONGEST_TOKEN and value.isascii():
            token = house.directory.token_by_hash.get(house.store.secrets.token_hash(value.decode("ascii")))
            if token is not None and (token.expires_at is None or house.now() < token.expires_at):
                user = house.directory.users.get(token.user_id)
                if user is not None:
                    return user, token
    raise Refused(
        401,
        "A valid user token is needed in the Authorization header.",
        headers=(("WWW-Authenticate", 'Bearer realm="rrgate core"'),),
    )


def role_in(house: CoreHouse, user: User, client_id: str) -> Role | None:
    """The greatest role of `user` in a client, or None if he is no member."""
    names = house.directory.members.get((user.id, client_id), ())
    roles = [Role[name.upper()] for name in names if name.upper() in Role.__members__]
    return max(roles, default=None)


def enter(house: CoreHouse, user: User, client_id: str, least: Role) -> tuple[Client, Role]:
    """The client, if `user` has at least the role `least` in it.

    Raises Refused: 404 if it does not exist or he is no member, 403 if his role is too small.
    """
    client = house.directory.clients.get(client_id)
    role = role_in(house, user, client_id)
    if client is None or role is None:
        raise missing()
    if role < least:
        raise Refused(403, f"This needs the role {least.name.lower()} in this client; yours is {role.name.lower()}.")
    return client, role
