"""/clients: organisations, to which everything else belongs.

Belongs here: a client's own fields, and its members to read. Does not: changing members, or ceilings and plans.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rrgate.core.answers import Answer, Refused, conflict, deleted, shown
from rrgate.core.authentication import acts_as_operator, role_in
from rrgate.core.changes import changed
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, listed_by_size, page
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import ClientMember
from rrgate.ids import new_id
from rrgate.model import Client, Member
from rrgate.model.documents import Extra, publish, read_changes, read_new

FIRST_ROLES = ("owner", "admin")
"""Of whoever creates a client."""

MOST_CLIENTS: Final = 100
"""That a user can have created who is no operator."""

EXTRAS = (
    Extra(
        "clientMembers",
        "an array of objects",
        help="Who belongs to it: `userId`, and `roles`.",
        shape=tuple[ClientMember, ...],
    ),
)


def document_of(house: CoreHouse, client: Client) -> dict[str, Any]:
    """A client as published, with its members."""
    members = house.directory.members_of(client.id)
    return publish(
        client,
        clientMembers=[{"userId": user_id, "roles": list(members[user_id])} for user_id in sorted(members)],
    )


async def list_clients(call: Call) -> Answer:
    house = call.house
    assert call.token is not None
    known: Iterable[Client] = house.directory.clients.values()
    if not call.query.flag("all"):
        known = [each for each in known if role_in(house, call.user, call.token, each.id) is not None]
    elif not acts_as_operator(call.user, call.token):
        raise Refused(403, "Only an operator may list all clients.")
    clients, cursor = page(known, call.query)
    return listed_by_size("clients", clients, (document_of(house, client) for client in clients), cursor)


async def create_client(call: Call) -> Answer:
    house = call.house
    values = read_new(Client, call.document)
    if not call.user.operator:
        made = sum(client.user_id == call.user.id for client in house.directory.clients.values())
        if made >= MOST_CLIENTS:
            raise conflict("clients", f"you have created {MOST_CLIENTS}, which is the most for who is no operator")
    now = house.now()
    client = Client(id=new_id(), user_id=call.user.id, created_at=now, updated_at=now, **values)
    member = Member(user_id=call.user.id, client_id=client.id, roles=FIRST_ROLES)
    await call.save(client, within=[member], clientMembers=[{"userId": member.user_id, "roles": list(member.roles)}])
    return shown("clients", document_of(house, client))


async def show_client(call: Call) -> Answer:
    return shown("clients", document_of(call.house, call.client))


async def update_client(call: Call) -> Answer:
    house, client = call.house, call.client
    changes = read_changes(client, document_of(house, client), call.document)
    client = changed(house, client, changes)
    await call.save(client)
    return shown("clients", document_of(house, client))


async def delete_client(call: Call) -> Answer:
    house, client = call.house, call.client
    directory = house.directory
    force = call.query.flag("force")
    proxies, targets = directory.proxies.of(client.id), directory.targets.of(client.id)
    credentials = directory.credentials.of(client.id)
    if (proxies or targets or credentials) and not force:
        raise conflict(
            "clientId",
            f"the client still has {len(proxies)} proxies, {len(targets)} targets and {len(credentials)} credentials; "
            "delete them first, or add ?force=true",
        )
    # Proxies first: at no moment does one stand there without what it names.
    parents = [each.id for each in credentials] + [each.id for each in targets] + [each.id for each in proxies]
    owned = [each for parent_id in parents for each in directory.belonging_to(parent_id)]
    invites = [each for each in directory.invites.values() if each.client_id == client.id]
    await call.delete(client, (*invites, *owned, *proxies, *targets, *credentials))
    return deleted("Client")


ROUTES = (
    Route(
        method="GET",
        template="/clients",
        handler=list_clients,
        parameters=(*PAGING, "all"),
        help="The clients that you are a member of; with `all=true`, for operators, all that there are.",
    ),
    Route(
        method="POST",
        template="/clients",
        handler=create_client,
        noun=Client,
        help=f"Create a client; you become its owner and admin. Who is no operator can have created {MOST_CLIENTS}.",
    ),
    Route(
        method="GET", template="/clients/{clientId}", handler=show_client, help="One client."
    ),
    Route(
        method="PUT",
        template="/clients/{clientId}",
        handler=update_client,
        noun=Client,
        help="Change a client.",
    ),
    Route(
        method="DELETE",
        template="/clients/{clientId}",
        handler=delete_client,
        parameters=("force",),
        help="Delete a client. With resources in it: 409, unless `force=true`, which deletes them too.",
    ),
)
