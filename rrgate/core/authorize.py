"""/…/authorize and /oauth2/…: a person is sent to a provider to authorize a credential, and comes back.

Belongs here: who may, in which browser, and what becomes of the credential. Does not: what is said to the provider
(plugins), remembering (under_way.py), the pages' words (authorize_pages.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve

from rrgate.api import AuthorizationRefused, ConfigError, Problem
from rrgate.careful_log import CarefulLogger
from rrgate.complaints import unknown_fields
from rrgate.core.access import Role
from rrgate.core.answers import Answer, Refused, conflict, not_right
from rrgate.core.authentication import role_in
from rrgate.core.authorize_pages import AUTHORIZED, NOT_KNOWN, NOT_KNOWN_ANY_MORE, REFUSED, UNFINISHED, page, redirect
from rrgate.core.changes import Actor, authorizing, saving
from rrgate.core.checking import owned
from rrgate.core.house import CoreHouse
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Link, Message, Success
from rrgate.core.under_way import MINUTES, Asked, TooMany, new_state
from rrgate.model import Credential, Side
from rrgate.model.times import format_milliseconds

LONGEST_QUERY: Final = 12 * 1024
CALLBACK: Final = "/oauth2/callback"

log = CarefulLogger("rrgate.core")


async def authorize(call: Call) -> Answer:
    house, credential = call.house, owned(call.house.directory.credentials, call, "credentialId")
    if call.document:
        raise not_right(unknown_fields(call.document, ()))
    if credential.side is not Side.TARGET or not house.authorizing.asks(credential):
        raise ConfigError(Problem("credentialSecret", "is of a kind that nobody has to authorize"))
    base = _reachable(house)
    assert call.token is not None
    asked = Asked(
        credential.client_id,
        credential.id,
        credential.secret_version,
        call.user.id,
        call.token.token_hash,
        call.token.id,
    )
    try:
        nonce, until = house.under_way.link(asked)
    except TooMany:
        raise Refused(
            429,
            f"There are as many authorizations under way as there may be; they end within {MINUTES} minutes.",
            headers=(("Retry-After", "60"),),
        ) from None
    await call.note_authorization(credential)
    link = {"url": f"{base}/oauth2/start/{nonce}", "expiresAt": format_milliseconds(int(until * 1000))}
    return Answer(200, {"authorize": link, "message": "Success"})


def _reachable(house: CoreHouse) -> str:
    """Where browsers reach the Core API, without a trailing `/`. Raises Refused with 409 if that is not known."""
    base = house.core_public_url
    if not base:
        raise conflict("core_public_url", "is not set: the operator must say where browsers reach the Core API")
    parts = urlsplit(base)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise conflict("core_public_url", "must be https, or on this machine: no browser keeps the cookie otherwise")
    return base


async def start(call: Call) -> Answer:
    _not_head(call)
    house = call.house
    asked = house.under_way.follow(call.ids["nonce"])
    credential = None if asked is None else _still_asked(house, asked)
    if asked is None or credential is None:
        return page(NOT_KNOWN)
    state = new_state()
    try:
        request = house.authorizing.begin(credential, _redirect_uri(house), state)
    except AuthorizationRefused as refused:
        log.error("credential {id} cannot be authorized: {why}", id=credential.id, why=refused)
        return page(UNFINISHED)
    cookie = house.under_way.leave(asked, state, request.kept)
    return redirect(request.url, cookie, MINUTES * 60)


async def come_back(call: Call) -> Answer:
    _not_head(call)
    house = call.house
    parameters = _parameters(call.raw_query)
    state = parameters.get("state", "")
    left = house.under_way.come_back(state, call.cookies) if state else None
    if left is None:
        return page(NOT_KNOWN)
    credential = _still_asked(house, left.asked)
    if credential is None:
        return page(NOT_KNOWN_ANY_MORE, forget=state)
    try:
        await house.authorizing.finish(credential, _redirect_uri(house), parameters, left.kept)
    except AuthorizationRefused as refused:
        log.warn("credential {id} was not authorized: {why}", id=credential.id, why=refused)
        return page(REFUSED, forget=state)
    in_force = await _put_into_force(house, left.asked)
    return page(AUTHORIZED if in_force else NOT_KNOWN_ANY_MORE, forget=state)


def _not_head(call: Call) -> None:
    """What follows links to show what is behind them must not use them up."""
    if call.is_head:
        raise Refused(405, "This path takes GET only.", headers=(("Allow", "GET"),))


def _redirect_uri(house: CoreHouse) -> str:
    return house.core_public_url + CALLBACK


def _still_asked(house: CoreHouse, asked: Asked) -> Credential | None:
    """The credential, if it is as it was, and who asked may still ask."""
    directory = house.directory
    credential = directory.credentials.get(asked.credential_id)
    user, token = directory.users.get(asked.user_id), directory.token_by_hash.get(asked.token_hash)
    if credential is None or credential.secret_version != asked.secret_version or user is None or token is None:
        return None
    if token.expires_at is not None and token.expires_at <= house.now():
        return None
    role = role_in(house, user, token, asked.client_id)
    return credential if role is not None and role >= Role.ADMIN else None


def _parameters(query: str) -> Mapping[str, str]:
    """The parameters of a callback; none where one is given twice (RFC 6749 3.1), or the query is no right one."""
    if len(query) > LONGEST_QUERY:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        return {}
    parameters = dict(pairs)
    return parameters if len(parameters) == len(pairs) else {}


async def _put_into_force(house: CoreHouse, asked: Asked) -> bool:
    """Whether the credential is still what was authorized."""
    await house.writing.acquire()
    try:
        present = house.directory.credentials.get(asked.credential_id)
        if present is None or present.secret_version != asked.secret_version:
            return False
        changed = evolve(present, needs_authorization=False, temporary=False)
        actor = Actor(asked.user_id, asked.token_id, f"GET {CALLBACK}")
        await house.save(changed, audit=[saving(house, actor, changed, {}), authorizing(house, actor, changed)])
        return True
    finally:
        house.writing.release()


ROUTES = (
    Route(
        method="POST",
        template="/clients/{clientId}/credentials/{credentialId}/authorize",
        handler=authorize,
        success=Success(name="authorize", of=Link, listed=False),
        statuses=(409, 429, 503),
        tries=True,
        bodiless=True,
        help="A link by which a person authorizes the credential at its provider.",
    ),
    Route(
        method="GET",
        template="/oauth2/start/{nonce}",
        handler=start,
        success=Success(of=Message, status=303, pages=True),
        bare=True,
        help="That link: sends the browser to the provider. Works once, for 10 minutes.",
    ),
    Route(
        method="GET",
        template=CALLBACK,
        handler=come_back,
        success=Success(media_type="text/html", pages=True),
        bare=True,
        any_query=True,
        help="Where the provider sends the browser back to: the redirect URI to register there.",
    ),
)
