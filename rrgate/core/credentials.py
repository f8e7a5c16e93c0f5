"""/clients/{clientId}/credentials: secrets, and on which side they work.

Belongs here: checking a secret with its auth type's plugin. Does not: sealing and replacing it (rotation.py), opening
one; nothing here can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rrgate.api import ConfigError, Plugin, Problem
from rrgate.configuring import configure
from rrgate.core.answers import Answer, deleted, listed, shown
from rrgate.core.binding import check_side, rebound
from rrgate.core.changes import changed
from rrgate.core.checking import NOT_ANONYMOUS, check_carried_out, check_room, gathered, owned, refuse_if
from rrgate.core.configuration import check_region
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, page_of
from rrgate.core.rotation import SECRET, UNTIL, check_overlap, plaintext_of, rotated, sealed
from rrgate.core.routes import Call, Route
from rrgate.ids import new_id
from rrgate.model import Credential, Side
from rrgate.model.documents import Extra, publish, read_changes, read_new

EXTRAS = (
    Extra(
        SECRET,
        "an object",
        written=True,
        required=True,
        help="The secret, as its auth type wants it. Write only: it is never answered.",
        example={"key": "X-Api-Key", "value": "what-the-provider-gave-you"},
    ),
)


def auth_type(house: CoreHouse, name: str, side: Side) -> type[Plugin]:
    """The plugin behind a `credentialAuthType`. Raises ConfigError listing those that there are, and for one that lets
    in who shows nothing where the operator does not allow it."""
    plugin = house.registry.auth_type(name, side)
    if plugin is None:
        installed = ", ".join(house.registry.auth_type_names(side)) or "none"
        raise ConfigError(
            Problem("credentialAuthType", f"is not installed for the {side.value} side; installed are: {installed}")
        )
    if plugin.anonymous and side is Side.PROXY and not house.allow_anonymous:
        raise ConfigError(Problem("credentialAuthType", NOT_ANONYMOUS))
    return plugin


def check_secret(house: CoreHouse, name: str, side: Side, secret: Any) -> bool:
    """Whether somebody must authorize a credential with `secret` before it works. Raises ConfigError, with no value in
    it, unless its auth type can work with it."""
    plugin = auth_type(house, name, side)
    config = configure(plugin.Config, secret, SECRET)
    try:
        plugin.check_side(config, side)
    except ConfigError as error:
        problems = [Problem(f"{SECRET}.{problem.field}", problem.problem) for problem in error.problems]
    else:
        return bool(plugin.needs_authorization(config))
    raise ConfigError(*problems)


async def list_credentials(call: Call) -> Answer:
    temporary = call.query.flag("includeTemporary")
    known = call.house.directory.credentials
    credentials, cursor = page_of(known, call.client.id, call.query, lambda each: temporary or not each.temporary)
    return listed("credentials", map(publish, credentials), cursor)


async def create_credential(call: Call) -> Answer:
    house, document = call.house, call.document
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    with gathered(problems):
        values = read_new(Credential, document, EXTRAS)
    with gathered(problems):
        check_carried_out(house, Credential, values)
    with gathered(problems):
        check_region(call.client, "credentialRegion", call.document.get("credentialRegion"))
    with gathered(problems):
        check_side(document.get("credentialType"), values)
    if values.get("previous_secret_expires_at") is not None:
        problems.append(Problem(UNTIL, "is for PUT: a new credential has no previous secret"))
    name, side, to_authorize = document.get("credentialAuthType"), document.get("credentialType"), False
    if isinstance(name, str) and side in ("proxy", "target"):
        with gathered(problems):
            if SECRET in document:
                to_authorize = check_secret(house, name, Side(side), document[SECRET])
            else:
                auth_type(house, name, Side(side))
    if not isinstance(document.get(SECRET, {}), dict):
        problems.append(Problem(SECRET, "must be an object"))
    refuse_if(problems)
    check_room(call, "credentials")
    plaintext = plaintext_of(values.pop(SECRET))
    now, id = house.now(), new_id()
    credential = Credential(
        id=id,
        client_id=call.client.id,
        user_id=call.user.id,
        created_at=now,
        updated_at=now,
        needs_authorization=to_authorize,
        temporary=to_authorize,
        **sealed(house, call.client.id, id, plaintext),
        **values,
    )
    await call.save(credential)
    return shown("credentials", publish(credential))


async def show_credential(call: Call) -> Answer:
    return shown("credentials", publish(owned(call.house.directory.credentials, call, "credentialId")))


async def update_credential(call: Call) -> Answer:
    house, document = call.house, call.document
    credential = owned(house.directory.credentials, call, "credentialId")
    problems: list[Problem] = []
    changes: dict[str, Any] = {}
    with gathered(problems):
        changes = read_changes(credential, publish(credential), document, EXTRAS)
    with gathered(problems):
        check_carried_out(house, Credential, changes)
    to_authorize = False
    if SECRET in document:
        with gathered(problems):
            to_authorize = check_secret(house, credential.auth_type, credential.side, document[SECRET])
    with gathered(problems):
        check_side(credential.side, changes)
    until = _previous_until(credential, document, changes)
    with gathered(problems):
        check_overlap(house, credential, document, until)
    refuse_if(problems)
    rebound(house, credential, document, changes)
    changes.update(rotated(house, credential, changes.pop(SECRET, None), until))
    if "sealed_secret" in changes:
        changes.update(needs_authorization=to_authorize, temporary=credential.temporary and to_authorize)
    credential = changed(house, credential, changes)
    await call.save(credential)
    return shown("credentials", publish(credential))


def _previous_until(credential: Credential, document: Mapping[str, Any], changes: Mapping[str, Any]) -> int | None:
    """Until when the previous secret works, as a PUT has it: a new secret alone ends it at once."""
    if UNTIL in document:
        until: int | None = changes.get("previous_secret_expires_at", credential.previous_secret_expires_at)
        return until
    return None if SECRET in document else credential.previous_secret_expires_at


async def delete_credential(call: Call) -> Answer:
    # Always works: a secret that has leaked must be stopped at once, whatever still uses it.
    credential = owned(call.house.directory.credentials, call, "credentialId")
    await call.delete(credential, call.house.directory.belonging_to(credential.id))
    return deleted("Credential")


ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/credentials",
        handler=list_credentials,
        parameters=(*PAGING, "includeTemporary"),
        help="The credentials of a client.",
    ),
    Route(
        method="POST",
        template="/clients/{clientId}/credentials",
        handler=create_credential,
        noun=Credential,
        help="Create a credential.",
    ),
    Route(
        method="GET",
        template="/clients/{clientId}/credentials/{credentialId}",
        handler=show_credential,
        help="One credential, without its secret.",
    ),
    Route(
        method="PUT",
        template="/clients/{clientId}/credentials/{credentialId}",
        handler=update_credential,
        noun=Credential,
        help="Change a credential; a new secret replaces the old one whole, at once or with an overlap.",
    ),
    Route(
        method="DELETE",
        template="/clients/{clientId}/credentials/{credentialId}",
        handler=delete_credential,
        help="Delete a credential, whatever uses it: its proxies answer 401 (caller's side) or 503 (target's side).",
    ),
)
