"""/users: who asks, and what he says of himself.

Belongs here: a user's own fields. Does not: his tokens (tokens.py), making users (invites.py), operators (cli/user.py).
"""

from __future__ import annotations

from rrgate.core.answers import Answer, shown
from rrgate.core.changes import changed
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.model import User
from rrgate.model.documents import publish, read_changes


async def show_user(call: Call) -> Answer:
    return shown("users", publish(call.user))


async def update_user(call: Call) -> Answer:
    user = call.user
    user = changed(call.house, user, read_changes(user, publish(user), call.document))
    await call.save(user)
    return shown("users", publish(user))


ROUTES = (
    Route(
        method="GET",
        template="/users/me",
        handler=show_user,
        success=Success(name="users", of=User),
        help="You.",
    ),
    Route(
        method="GET", template="/users/{userId}", handler=show_user, help="You, by your id; other users answer 404."
    ),
    Route(
        method="PUT",
        template="/users/{userId}",
        handler=update_user,
        noun=User,
        help="Change what you say of yourself.",
    ),
)
