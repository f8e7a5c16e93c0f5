"""/…/explain of a proxy: what would become of a request, with nothing sent and nothing counted.

Belongs here: reading the described request, and the published form of its explanation. Does not: finding it out
(rrgate/explaining.py), masking (rrgate/explained_request.py).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from attrs import field, frozen

from rrgate.api import Fields, Identity, Problem, fold, is_token
from rrgate.core.answers import Answer
from rrgate.core.checking import owned, refuse_if
from rrgate.core.house import CoreHouse
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Explanation as ShownExplanation
from rrgate.core.shapes import Success
from rrgate.deliveries import REPEATABLE
from rrgate.explained_request import ExplainedRequest, Part
from rrgate.explanation import Described, Explanation, StepTold
from rrgate.json_text import plain_number
from rrgate.model import Proxy
from rrgate.model.retry_policy import MOST_RETRIES, RetryPolicy
from rrgate.model.rule import METHODS
from rrgate.names import is_host
from rrgate.structuring import structure
from rrgate.waiting import run_deferred

LONGEST_TARGET: Final = 16_384
MOST_FIELDS: Final = 100
SHOWN_BYTES: Final = 65_536
"""Of a body."""


@frozen
class Assumed:
    """Who calls. `claims`: what rules may judge by."""

    subject: str = "explained"
    claims: dict[str, Any] = field(factory=dict)


@frozen
class WantedExplanation:
    """The body of the route. `path`: behind the proxy's address, with the query. `body`: text; or `body_base64`."""

    method: str = "GET"
    path: str = "/"
    headers: dict[str, str | list[str]] = field(factory=dict)
    body: str | None = None
    body_base64: str | None = None
    identity: Assumed = field(factory=Assumed)
    address: str = "127.0.0.1"


def described(wanted: WantedExplanation, proxy: Proxy) -> Described:
    """`wanted` as the pipeline takes requests. Raises ConfigError with everything that no request could have."""
    problems: list[Problem] = []
    if wanted.method not in METHODS:
        problems.append(Problem("method", "must be one that is forwarded, such as GET; no other comes to a proxy"))
    path = wanted.path
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path or "#" in path:
        problems.append(Problem("path", "must begin with / and be of visible ASCII characters, without #"))
    elif len(path) > LONGEST_TARGET:
        problems.append(Problem("path", f"must have at most {LONGEST_TARGET} characters"))
    fields = _fields(wanted.headers, problems)
    body = (wanted.body or "").encode("utf-8", "replace")
    if wanted.body_base64 is not None:
        if wanted.body is not None:
            problems.append(Problem("bodyBase64", "must not be given with body"))
        try:
            body = b64decode(wanted.body_base64, validate=True)
        except ValueError:
            problems.append(Problem("bodyBase64", "is not Base64 (RFC 4648 4)"))
    try:
        ip_address(wanted.address)
    except ValueError:
        problems.append(Problem("address", "must be an IP address, such as 203.0.113.7"))
    websocket = any(folded == b"upgrade" for folded, _, _ in fields)
    if websocket and (wanted.method != "GET" or body):
        problems.append(Problem("headers.Upgrade", "asks for a WebSocket, which is a GET without a body"))
    refuse_if(problems)
    identity = Identity(wanted.identity.subject, proxy.proxy_credential_id, wanted.identity.claims)
    return Described(wanted.method.encode(), path.encode(), fields, body, identity, wanted.address, websocket)


def _fields(headers: Mapping[str, str | list[str]], problems: list[Problem]) -> Fields:
    fields: Fields = []
    for name, given in headers.items():
        raw = name.encode("utf-8", "replace")
        if not is_token(raw):
            problems.append(Problem("headers", f"{name[:64]!r} is no header name (RFC 9110 5.6.2)"))
            continue
        if fold(raw) in _FRAMING and (fold(raw), str(given).lower()) != _WEBSOCKET:
            problems.append(Problem(f"headers.{name}", "is written where a request is sent; leave it out"))
            continue
        for value in [given] if isinstance(given, str) else given:
            line = value.encode("latin-1", "replace")
            if _CONTROL.search(line) or line.decode("latin-1") != value or value != value.strip(" \t"):
                problems.append(Problem(f"headers.{name}", "must be a field value (RFC 9110 5.5)"))
            else:
                fields.append((fold(raw), raw, line))
    if len(fields) > MOST_FIELDS:
        problems.append(Problem("headers", f"must be at most {MOST_FIELDS} fields"))
    hosts = [value for folded, _, value in fields if folded == b"host"]
    if not hosts:
        fields.insert(0, (b"host", b"Host", b"localhost"))
    elif len(hosts) > 1 or not is_host(hosts[0]):
        problems.append(Problem("headers.Host", "must be one name or address, with a port if need be (RFC 9110 7.2)"))
    return fields


