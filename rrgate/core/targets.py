"""/clients/{clientId}/targets: APIs that requests are forwarded to.

Belongs here: creating, changing and deleting them. Does not: reaching them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rrgate.api import Problem
from rrgate.core import listing_plugins
from rrgate.core.answers import Answer, Refused, conflict, deleted, shown
from rrgate.core.binding import check_move
from rrgate.core.changes import changed
from rrgate.core.checking import check_carried_out, check_room, gathered, owned, plugins_say, refuse_if
from rrgate.core.client_certificates import EXTRAS, FIELD, WARNINGS, check_tls, resealed, sealed, warnings_of
from rrgate.core.configuration import check_region
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, listed_by_size, page_of
from rrgate.core.routes import Call, Route
from rrgate.ids import new_id
from rrgate.model import Target
from rrgate.model.documents import publish, read_changes, read_new


def document_of(house: CoreHouse, target: Target) -> dict[str, Any]:
    """A target as published, with what is to be said of it."""
    return publish(target, warnings=warnings_of(house, target))


def check_proxies(house: CoreHouse, target: Target) -> None:
    """Raises Refused with 409, naming each proxy and problem, if a proxy that worked would not work with `target`.

    What was wrong with a proxy before is not held against the target.
    """
    problems: list[Problem] = []
    joining = house.directory.joining(target)
    for proxy in house.directory.proxies_using(target.id):
        parts = joining.parts(proxy)
        after = [] if parts is None else plugins_say(house, parts)
        if after:
            before = house.directory.parts(proxy)
            known = [] if before is None else plugins_say(house, before)
            new = [each for each in after if each not in known]
            problems += [Problem(f"proxies.{proxy.id}.{each.field}", each.problem) for each in new]
    if problems:
        raise Refused(409, "Proxies that use this target would not work with it as it would be; see details.", problems)


async def list_targets(call: Call) -> Answer:
    targets, cursor = page_of(call.house.directory.targets, call.client.id, call.query)
    return listed_by_size("targets", targets, (document_of(call.house, each) for each in targets), cursor)


async def create_target(call: Call) -> Answer:
    house = call.house
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    with gathered(problems):
        values = read_new(Target, _written(call.document), EXTRAS)
    id = new_id()
    values.pop(FIELD, None)
    with gathered(problems):
        values.update(sealed(house, call.client.id, id, call.document.get(FIELD)))
    with gathered(problems):
        check_region(call.client, "targetRegion", call.document.get("targetRegion"))
    with gathered(problems):
        check_carried_out(house, Target, values)
    refuse_if(problems)
    now = house.now()
    target = Target(id=id, client_id=call.client.id, user_id=call.user.id, created_at=now, updated_at=now, **values)
    check_tls(target)
    check_room(call, "targets")
    await call.save(target)
    return shown("targets", document_of(house, target))


async def show_target(call: Call) -> Answer:
    return shown("targets", document_of(call.house, owned(call.house.directory.targets, call, "targetId")))


async def update_target(call: Call) -> Answer:
    house = call.house
    target = owned(house.directory.targets, call, "targetId")
    problems: list[Problem] = []
    changes: dict[str, Any] = {}
    with gathered(problems):
        changes = read_changes(target, publish(target), _written(call.document), EXTRAS)
    if FIELD in call.document:
        changes.pop(FIELD, None)
        with gathered(problems):
            changes.update(resealed(house, target, call.document[FIELD]))
    with gathered(problems):
        check_carried_out(house, Target, changes)
    refuse_if(problems)
    if "base_url" in changes:
        check_move(house, target, changes["base_url"])
        listing_plugins.check_move(house, target, changes["base_url"])
    target = changed(house, target, changes)
    check_tls(target)
    check_proxies(house, target)
    await call.save(target)
    return shown("targets", document_of(house, target))


def _written(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what may be written back whatever it says."""
    return {name: value for name, value in document.items() if name != WARNINGS}


async def delete_target(call: Call) -> Answer:
    house = call.house
    target = owned(house.directory.targets, call, "targetId")
    force = call.query.flag("force")
    using = house.directory.proxies_using(target.id)
    if using and not force:
        raise conflict(
            "targetId", f"{len(using)} proxies use this target; point them elsewhere first, or add ?force=true"
        )
    await call.delete(target, house.directory.belonging_to(target.id))
    return deleted("Target")


ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/targets",
        handler=list_targets,
        parameters=PAGING,
        help="The targets of a client.",
    ),
    Route(
        method="POST",
        template="/clients/{clientId}/targets",
        handler=create_target,
        noun=Target,
        help="Create a target.",
    ),
    Route(
        method="GET",
        template="/clients/{clientId}/targets/{targetId}",
        handler=show_target,
        help="One target.",
    ),
    Route(
        method="PUT",
        template="/clients/{clientId}/targets/{targetId}",
        handler=update_target,
        noun=Target,
        help="Change a target.",
    ),
    Route(
        method="DELETE",
        template="/clients/{clientId}/targets/{targetId}",
        handler=delete_target,
        parameters=("force",),
        help="Delete a target. While a proxy uses it: 409, unless `force=true`.",
    ),
)
