"""/clients/{clientId}/proxies: the gateway's addresses, each joining two credentials and a target.

Belongs here: that everything a proxy names fits together, and that plugins can work on it. Does not: running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rrgate.api import ConfigError, Problem
from rrgate.core.answers import Answer, conflict, deleted, shown
from rrgate.core.binding import bind
from rrgate.core.changes import changed
from rrgate.core.checking import NOT_ANONYMOUS, check_carried_out, check_room, gathered, owned, plugins_say, refuse_if
from rrgate.core.configuration import check_region
from rrgate.core.house import CoreHouse
from rrgate.core.listing_plugins import Entry, judged, sealed
from rrgate.core.queries import PAGING, listed_by_size, page_of
from rrgate.core.routes import Call, Route
from rrgate.ids import new_id
from rrgate.model import Client, Credential, Proxy, Side, Target
from rrgate.model.documents import Extra, publish, read_changes, read_new
from rrgate.model.published import published_fields

PARTS: Mapping[str, Side | None] = {
    "proxyProxyCredentialId": Side.PROXY,
    "proxyTargetId": None,
    "proxyTargetCredentialId": Side.TARGET,
}
"""Fields that name something, with the side of credentials; None: a target."""


EXTRAS = (
    Extra(
        "proxyURL",
        "a string",
        help="Where its requests go: a path to the target follows.",
        example="https://gateway.example.com/api/6f404b9e-669f-4b6f-98af-0c8a9b02c594",
    ),
)


def document_of(house: CoreHouse, proxy: Proxy) -> dict[str, Any]:
    """A proxy as published, with its address."""
    return publish(proxy, proxyURL=f"{house.public_url}/api/{proxy.id}")


def check_parts(house: CoreHouse, client: Client, region: object, named: Mapping[str, object]) -> None:
    """Everything named exists, belongs to `client`, is of the right side and lies in `region`.

    `named`: ids by published field. Raises ConfigError naming each field at fault; what belongs to somebody else is
    told of as if it did not exist.
    """
    problems: list[Problem] = []
    for field, side in PARTS.items():
        id = named.get(field)
        if not isinstance(id, str):
            continue
        what = "target" if side is None else "credential"
        part: Target | Credential | None = (
            house.directory.targets.get(id) if side is None else house.directory.credentials.get(id)
        )
        if part is None or part.client_id != client.id:
            problems.append(Problem(field, f"names no {what} of this client"))
            continue
        if isinstance(part, Credential) and part.side is not side and side is not None:
            problems.append(
                Problem(field, f"names a credential whose credentialType is {part.side.value}; it must be {side.value}")
            )
        if isinstance(part, Credential) and house.registry.is_anonymous(part) and not house.allow_anonymous:
            problems.append(Problem(field, f"names a credential that {NOT_ANONYMOUS}"))
        if isinstance(region, str) and part.region != region:
            problems.append(Problem(field, f"names a {what} of another region; it must lie in the proxy's"))
    if problems:
        raise ConfigError(*problems)


def check_plugins(house: CoreHouse, proxy: Proxy) -> None:
    """Asks every plugin whether it can work on `proxy`. Raises ConfigError with what all of them say."""
    parts = house.directory.parts(proxy)
    if parts is not None and (problems := plugins_say(house, parts)):
        raise ConfigError(*problems)


def check_alias(house: CoreHouse, proxy: Proxy) -> None:
    """Raises Refused with 409 if another proxy of the client has this alias."""
    if proxy.alias is None:
        return
    if house.directory.with_alias(proxy.client_id, proxy.alias) not in (None, proxy.id):
        raise conflict("proxyAlias", "another proxy of this client has this alias; choose another")


def copy_limits(house: CoreHouse, client: Client, values: dict[str, Any]) -> None:
    """A new proxy that says nothing of them has the limits that its client has now (gateway-api.md 9).

    `values`: by attribute name.
    """
    configuration = client.configuration
    limits = {
        "max_requests_per_minute": configuration.requests_per_minute,
        "max_requests_per_day": configuration.requests_per_day,
    }
    for known in published_fields(Proxy):
        if known.attribute in limits and known.name in house.registry.served_settings:
            values.setdefault(known.attribute, limits[known.attribute])


async def list_proxies(call: Call) -> Answer:
    proxies, cursor = page_of(call.house.directory.proxies, call.client.id, call.query)
    return listed_by_size("proxies", proxies, (document_of(call.house, proxy) for proxy in proxies), cursor)


async def create_proxy(call: Call) -> Answer:
    house, document = call.house, call.document
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    with gathered(problems):
        values = read_new(Proxy, document)
    with gathered(problems):
        check_carried_out(house, Proxy, values)
    plugins: list[Entry] = []
    with gathered(problems):
        plugins = judged(house, values.pop("plugins", ()))
    with gathered(problems):
        check_region(call.client, "proxyRegion", call.document.get("proxyRegion"))
    with gathered(problems):
        check_parts(house, call.client, document.get("proxyRegion"), document)
    refuse_if(problems)
    copy_limits(house, call.client, values)
    now, id = house.now(), new_id()
    values.update(sealed(house, call.client.id, id, values["target_id"], plugins, None))
    proxy = Proxy(id=id, client_id=call.client.id, user_id=call.user.id, created_at=now, updated_at=now, **values)
    check_plugins(house, proxy)
    check_alias(house, proxy)
    check_room(call, "proxies")
    await call.save(proxy, *bind(house, proxy))
    return shown("proxies", document_of(house, proxy))


async def show_proxy(call: Call) -> Answer:
    return shown("proxies", document_of(call.house, owned(call.house.directory.proxies, call, "proxyId")))


async def update_proxy(call: Call) -> Answer:
    house, document = call.house, call.document
    proxy = owned(house.directory.proxies, call, "proxyId")
    present = document_of(house, proxy)
    problems: list[Problem] = []
    changes: dict[str, Any] = {}
    with gathered(problems):
        changes = read_changes(proxy, present, document)
    with gathered(problems):
        check_carried_out(house, Proxy, changes)
    plugins: list[Entry] = []
    with gathered(problems):
        plugins = judged(house, changes.pop("plugins", proxy.plugins), proxy.plugins)
    with gathered(problems):
        # Only what changes: a proxy whose credential was deleted can still be switched off or renamed.
        named = {field: document[field] for field in PARTS if field in document and document[field] != present[field]}
        check_parts(house, call.client, proxy.region, named)
    refuse_if(problems)
    changes.update(sealed(house, proxy.client_id, proxy.id, changes.get("target_id", proxy.target_id), plugins, proxy))
    before, proxy = proxy, changed(house, proxy, changes)
    check_plugins(house, proxy)
    check_alias(house, proxy)
    await call.save(proxy, *bind(house, proxy, before))
    return shown("proxies", document_of(house, proxy))


async def delete_proxy(call: Call) -> Answer:
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    await call.delete(proxy, call.house.directory.belonging_to(proxy.id))
    return deleted("Proxy")


ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/proxies",
        handler=list_proxies,
        parameters=PAGING,
        help="The proxies of a client.",
    ),
    Route(
        method="POST",
        template="/clients/{clientId}/proxies",
        handler=create_proxy,
        noun=Proxy,
        help="Create a proxy.",
    ),
    Route(
        method="GET",
        template="/clients/{clientId}/proxies/{proxyId}",
        handler=show_proxy,
        help="One proxy.",
    ),
    Route(
        method="PUT",
        template="/clients/{clientId}/proxies/{proxyId}",
        handler=update_proxy,
        noun=Proxy,
        help="Change a proxy.",
    ),
    Route(
        method="DELETE",
        template="/clients/{clientId}/proxies/{proxyId}",
        handler=delete_proxy,
        help="Delete a proxy.",
    ),
)
