"""/openapi.json, what the Core API is for programs, and /docs, the same for people.

Belongs here: the two routes. Does not: making the document or its page (openapi/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from rrgate.core.answers import Answer
from rrgate.core.openapi.page import POLICY, page_of
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.json_text import json_text


def docs_routes(document: Callable[[], Mapping[str, Any]]) -> tuple[Route, ...]:
    """The routes. `document`: makes the document; it is asked once, when somebody wants to read it."""

    @lru_cache(maxsize=1)
    def as_json() -> bytes:
        return json_text(document()).encode()

    @lru_cache(maxsize=1)
    def as_page() -> bytes:
        return page_of(document()).encode()

    async def show_document(call: Call) -> Answer:
        return Answer(200, {}, (("Content-Type", "application/json"),), as_json())

    async def show_page(call: Call) -> Answer:
        return Answer(200, {}, POLICY, as_page())

    return (
        Route(
            method="GET",
            template="/openapi.json",
            handler=show_document,
            bare=True,
            success=Success(),
            help="This API as an OpenAPI 3.1 document, made of what the gateway checks bodies by.",
        ),
        Route(
            method="GET",
            template="/docs",
            handler=show_page,
            bare=True,
            success=Success(media_type="text/html"),
            help="The same as a page to read.",
        ),
    )
