"""/auth-types: which auth types are installed, and what the secret of each looks like.

Belongs here: an auth type as published. Does not: making its schema (rrgate/schemas.py).
"""

from __future__ import annotations

from typing import Any

from rrgate.api import Plugin, Side
from rrgate.core.answers import Answer, listed
from rrgate.core.house import CoreHouse
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import AuthType, Success
from rrgate.schemas import document_schema


def document_of(house: CoreHouse, plugin: type[Plugin]) -> dict[str, Any]:
    """An auth type as published. `sides`: those on which the gateway takes it."""
    registry = house.registry
    taken = [side for side in Side if registry.auth_type(plugin.name, side) is plugin]
    if plugin.anonymous and not house.allow_anonymous:
        taken.remove(Side.PROXY)
    distribution, version = registry.brought_by(plugin)
    return {
        "name": plugin.name,
        "aliases": list(plugin.aliases),
        "sides": [side.value for side in taken],
        "credentialSecret": document_schema(plugin.Config),
        "distribution": distribution,
        "version": version,
    }


async def list_auth_types(call: Call) -> Answer:
    plugins = sorted(call.house.registry.auth_types, key=lambda plugin: plugin.name)
    return listed("authTypes", [document_of(call.house, plugin) for plugin in plugins], None)


ROUTES = (
    Route(
        method="GET",
        template="/auth-types",
        handler=list_auth_types,
        success=Success(name="authTypes", of=AuthType),
        help="The installed auth types, each with the JSON Schema of its `credentialSecret`.",
    ),
)
