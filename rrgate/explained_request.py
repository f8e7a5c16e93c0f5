"""`ExplainedRequest`: the request that would go to a target, with whatever is secret in it masked.

Belongs here: who wrote which part, and masking. Does not: finding out what would be sent (explaining.py).

What is masked is told by origin, not by looking like a secret: whatever was not there when the first plugin that has
secrets (of the target credential's, or a proxy's own) got the request, whoever wrote it then, for who comes after that
plugin may have copied what it wrote.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from rrgate.api import Kind
from rrgate.exchange import Exchange
from rrgate.messages import TargetRequest
from rrgate.names import breaks_a_line, fold_parameter
from rrgate.route import Route
from rrgate.websocket.handshake import OF_ONE_LEG, UPGRADE, VERSION

CALLER: Final = "caller"
GATEWAY: Final = "gateway"
"""Who wrote a part that no plugin wrote."""


@frozen
class Part:
    """A header or parameter, and who wrote it: a plugin, the caller, or the gateway. `raw`: as it stands in a query."""

    name: str
    value: str = field(repr=False)
    writer: str
    raw: str = field(default="", repr=False)


@frozen
class ExplainedRequest:
    """What would be sent, masked. `body`: as it is before the first plugin that has secrets. `body_mask`: what stands
    for that which is added then, or nothing."""

    method: str
    url: str = field(repr=False)
    parameters: tuple[Part, ...]
    headers: tuple[Part, ...]
    body: bytes = field(repr=False)
    body_writer: str
    body_mask: str


@frozen
class Before:
    """A request as it stood when the first plugin that has secrets got it."""

    path: bytes
    query: bytes
    fields: frozenset[tuple[bytes, bytes, bytes]]
    injected: frozenset[tuple[bytes, bytes, str]]
    injected_query: frozenset[tuple[bytes, str]]
    body: bytes
    body_writer: str


def masks_of(route: Route) -> dict[str, str]:
    """What stands for what a plugin writes, by the name under which it writes: of those that have secrets."""
    masks = {name: f"[MASKED:{fingerprint}]" for name, fingerprint in route.own_secrets}
    writer = next((step.plugin for step in route.chain.prepare if step.kind is Kind.CREDENTIAL), None)
    if writer is not None and route.target_credential is not None:
        masks[writer] = f"[MASKED:{route.target_credential.fingerprint}]"
    return masks


def before_secrets(ex: Exchange, callers: bytes) -> Before:
    """`ex.to_target` as it stands now. `callers`: the body that the caller describes."""
    request = ex.to_target
    return Before(
        request.path,
        request.query,
        frozenset(request.fields),
        frozenset(request.injected.values()),
        frozenset(request.injected_query.values()),
        _body(request, callers),
        request.body_writer,
    )


def explained_request(ex: Exchange, hops: str, callers: bytes, before: Before | None) -> ExplainedRequest:
    """What would be sent of `ex`. `hops`: the name of our loop counter. `callers`: the body that the caller describes.

    `before`: None if no plugin that has secrets ran.
    """
    route, request = ex.route, ex.to_target
    assert route is not None
    masks = {} if before is None else masks_of(route)
    # The last of them is the credential's, where there is one.
    mask = next(reversed(masks.values()), "")
    if before is None:
        before = before_secrets(ex, callers)
    # A signer may write it in another spelling.
    same_path = unquote_to_bytes(request.path) == unquote_to_bytes(before.path)
    path = request.path.decode("latin-1") if same_path else f"/{mask}"
    parameters = _parameters(request, before, masks)
    query = "&".join(part.raw for part in parameters)
    scheme = "https" if route.endpoint.tls else "http"
    url = f"{scheme}://{route.authority.decode('latin-1')}{path}{request.query_mark.decode()}{query}"
    body = _body(request, callers)
    return ExplainedRequest(
        request.method.decode("latin-1"),
        url,
        parameters,
        _headers(request, route, before, masks, (hops, str(ex.hops + 1)), ex.handshake is not None),
        before.body,
        before.body_writer or (CALLER if before.body else ""),
        mask if body != before.body else "",
    )


def would_split(request: TargetRequest) -> bool:
    """Whether a part of its head would end a line there, so that it is not sent."""
    fields = [*((name, value) for _, name, value in request.fields), *(each[:2] for each in request.injected.values())]
    parts = (request.method, request.path, request.query, *(part for field in fields for part in field))
    return any(map(breaks_a_line, parts))


def _body(request: TargetRequest, callers: bytes) -> bytes:
    if request.body is not None:
        return request.body
    return b"" if request.stream is None else callers


def _mask(masks: dict[str, str], writer: str) -> tuple[str, str]:
    """(who, what stands for it) of what `writer` wrote; of the last that has secrets if it has none itself."""
    if writer not in masks:
        writer = next(reversed(masks))
    return writer, masks[writer]


def _parameters(request: TargetRequest, before: Before, masks: dict[str, str]) -> tuple[Part, ...]:
    known = [_plain(part) for part in before.query.split(b"&")]
    parts = []
    for part in request.query.split(b"&") if request.query else ():
        name, _, value = part.partition(b"=")
        injected = request.injected_query.get(fold_parameter(name))
        shown, writer = name.decode("latin-1"), CALLER if injected is None else injected[1]
        there = _plain(part) in known and (injected is None or injected in before.injected_query)
        if masks and not there:
            who, mask = _mask(masks, writer)
            if injected is None:
                # Written by none of the methods: nothing says where its name ends.
                shown, writer = mask, who
            parts.append(Part(shown, mask, writer, f"{shown}={mask}"))
        else:
            parts.append(Part(shown, value.decode("latin-1"), writer, part.decode("latin-1")))
    return tuple(parts)


def _plain(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))


def _headers(
    request: TargetRequest,
    route: Route,
    before: Before,
    masks: dict[str, str],
    hops: tuple[str, str],
    handshake: bool,
) -> tuple[Part, ...]:
    parts = [Part("Host", route.authority.decode("latin-1"), GATEWAY)]
    for known in request.fields:
        folded, name, value = known
        if folded not in request.injected:
            if masks and known not in before.fields:
                writer, shown = _mask(masks, CALLER)
            else:
                writer, shown = CALLER, value.decode("latin-1")
            parts.append(Part(name.decode("latin-1"), shown, writer))
    for folded, written in request.injected.items():
        name, value, writer = written
        if handshake and folded in OF_ONE_LEG:
            continue
        hidden = bool(masks) and written not in before.injected
        shown = _mask(masks, writer)[1] if hidden else value.decode("latin-1")
        parts.append(Part(name.decode("latin-1"), shown, writer))
    parts.append(Part(*hops, GATEWAY))
    if handshake:
        parts += [Part(name.decode(), value.decode(), GATEWAY) for name, value in (*UPGRADE, VERSION)]
        parts.append(Part("Sec-WebSocket-Key", "(another for each)", GATEWAY))
    return tuple(parts)