_FRAMING: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"connection", b"expect", b"te", b"trailer", b"upgrade")
)


_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What no value of a field has (RFC 9110 5.5)."""

_WEBSOCKET: Final = (b"upgrade", "websocket")


def document_of(explanation: Explanation, plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An explanation as published. `plan`: see `retry_plan`."""
    request = explanation.request
    return {
        "outcome": "refused" if request is None else "sent",
        "complete": explanation.complete,
        "status": explanation.status,
        "code": explanation.code or None,
        "message": explanation.message or None,
        "ruleId": explanation.deciding_rule or None,
        "steps": [_step(step) for step in explanation.steps],
        "request": None if request is None else _request(request),
        "retryPlan": None if request is None else plan,
        "warnings": list(explanation.warnings),
        "validationData": dict(explanation.checks),
    }


def retry_plan(house: CoreHouse, proxy: Proxy, described: Described, retries_by: str) -> dict[str, Any]:
    """When the Async API would send the request again."""
    serves = {plugin.name for plugin in house.registry.plugins if "proxyRetryPolicy" in plugin.serves}
    policy = proxy.retry_policy or RetryPolicy()
    known = retries_by in serves
    has_key = any(folded == b"idempotency-key" for folded, _, _ in described.fields)
    return {
        "plugin": retries_by or None,
        "mostAttempts": 1 if not retries_by else policy.max_retries + 1 if known else MOST_RETRIES + 1,
        "window": plain_number(policy.window),
        "longestWaits": list(map(plain_number, policy.longest_waits)) if known else None,
        "statuses": sorted(policy.statuses) if known else None,
        "repeatedAfterCrash": has_key or described.method in REPEATABLE,
        "idempotencyKey": "caller" if has_key else "request" if proxy.auto_idempotency_key else None,
    }


def _step(step: StepTold) -> dict[str, Any]:
    return {
        "plugin": step.plugin,
        "phase": step.phase,
        "outcome": step.outcome,
        "reason": step.reason or None,
        "notes": [
            {name: plain_number(each) if isinstance(each, float) else each for name, each in note.items()}
            for note in step.notes
        ],
    }


def _request(request: ExplainedRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": [_part(part) for part in request.headers],
        "queryParams": [_part(part) for part in request.parameters],
        "body": _body(request),
    }


def _part(part: Part) -> dict[str, str]:
    return {"name": part.name, "value": part.value, "writtenBy": part.writer}


def _body(request: ExplainedRequest) -> dict[str, Any] | None:
    if not request.body and not request.body_mask:
        return None
    shown = request.body[:SHOWN_BYTES]
    document: dict[str, Any] = {"bytes": len(request.body), "writtenBy": request.body_writer or None}
    try:
        document["text"] = shown.decode("utf-8", "strict" if len(shown) == len(request.body) else "ignore")
    except UnicodeDecodeError:
        document["base64"] = b64encode(shown).decode()
    if request.body_mask:
        document["credentialAdds"] = request.body_mask
    return document


async def explain(call: Call) -> Answer:
    """What would become of the request that the body describes."""
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    wanted: WantedExplanation = structure(call.document, WantedExplanation, "")
    request = described(wanted, proxy)
    running = run_deferred(call.house.explaining.explain(proxy, request))
    explanation = await call.presence.while_here(running)
    plan = None if request.websocket else retry_plan(call.house, proxy, request, explanation.retries_by)
    return Answer(200, {"explain": document_of(explanation, plan), "message": "Success"})


ROUTES = (
    Route(
        method="POST",
        template="/clients/{clientId}/proxies/{proxyId}/explain",
        handler=explain,
        noun=WantedExplanation,
        success=Success(name="explain", of=ShownExplanation, listed=False),
        tries=True,
        help="What would become of a request: each step's verdict, and what would be sent. Nothing is sent or counted.",
    ),
)
