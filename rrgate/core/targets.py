"""/clients/{clientId}/targets: APIs that requests are forwarded to.

Belongs here: creating, changing and deleting them. Does not: reaching them.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from rrgate.api import Problem
from rrgate.core.answers import Answer, Refused, conflict, deleted, listed, shown
from rrgate.core.binding import check_move
from rrgate.core.checking import check_carried_out, gathered, owned, plugins_say, refuse_if
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, page
from rrgate.core.routes import Call, Role, Route
from rrgate.ids import new_id
from rrgate.model import Target
from rrgate.model.documents import publish, read_changes, read_new


def check_proxies(house: CoreHouse, target: Target) -> None:
    """Raises Refused with 409, naming each proxy and problem, if a proxy that worked would not work with `target`.

    What was wrong with a proxy before is not held against the target.
    """
    problems: list[Problem] = []
    for proxy in house.directory.proxies_using(target.id):
        parts = house.directory.parts(proxy)
        if parts is None:
            continue
        known = plugins_say(house, parts)
        new = [each for each in plugins_say(house, evolve(parts, target=target)) if each not in known]
        problems += [Problem(f"proxies.{proxy.id}.{each.field}", each.problem) for each in new]
    if problems:
        raise Refused(409, "Proxies that use this target would not work with it as it would be; see details.", problems)


async def list_targets(call: Call) -> Answer:
    mine = [each for each in call.house.directory.targets.values() if each.client_id == call.client.id]
    targets, cursor = page(mine, call.query)
    return listed("targets", map(publish, targets), cursor)


async def create_target(call: Call) -> Answer:
    house = call.house
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    with gathered(problems):
        values = read_new(Target, call.document)
    with gathered(problems):
        check_carried_out(house, Target, values)
    refuse_if(problems)
    now = house.now()
    target = Target(
        id=new_id(), client_id=call.client.id, user_id=call.user.id, created_at=now, updated_at=now, **values
    )
    await call.save(target)
    return shown("targets", publish(target))


async def show_target(call: Call) -> Answer:
    return shown("targets", publish(owned(call.house.directory.targets, call, "targetId")))


async def update_target(call: Call) -> Answer:
    house = call.house
    target = owned(house.directory.targets, call, "targetId")
    problems: list[Problem] = []
    changes: dict[str, Any] = {}
    with gathered(problems):
        changes = read_changes(target, publish(target), call.document)
    with gathered(problems):
        check_carried_out(house, Target, changes)
    refuse_if(problems)
    if "base_url" in changes:
        check_move(house, target, changes["base_url"])
    target = evolve(target, **changes, updated_at=max(house.now(), target.updated_at))
    check_proxies(house, target)
    await call.save(target)
    return shown("targets", publish(target))


async def delete_target(call: Call) -> Answer:
    house = call.house
    target = owned(house.directory.targets, call, "targetId")
    force = call.query.flag("force")
    using = house.directory.proxies_using(target.id)
    if using and not force:
        raise conflict(
            "targetId", f"{len(using)} proxies use this target; point them elsewhere first, or add ?force=true"
        )
    await call.delete(target, house.directory.rules_of(target.id))
    return deleted("Target")


ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/targets",
        handler=list_targets,
        needs=Role.USER,
        parameters=PAGING,
        help="The targets of a client.",
    ),
    Route(
        method="POST",
        template="/clients/{clientId}/targets",
        handler=create_target,
        needs=Role.ADMIN,
        noun=Target,
        help="Create a target.",
    ),
    Route(
        method="GET",
        template="/clients/{clientId}/targets/{targetId}",
        handler=show_target,
        needs=Role.USER,
        help="One target.",
    ),
    Route(
        method="PUT",
        template="/clients/{clientId}/targets/{targetId}",
        handler=update_target,
        needs=Role.ADMIN,
        noun=Target,
        help="Change a target.",
    ),
    Route(
        method="DELETE",
        template="/clients/{clientId}/targets/{targetId}",
        handler=delete_target,
        needs=Role.ADMIN,
        parameters=("force",),
        help="Delete a target. While a proxy uses it: 409, unless `force=true`.",
    ),
)
