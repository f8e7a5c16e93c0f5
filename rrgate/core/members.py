"""/clients/{clientId}/members, and the same under …/users: who belongs to a client, and as what.

Belongs here: roles of those who are members, and their going. Does not: how one becomes a member (invites.py).
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from rrgate.core.access import check_grant
from rrgate.core.answers import Answer, conflict, deleted, listed, missing, shown
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, page_by_id
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.model import Member
from rrgate.model.documents import Extra, publish, read_changes

MOST_MEMBERS: Final = 10_000
"""Of one client, with those that are invited."""

NAMES: Final = ("userFirstName", "userLastName", "userEmail")

EXTRAS: Final = (
    Extra("userFirstName", "a string or null", help="As he says himself, and so the next two."),
    Extra("userLastName", "a string or null", help=""),
    Extra("userEmail", "a string or null", help=""),
)


def document_of(house: CoreHouse, member: Member) -> dict[str, Any]:
    """A member as published, with what he is called."""
    user = house.directory.users.get(member.user_id)
    about = {} if user is None else publish(user)
    return publish(member, **{name: about.get(name) for name in NAMES})


def member_of(call: Call) -> Member:
    """The member that the path names. Raises Refused with 404."""
    user_id = call.ids["userId"]
    roles = call.house.directory.members.get((user_id, call.client.id))
    if roles is None:
        raise missing()
    return Member(user_id=user_id, client_id=call.client.id, roles=roles)


async def list_members(call: Call) -> Answer:
    client_id = call.client.id
    known = [
        Member(user_id=user_id, client_id=client_id, roles=roles)
        for user_id, roles in call.house.directory.members_of(client_id).items()
    ]
    members, cursor = page_by_id(known, call.query)
    # Whoever asks for users is told of users.
    plural = call.route.template.rpartition("/")[2]
    return listed(plural, (document_of(call.house, each) for each in members), cursor)


async def update_member(call: Call) -> Answer:
    house, member = call.house, member_of(call)
    changes = read_changes(member, document_of(house, member), call.document)
    member = evolve(member, **changes)
    assert call.role is not None
    check_grant(call.role, "roles", member.roles)
    _check_last_owner(house, member, stays="owner" in member.roles)
    await call.save(member)
    return shown(call.route.template.split("/")[3], document_of(house, member))


async def delete_member(call: Call) -> Answer:
    member = member_of(call)
    _check_last_owner(call.house, member, stays=False)
    await call.delete(member)
    return deleted("Member")


def _check_last_owner(house: CoreHouse, member: Member, *, stays: bool) -> None:
    """Raises Refused with 409 if the client would have no owner any more."""
    members = house.directory.members_of(member.client_id)
    owners = {user_id for user_id, roles in members.items() if "owner" in roles}
    if owners == {member.user_id} and not stays:
        raise conflict("roles", "this is the last owner of the client; make somebody else an owner first")


def _routes(plural: str, like: str) -> tuple[Route, ...]:
    template = f"/clients/{{clientId}}/{plural}"
    success = Success(name=plural, of=Member)
    return (
        Route(
            method="GET",
            template=template,
            handler=list_members,
            success=success,
            parameters=PAGING,
            help=f"The members of a client, by their ids{like}.",
        ),
        Route(
            method="PUT",
            template=f"{template}/{{userId}}",
            handler=update_member,
            success=success,
            noun=Member,
            help=f"Change a member's roles{like}.",
        ),
        Route(
            method="DELETE",
            template=f"{template}/{{userId}}",
            handler=delete_member,
            help=f"Remove a member, or leave{like}.",
        ),
    )


ROUTES = (*_routes("members", ""), *_routes("users", "; the same under another name"))
