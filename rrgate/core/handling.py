"""From a whole request to its answer: host, route, token, role, query, body, handler, each in its turn.

Belongs here: the order of these steps, and what an exception becomes. Does not: bytes on a connection (site.py).
"""

from __future__ import annotations

from attrs import field, frozen
from twisted.internet.defer import CancelledError

from rrgate.api import ConfigError
from rrgate.careful_log import CarefulLogger
from rrgate.core.answers import Answer, Refused, conflict, disk_full, internal_error, not_right
from rrgate.core.authentication import Admitted, admit
from rrgate.core.bodies import read_object
from rrgate.core.house import CoreHouse
from rrgate.core.presence import Presence
from rrgate.core.queries import Query
from rrgate.core.routes import Call, Route, Router
from rrgate.store.damage import is_damaged
from rrgate.store.errors import Conflict

log = CarefulLogger("rrgate.core")


@frozen(kw_only=True)
class Incoming:
    """A request as it came, whole. `target`: the request target, in origin-form; lists: all values of a field;
    `address`: whence it came."""

    method: str
    target: str = field(repr=False)
    hosts: list[bytes]
    authorization: list[bytes] = field(repr=False)
    content_types: list[bytes] = field(repr=False)
    content_encodings: list[bytes] = field(repr=False)
    body: bytes = field(repr=False)
    address: str = ""
    cookies: list[bytes] = field(factory=list, repr=False)
    presence: Presence = field(factory=Presence, repr=False)


async def handle(house: CoreHouse, router: Router, request: Incoming) -> Answer:
    """The answer to `request`. Never raises; what was not foreseen is logged without the body and answers 500."""
    template, route = "", None
    try:
        check_host(house, request.hosts)
        path, _, raw_query = request.target.partition("?")
        route, ids = router.find(request.method, path)
        template = route.template
        admitted = admit(house, route.needs, ids, request.authorization, request.address)
        query = Query.read("" if route.any_query else raw_query, route.parameters)
        document = {}
        if route.takes_body or (route.bodiless and request.body):
            document = read_object(request.content_types, request.content_encodings, request.body)
        if not route.writes:
            return await route.handler(_call(house, route, ids, query, raw_query, document, admitted, request))
        await house.writing.acquire()
        try:
            # Judged again: while this waited, the token may have gone, or the role.
            admitted = admit(house, route.needs, ids, request.authorization, request.address, again=True)
            return await route.handler(_call(house, route, ids, query, raw_query, document, admitted, request))
        finally:
            house.writing.release()
    except Refused as refused:
        return refused.answer()
    except ConfigError as error:
        return not_right(error).answer()
    except Conflict as error:
        return conflict(error.field, error.message).answer()
    except CancelledError:
        if not request.presence.gone:
            log.failure("Core API: {method} {template} was cancelled", method=request.method, template=template)
        return internal_error().answer()
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets our form of answer and no text of it
        if route is not None and route.may_find_disk_full and house.store.is_full(error):
            log.error("Core API: {method} {template}: the disk is full", method=request.method, template=template)
            return disk_full().answer()
        if is_damaged(error):
            text = "Core API: {method} {template}: a database is damaged; rrgate doctor says which, and what to do"
            log.error(text, method=request.method, template=template)
        log.failure("Core API: {method} {template} failed", method=request.method, template=template)
        return internal_error().answer()


def check_host(house: CoreHouse, hosts: list[bytes]) -> None:
    """Raises Refused: 400 unless there is one `Host`, 421 unless it is one of ours. Ports are not compared."""
    if len(hosts) != 1:
        raise Refused(400, "There must be one Host header.")
    host = hosts[0].decode("latin-1").lower()
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    else:
        name = host.partition(":")[0]
    if name.rstrip(".") not in house.hosts:
        raise Refused(421, "This host is not served here: the setting `hosts` lists those that are.")


def _call(
    house: CoreHouse,
    route: Route,
    ids: dict[str, str],
    query: Query,
    raw_query: str,
    document: dict[str, object],
    admitted: Admitted,
    request: Incoming,
) -> Call:
    return Call(
        house=house,
        route=route,
        ids=ids,
        query=query,
        raw_query=raw_query,
        document=document,
        asking=admitted.user,
        token=admitted.token,
        in_client=admitted.client,
        role=admitted.role,
        address=request.address,
        presence=request.presence,
        raw_cookies=tuple(cookie.decode("latin-1") for cookie in request.cookies),
        is_head=request.method == "HEAD",
    )
