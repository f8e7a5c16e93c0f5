"""The document: every operation, the components they point at, and links from what is made to what is done with it.

Belongs here: putting it together. Does not: one operation (operations.py), serving it (core/docs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

from rrgate.core.openapi.nouns import Forms, PublishedNoun
from rrgate.core.openapi.operations import JSON, REFUSALS, SECURITY, Operations, operation_id
from rrgate.core.openapi.parameters import names_in
from rrgate.core.openapi.types import REFERENCE, Components, Written
from rrgate.core.routes import Route
from rrgate.schemas import Schema

_ABOUT: Final = (
    "The control plane of the gateway: clients, and what belongs to them. Bodies are JSON objects and are read "
    "strictly. A success is 200 and an object with the objects in an array, even if it is one. Every path but those "
    "for browsers and for those who watch is also served with `/api` in front."
)
_ERROR: Final[Schema] = {
    "type": "object",
    "description": "What every refusal looks like.",
    "properties": {
        "error": {"type": "string", "description": "The status in words.", "examples": ["Bad Request"]},
        "message": {"type": "string", "description": "A sentence.", "examples": ["proxyName is required."]},
        "details": {
            "type": "array",
            "description": "Every field that is not right; never with a value.",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "examples": ["proxyName"]},
                    "problem": {"type": "string", "examples": ["is required"]},
                },
                "required": ["field", "problem"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["error", "message"],
    "additionalProperties": False,
}
_HEADERS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("WWW-Authenticate", "That a token is wanted."),
    429: ("Retry-After", "When to ask again, in seconds."),
    503: ("Retry-After", "When to ask again, in seconds."),
}


def openapi_document(routes: Iterable[Route], nouns: Iterable[PublishedNoun]) -> dict[str, Any]:
    """OpenAPI 3.1 of these routes. Raises LookupError for a route, parameter or field that tells too little."""
    routes, by_plural = tuple(routes), {known.plural: known for known in nouns}
    answered = Components({known.noun: known.noun.__name__ for known in by_plural.values()})
    forms = Forms(answered, Written(answered))
    answered.add("Error", _ERROR)
    for known in by_plural.values():
        answered.add(known.noun.__name__, forms.shown(known))
    operations = Operations(forms, by_plural)
    paths: dict[str, Any] = {}
    tags: dict[str, None] = {}
    for route in routes:
        operation = operations.of(route)
        paths.setdefault(route.template, {})[route.method.lower()] = operation
        tags[operation["tags"][0]] = None
    _link(routes, paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rrgate Core API", "version": version("rrgate"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{SECURITY: []}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(answered.schemas.items())),
            "responses": {name: _refusal(status, when) for status, (name, when) in REFUSALS.items()},
            "securitySchemes": {
                SECURITY: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "Your user token (`u-…`) as it is; a `Bearer ` in front is tolerated.",
                }
            },
        },
    }


def _refusal(status: int, when: str) -> dict[str, Any]:
    refusal: dict[str, Any] = {
        "description": when,
        "content": {JSON: {"schema": {"$ref": f"{REFERENCE}Error"}}},
    }
    if status in _HEADERS:
        name, help = _HEADERS[status]
        refusal["headers"] = {name: {"description": help, "schema": {"type": "string"}}}
    return refusal


def _link(routes: Iterable[Route], paths: dict[str, Any]) -> None:
    """From each answer that has a noun to the routes of that one noun."""
    routes = tuple(routes)
    for made in routes:
        content = paths[made.template][made.method.lower()]["responses"].get("200", {}).get("content", {})
        fields = content.get(JSON, {}).get("schema", {}).get("properties", {})
        plural = made.template.rpartition("/")[2]
        if plural not in fields or made.method == "DELETE":
            continue
        links = {}
        for further in routes:
            rest = further.template.removeprefix(f"{made.template}/")
            if rest == further.template or not rest.startswith("{") or rest.count("{") != 1:
                continue
            *before, own = names_in(further.template)
            parameters = {name: f"$request.path.{name}" for name in before}
            parameters[own] = f"$response.body#/{plural}/0/sKey"
            links[operation_id(further)] = {"operationId": operation_id(further), "parameters": parameters}
        if links:
            paths[made.template][made.method.lower()]["responses"]["200"]["links"] = links
