"""Invites: codes by which somebody becomes a member of a client, with an account or without one yet.

Belongs here: making, accepting and declining them, and their ending by time. Does not: what a member may (access.py).
"""

from __future__ import annotations

import hmac
from typing import Any, Final

from attrs import evolve, frozen

from rrgate.api import Problem
from rrgate.careful_log import CarefulLogger
from rrgate.core.access import check_grant, may_grant, role_of
from rrgate.core.answers import Answer, conflict, deleted, listed, missing, shown
from rrgate.core.changes import Actor, deleting
from rrgate.core.checking import gathered, refuse_if
from rrgate.core.house import CoreHouse
from rrgate.core.members import MOST_MEMBERS
from rrgate.core.members import document_of as member_document
from rrgate.core.queries import PAGING, page
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Joined, Message, Success
from rrgate.core.tokens import SHOWN_ONCE, token_for
from rrgate.ids import new_id
from rrgate.model import Invite, Member, User
from rrgate.model.documents import Extra, publish, read_new
from rrgate.model.invite import DAYS, MOST_TRIES, new_code, selector_of
from rrgate.model.user import roles

MOST_INVITES: Final = 200
"""Open invites of one client."""
LONGEST_CODE: Final = 200
CODE: Final = "inviteCode"

_CODE: Final = "i-5TQx0Gzq2Jf1.vOq1m8lq5d6y3Yl7S0v1Kw"

EXTRAS: Final = (
    Extra(
        CODE,
        "a string",
        help="What makes one a member, once. In the answer to POST alone, and kept nowhere.",
        once=True,
        example=_CODE,
    ),
)
JOINING: Final = (
    Extra(CODE, "a string", help="The code of an invite.", written=True, required=True, example=_CODE),
)

log = CarefulLogger("rrgate.core")

_ENDED: Final = Actor("", "", "inviteExpiresAt")
_USED_UP: Final = Actor("", "", "inviteTries")


def invites_of(house: CoreHouse, client_id: str) -> list[Invite]:
    """Those that can still be accepted."""
    return [each for each in house.directory.invites.values() if each.client_id == client_id and _lasts(house, each)]


async def list_invites(call: Call) -> Answer:
    invites, cursor = page(invites_of(call.house, call.client.id), call.query)
    return listed("invites", map(publish, invites), cursor)


async def create_invite(call: Call) -> Answer:
    house, client = call.house, call.client
    values = read_new(Invite, call.document)
    assert call.role is not None
    check_grant(call.role, "inviteRoles", values["roles"])
    known = len(invites_of(house, client.id))
    if known >= MOST_INVITES:
        raise conflict("invites", f"this client has {MOST_INVITES} open invites, which is the most that it can have")
    if known + len(house.directory.members_of(client.id)) >= MOST_MEMBERS:
        told = f"this client has {MOST_MEMBERS} members and open invites"
        raise conflict("invites", f"{told}, which is the most that it can have together")
    code, now = new_code(), house.now()
    invite = Invite(
        id=new_id(),
        client_id=client.id,
        user_id=call.user.id,
        selector=selector_of(code),
        code_hash=house.store.secrets.token_hash(code),
        expires_at=now + DAYS * 86_400_000,
        created_at=now,
        updated_at=now,
        **values,
    )
    await call.save(invite)
    return shown("invites", publish(invite, **{CODE: code}))


async def delete_invite(call: Call) -> Answer:
    invite = call.house.directory.invites.get(call.ids["inviteId"])
    if invite is None or invite.client_id != call.client.id:
        raise missing()
    await call.delete(invite)
    return deleted("Invite")


async def accept(call: Call) -> Answer:
    code, _ = _read(call, joining=False)
    invite = await _shown(call, code)
    house, user = call.house, call.user
    present = house.directory.members.get((user.id, invite.client_id), ())
    member = Member(user_id=user.id, client_id=invite.client_id, roles=roles((*present, *invite.roles)))
    await call.save(member, gone=[invite])
    return shown("members", member_document(house, member))


async def decline(call: Call) -> Answer:
    code, _ = _read(call, joining=False)
    invite = await _shown(call, code)
    house = call.house
    await house.delete(invite, audit=[deleting(house, Actor("", "", call.via), invite, ())])
    return Answer(200, {"message": "Invite declined successfully"})


