"""Pages of plugins on the Core API's listener: which paths they may have, and each as a route.

Belongs here: from a Page to a Route, from its Reply to an Answer. Does not: collecting pages (boot.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from rrgate.answers import reason_phrase
from rrgate.boot import MountedPage
from rrgate.boot_values import Page, PageRequest
from rrgate.core.access import Who
from rrgate.core.answers import Answer
from rrgate.core.routes import Call, Handler, Route
from rrgate.core.table import ROUTES
from rrgate.messages import Reply
from rrgate.pages import gateway_takes

_RESERVED: Final = frozenset(
    (
        "api",
        "async",
        "auth-types",
        "docs",
        "invites",
        "metrics",
        "notifications",
        "openapi.json",
        "proxy-plugins",
        "users",
    )
) | {route.template.split("/")[1] for route in ROUTES}
"""First segments under which the Core API has routes, or will."""


def core_takes(path: str) -> bool:
    """Whether no plugin may have `path` on the Core API's listener."""
    return path.split("/")[1].lower() in _RESERVED


def is_ours(page: Page) -> bool:
    """Whether no plugin may have this page."""
    return core_takes(page.path) if page.listener == "core" else gateway_takes(page.path)


def page_routes(pages: Iterable[MountedPage], answer: Callable[[MountedPage, PageRequest], Reply]) -> tuple[Route, ...]:
    """The routes of those of `pages` that are for this listener. `answer` asks a page, and never raises."""
    return tuple(
        Route(
            method="GET",
            template=mounted.page.path,
            handler=_handler(mounted, answer),
            needs=Who.ANYBODY if mounted.page.public else Who.ANY_USER,
            help=mounted.page.help,
            bare=True,
            any_query=True,
        )
        for mounted in pages
        if mounted.page.listener == "core"
    )


def _handler(mounted: MountedPage, answer: Callable[[MountedPage, PageRequest], Reply]) -> Handler:
    async def handler(call: Call) -> Answer:
        return _as_answer(answer(mounted, PageRequest(mounted.page.path, call.raw_query, call.asking)))

    return handler


def _as_answer(reply: Reply) -> Answer:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.headers)
    if reply.document is None and reply.body is not None:
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers += (("Content-Type", "application/octet-stream"),)
        return Answer(reply.status, {}, headers, reply.body)
    document = reply.document
    if document is None:
        document = {"message": reply.message}
        if reply.status >= 400:
            document = {"error": reason_phrase(reply.status), **document}
    return Answer(reply.status, document, headers)
