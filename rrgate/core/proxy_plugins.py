"""/proxy-plugins: which plugins proxies may list, and what the configuration of each looks like.

Belongs here: such a plugin as published. Does not: lists of proxies (core/listing_plugins.py), making a schema
(rrgate/schemas.py).
"""

from __future__ import annotations

from typing import Any

from rrgate.api import Plugin
from rrgate.core.answers import Answer, listed
from rrgate.core.house import CoreHouse
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import ListablePlugin, Success
from rrgate.schemas import document_schema


def document_of(house: CoreHouse, plugin: type[Plugin]) -> dict[str, Any]:
    """A plugin that proxies may list, as published."""
    distribution, version = house.registry.brought_by(plugin)
    return {
        "name": plugin.name,
        "aliases": list(plugin.aliases),
        "configuration": document_schema(plugin.Config),
        "distribution": distribution,
        "version": version,
    }


async def list_proxy_plugins(call: Call) -> Answer:
    plugins = sorted(call.house.proxy_plugins.all, key=lambda plugin: plugin.name)
    return listed("proxyPlugins", [document_of(call.house, plugin) for plugin in plugins], None)


ROUTES = (
    Route(
        method="GET",
        template="/proxy-plugins",
        handler=list_proxy_plugins,
        success=Success(name="proxyPlugins", of=ListablePlugin),
        help="The plugins that proxies may list in `proxyPlugins`, each with the JSON Schema of its configuration.",
    ),
)