async def join(call: Call) -> Answer:
    """POST /users."""
    code, about = _read(call, joining=True)
    invite = await _shown(call, code)
    house, now = call.house, call.house.now()
    user = User(id=new_id(), created_at=now, updated_at=now, came_to=invite.client_id, **about)
    member = Member(user_id=user.id, client_id=invite.client_id, roles=invite.roles)
    token, text = token_for(house, user, {"name": "from an invite"})
    await call.save(user, token, member, gone=[invite], actor=Actor(user.id, token.id, call.via))
    answer = shown("users", publish(user))
    tokens = [publish(token, **{SHOWN_ONCE: text})]
    return evolve(
        answer, document={**answer.document, "tokens": tokens, "members": [member_document(house, member)]}
    )


def _read(call: Call, *, joining: bool) -> tuple[str, dict[str, Any]]:
    """The code, and what a new user says of himself. Raises Refused: 400, or 429 before anything is looked at."""
    call.house.attempts.check(call.address)
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    with gathered(problems):
        values = read_new(User if joining else Nothing, call.document, JOINING)
    code = call.document.get(CODE)
    if CODE in call.document and not (isinstance(code, str) and len(code) <= LONGEST_CODE):
        problems.append(Problem(CODE, "must be a string, as it was shown"))
    refuse_if(problems)
    return values.pop(CODE), values


@frozen
class Nothing:
    """What is said besides a code of whoever has an account."""


async def _shown(call: Call, code: str) -> Invite:
    """The invite that `code` proves. Raises Refused with 404, the same for every reason.

    A wrong code for an invite that is there counts against it, and every wrong one against the address.
    """
    house = call.house
    selector, code_hash = selector_of(code), house.store.secrets.token_hash(code)
    found = next((each for each in house.directory.invites.values() if each.selector == selector), None)
    if found is not None and _lasts(house, found):
        if not hmac.compare_digest(found.code_hash, code_hash):
            await _count(house, found)
        elif _still_granted(house, found):
            return found
    house.attempts.wrong(call.address)
    raise missing()


def _still_granted(house: CoreHouse, invite: Invite) -> bool:
    """Whether who invites may still do so: with his roles go the invites that he has made by them."""
    role = role_of(house.directory.members.get((invite.user_id, invite.client_id), ()))
    return role is not None and may_grant(role, invite.roles)


async def _count(house: CoreHouse, invite: Invite) -> None:
    invite = evolve(invite, tries=invite.tries + 1)
    if invite.tries >= MOST_TRIES:
        await house.delete(invite, audit=[deleting(house, _USED_UP, invite, ())])
    else:
        await house.save(invite, audit=[])


def _lasts(house: CoreHouse, invite: Invite) -> bool:
    return house.now() < invite.expires_at


async def end_invites(house: CoreHouse) -> None:
    """Remove every invite whose time is over. Raises nothing: what could not be removed is tried again."""
    for invite_id in [each.id for each in house.directory.invites.values() if not _lasts(house, each)]:
        await house.writing.acquire()
        try:
            invite = house.directory.invites.get(invite_id)
            if invite is not None and not _lasts(house, invite):
                await house.delete(invite, audit=[deleting(house, _ENDED, invite, ())])
        except Exception:  # noqa: BLE001 - nobody can accept it, whether it is removed or not
            log.failure("invite {id}, whose time is over, could not be removed", id=invite_id)
        finally:
            house.writing.release()


ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/invites",
        handler=list_invites,
        parameters=PAGING,
        help="The open invites of a client, without their codes.",
    ),
    Route(
        method="POST",
        template="/clients/{clientId}/invites",
        handler=create_invite,
        noun=Invite,
        help=f"Invite somebody; the code is shown this once. A client can have {MOST_INVITES} open invites, "
        f"and {MOST_MEMBERS} members with them.",
    ),
    Route(
        method="DELETE",
        template="/clients/{clientId}/invites/{inviteId}",
        handler=delete_invite,
        help="Take an invite back.",
    ),
    Route(
        method="POST",
        template="/invites/accept",
        handler=accept,
        noun=Nothing,
        extras=JOINING,
        success=Success(name="members", of=Member),
        statuses=(404,),
        help="Become a member by the code of an invite; roles that you have stay.",
    ),
    Route(
        method="POST",
        template="/invites/decline",
        handler=decline,
        noun=Nothing,
        extras=JOINING,
        success=Success(of=Message),
        statuses=(404, 429),
        help="End an invite by its code.",
    ),
    Route(
        method="POST",
        template="/users",
        handler=join,
        noun=User,
        extras=JOINING,
        success=Success(name="users", of=User, also=Joined),
        statuses=(404, 429),
        help="Become a user, and a member, by the code of an invite; the answer shows a token once.",
    ),
)
