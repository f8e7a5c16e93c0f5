"""Users whom an invite has made and who are members of no client any more: after a while they are removed.

Belongs here: who these are, and removing them. Does not: when it is looked (upkeep.py), members (members.py).

Without that whoever may invite could make users without end. Who was made by hand (cli/user.py) stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from attrs import evolve

from rrgate.careful_log import CarefulLogger
from rrgate.core.changes import Actor, deleting
from rrgate.core.house import CoreHouse
from rrgate.model import Token, User

DAYS: Final = 30
"""For which he can become a member again, and is who he was."""
MOST_DEPARTED: Final = 1000
"""Of those that came to one client; beyond, those go at once that have been gone for longest."""
AT_ONCE: Final = 100
"""Users of one commit, so that no change waits for long."""

log = CarefulLogger("rrgate.core")

_DEPARTED: Final = Actor("", "", "clientMembers")


async def remove_departed(house: CoreHouse) -> None:
    """Write down who has departed, or is back, and remove those whose time is over. Raises nothing: what could not be
    done is tried again."""
    try:
        await _in_pieces(house, _marked_wrongly(house, house.directory.users.values()), _mark)
        await _in_pieces(house, _over(house), _remove)
    except Exception:  # noqa: BLE001 - nobody who may still be there has lost anything
        log.failure("users who are members of no client any more could not be removed")


async def _in_pieces(
    house: CoreHouse, users: Sequence[User], change: Callable[[CoreHouse, Sequence[User]], Awaitable[None]]
) -> None:
    for place in range(0, len(users), AT_ONCE):
        await house.writing.acquire()
        try:
            # Those that nobody has changed while this waited.
            known = house.directory.users
            await change(house, [each for each in users[place : place + AT_ONCE] if known.get(each.id) is each])
        finally:
            house.writing.release()


def _departed(house: CoreHouse) -> Callable[[User], bool]:
    """Whether a user has departed, as everything stands now."""
    members = {user_id for user_id, _ in house.directory.members}
    return lambda user: bool(user.came_to) and not user.operator and user.id not in members


def _marked_wrongly(house: CoreHouse, users: Iterable[User]) -> list[User]:
    departed = _departed(house)
    return [each for each in users if departed(each) is (each.departed_at is None)]


async def _mark(house: CoreHouse, users: Sequence[User]) -> None:
    now = house.now()
    marked = [
        evolve(each, departed_at=now if each.departed_at is None else None) for each in _marked_wrongly(house, users)
    ]
    if marked:
        await house.save(*marked, audit=())  # nothing that anybody is shown has changed


def _over(house: CoreHouse) -> list[User]:
    """Those whose time is over, or for whom there is no more room."""
    since = house.now() - DAYS * 86_400_000
    came: defaultdict[str, list[tuple[int, int, str, User]]] = defaultdict(list)
    for user in filter(_departed(house), house.directory.users.values()):
        if user.departed_at is not None:
            client = user.came_to if user.came_to in house.directory.clients else ""
            came[client].append((user.departed_at, user.created_at, user.id, user))
    over = []
    for those in came.values():
        room = max(0, len(those) - MOST_DEPARTED)
        those.sort(key=lambda each: each[:3])
        over += [user for place, (at, _, _, user) in enumerate(those) if place < room or at <= since]
    return over


async def _remove(house: CoreHouse, users: Sequence[User]) -> None:
    gone = list(filter(_departed(house), users))
    tokens: dict[str, list[Token]] = {user.id: [] for user in gone}
    for token in house.directory.token_by_hash.values():
        if token.user_id in tokens:
            tokens[token.user_id].append(token)
    if gone:
        entries = [deleting(house, _DEPARTED, user, tokens[user.id]) for user in gone]
        await house.delete(*(token for those in tokens.values() for token in those), *gone, audit=entries)
    for user in gone:
        house.user_limit.forget(user.id)
