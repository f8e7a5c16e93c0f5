"""A small table-driven router: method and path template lead to a handler.

Belongs here: `Route`, `Call` and finding one for a path. Does not: the table itself (table.py), or who may (access.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import Factory, field, frozen

from rrgate.core.access import Needs, Role, needs
from rrgate.core.answers import Answer, Refused, missing
from rrgate.core.changes import (
    Actor,
    Resource,
    authorizing,
    configuring,
    deleting,
    is_in_force,
    saving,
    steering,
    trying,
)
from rrgate.core.house import CoreHouse
from rrgate.core.presence import Presence
from rrgate.core.queries import Query
from rrgate.core.shapes import Success
from rrgate.model import Client, Credential, Member, Proxy, Target, Token, User
from rrgate.model.documents import Extra
from rrgate.store.audit import Action


@frozen(kw_only=True)
class Call:
    """One request to a handler, judged so far: who asks, for which ids, with what query and body.

    `client` is the one that the path names; who asks may do there what the route needs. `address`: whence he asks.
    """

    house: CoreHouse
    route: Route
    ids: Mapping[str, str]
    query: Query
    raw_query: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    asking: User | None
    token: Token | None
    in_client: Client | None
    role: Role | None
    address: str
    presence: Presence = field(factory=Presence, repr=False)
    raw_cookies: tuple[str, ...] = field(default=(), repr=False)
    is_head: bool = False

    @property
    def user(self) -> User:
        """Who asks. Only on routes that ask for a token."""
        assert self.asking is not None
        return self.asking

    @property
    def client(self) -> Client:
        """The client that the path names. Only on routes with `{clientId}`."""
        assert self.in_client is not None
        return self.in_client

    async def save(
        self,
        noun: Resource,
        *further: Resource,
        within: Sequence[Member] = (),
        gone: Sequence[Resource] = (),
        actor: Actor | None = None,
        **also: Any,
    ) -> None:
        """Put `noun`, and what changes with it, into force, durably, and into the audit log with who asked.

        Each has an entry of its own, and so has what is `gone` with it; what is in force as it is has none. `within`:
        members that the entry of `noun` tells of. `actor`: who did it, where no token says so. `also`: what the log
        tells of `noun` besides, as published. Raises what the store raises; then nothing has changed.
        """
        house, actor = self.house, actor or self.actor
        changed = [each for each in (*further, noun) if not is_in_force(house, each)]
        entries = [saving(house, actor, each, also if each is noun else {}) for each in changed]
        entries += [deleting(house, actor, each, ()) for each in gone]
        if entries:
            # What belongs to others comes behind them.
            await house.save(*reversed(changed), *within, gone=gone, audit=entries)

    async def delete(self, noun: Resource, with_it: Sequence[Resource] = ()) -> None:
        """The same for removing `noun`, and before it all that goes `with_it`."""
        house = self.house
        await house.delete(*with_it, noun, audit=[deleting(house, self.actor, noun, with_it)])

    async def configure(self, client: Client, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """The same for the configuration of `client`, as the log is to have it."""
        house = self.house
        await house.save(client, audit=[configuring(house, self.actor, client, before, after)])

    async def note_test(self, noun: Credential | Target, target: Target, path: str) -> None:
        """Put into the audit log, durably, that `noun` is about to be tested by `path` of `target`."""
        await self.house.store.save(audit=[trying(self.house, self.actor, noun, target, path)])

    async def note_authorization(self, noun: Credential) -> None:
        """The same of `noun` for whose authorization a link is given out."""
        await self.house.store.save(audit=[authorizing(self.house, self.actor, noun)])

    async def note_steering(self, action: Action, proxy: Proxy, request_id: str, **wanted: Any) -> None:
        """The same of an asynchronous request that is about to be cancelled or replayed; see `steering`."""
        await self.house.store.save(audit=[steering(self.house, self.actor, action, proxy, request_id, wanted)])

    @property
    def cookies(self) -> dict[str, str]:
        """By name; the first of each."""
        found: dict[str, str] = {}
        for part in ";".join(self.raw_cookies).split(";"):
            name, _, value = part.strip(" \t").partition("=")
            found.setdefault(name, value)
        return found

    @property
    def via(self) -> str:
        """The route, as the log names it."""
        return f"{self.route.method} {self.route.template}"

    @property
    def actor(self) -> Actor:
        """Who asks, as the log names him. Only on routes that ask for a token."""
        assert self.token is not None
        return Actor(self.user.id, self.token.id, self.via)


Handler = Callable[[Call], Awaitable[Answer]]


@frozen(kw_only=True)
class Route:
    """`needs`: who may call it; if not given, what the table in access.py says.

    `parameters`: the query parameters it knows; another is refused. `noun`: the class of the body's fields, for the
    documentation; `extras`: those that are no attributes, where they are others than the noun's; `success`: what it
    answers, where that is not the noun that its path ends with; `statuses`: with which it answers besides those that
    follow from the rest (openapi/operations.py). `bare`: not served under `/api/…` too. `any_query`: it reads the query
    itself, from `raw_query`. `tries`: a POST that changes no noun, and so does not run alone. `bodiless`: a POST
    without a body, or with an object that has no members.
    """

    method: str
    template: str
    handler: Handler
    help: str
    needs: Needs = Factory(lambda self: needs(self.method, self.template), takes_self=True)
    parameters: tuple[str, ...] = ()
    noun: type[Any] | None = None
    extras: tuple[Extra, ...] | None = None
    success: Success | None = None
    statuses: tuple[int, ...] = ()
    bare: bool = False
    any_query: bool = False
    tries: bool = False
    bodiless: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes anything, and so runs alone."""
        return self.method != "GET" and not self.tries

    @property
    def may_find_disk_full(self) -> bool:
        """Whether it answers 503 where what it writes down has no room."""
        return self.writes or 503 in self.statuses

    @property
    def takes_body(self) -> bool:
        """Whether it reads a JSON object from the body."""
        return self.method in ("POST", "PUT") and not self.bodiless


class Router:
    """Finds the route for a method and a path. Templates have fixed segments and `{names}`."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_shape: dict[tuple[str | None, ...], list[Route]] = {}
        for route in routes:
            shape = tuple(None if part.startswith("{") else part for part in _segments(route.template))
            self._by_shape.setdefault(shape, []).append(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the ids of its template. A HEAD finds the route of GET.

        Raises Refused: 404 for a path that nothing serves, 405 for a method, with `Allow`.
        """
        prefixed = path.startswith("/api/")
        segments = _segments(path[4:] if prefixed else path)
        candidates = [
            route
            for shape, routes in self._by_shape.items()
            if len(shape) == len(segments) and all(map(_fits, shape, segments))
            for route in routes
            if not (prefixed and route.bare)
        ]
        if not candidates:
            raise missing()
        wanted = "GET" if method == "HEAD" else method
        for route in candidates:
            if route.method == wanted:
                return route, {
                    name[1:-1]: value
                    for name, value in zip(_segments(route.template), segments, strict=True)
                    if name.startswith("{")
                }
        allowed = {route.method for route in candidates}
        if "GET" in allowed:
            allowed.add("HEAD")
        allow = ", ".join(sorted(allowed))
        raise Refused(405, f"This path takes {allow} only.", headers=(("Allow", allow),))


def _fits(wanted: str | None, segment: str) -> bool:
    return segment != "" if wanted is None else segment == wanted


def _segments(path: str) -> list[str]:
    return path[1:].split("/")
