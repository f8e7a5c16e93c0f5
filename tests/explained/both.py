"""`both`: the explanation of a request and the request itself, on one gateway in memory, and how they differ.

Belongs here: asking for each, and comparing them part by part. Does not: which requests (the tests beside it), how an
explanation is found out (rrgate/explaining.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred

from rrgate.core.explain import SHOWN_BYTES, WantedExplanation, described, document_of
from rrgate.explaining import Explainer
from rrgate.model import Proxy
from rrgate.structuring import structure
from rrgate.testing import MemoryGateway
from rrgate.testing.messages import Answer, Received
from rrgate.waiting import run_deferred

CALLER = "203.0.113.9"
"""Where callers of a gateway in memory come from."""
LATER = frozenset({"requestSent", "responseReceived"})
"""Checks that only a request which is sent can pass."""
MASK = "[MASKED:"

Fields = tuple[tuple[str, str], ...]


@frozen
class Asked:
    """A request. `shown`: what its caller shows besides, of which an explanation is told nothing.

    `claims`: what is in that, which an explanation is told in its place. `to`: the path and query with which it is
    sent, where the caller's credential is in there.
    """

    method: str = "GET"
    path: str = "/"
    headers: Fields = ()
    body: bytes | None = None
    shown: Fields = ()
    claims: Mapping[str, Any] = field(factory=dict)
    to: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """It as the Core API takes it."""
        headers: dict[str, list[str]] = {}
        for name, value in self.headers:
            headers.setdefault(name, []).append(value)
        body = {} if self.body is None else {"body": self.body.decode()}
        identity = {"claims": dict(self.claims)}
        said = {"method": self.method, "path": self.path, "headers": headers, "address": CALLER}
        return {**said, "identity": identity, **body}


@frozen
class Told:
    """What one request came to, told twice. `sent`: what the target received of it, if it did."""

    explained: Any
    answer: Answer
    record: Any
    sent: Received | None

    @property
    def refusal(self) -> tuple[int, str, str] | None:
        """Status, code and message, if the gateway refused it."""
        if self.sent is not None:
            return None
        return self.answer.status, self.answer["requestrocket-proxy-code"], self.answer["requestrocket-proxy-message"]


def explained(gateway: MemoryGateway, proxy: Proxy, asked: Asked) -> Any:
    """What the Core API would answer under `explain`, but for the retry plan."""
    explainer = Explainer(
        gateway.directory,
        gateway.clock,
        gateway.clock.wall,
        prefix=gateway.settings.header_prefix,
        regions=frozenset(gateway.settings.regions),
        tell=gateway.events.append,
    )
    wanted = structure(asked.document, WantedExplanation, "")
    running = run_deferred(explainer.explain(proxy, described(wanted, proxy)))
    gateway.clock.settle()
    return document_of(_result(running))


def _result(running: Deferred[Any]) -> Any:
    results: list[Any] = []
    running.addBoth(results.append)
    (result,) = results
    if isinstance(result, BaseException) or hasattr(result, "raiseException"):
        result.raiseException()
    return result


def called(gateway: MemoryGateway, proxy: Proxy, asked: Asked) -> tuple[Answer, Any, Received | None]:
    """The answer to the real request, its record, and what the target received."""
    before = len(gateway.target.received)
    headers = (*asked.headers, *asked.shown)
    answer = gateway.call(asked.method, proxy, asked.to or asked.path, headers, asked.body).answer
    received = gateway.target.received[before:]
    assert len(received) < 2
    record = gateway.records[-1][0]
    return answer, record, received[0] if received else None


def both(gateway: MemoryGateway, proxy: Proxy, asked: Asked, between: Callable[[], object] = lambda: None) -> Told:
    """Explains the request, which is to change nothing, then sends it, and fails where they differ."""
    counted = len(gateway.records), gateway.dialer.target("target.test").connections
    told = explained(gateway, proxy, asked)
    assert (len(gateway.records), gateway.dialer.target("target.test").connections) == counted
    between()
    result = Told(told, *called(gateway, proxy, asked))
    found = differences(result)
    assert not found, found
    return result


def differences(told: Told) -> dict[str, tuple[Any, Any]]:
    """(explained, real) of each part that differs, by its name."""
    explained, real = told.explained, told.record
    pairs: dict[str, tuple[Any, Any]] = {
        "outcome": (explained["outcome"], "refused" if told.sent is None else "sent"),
        "refusal": (_refusal(explained), told.refusal),
        "rule": (explained["ruleId"], real.get("ruleId")),
        "warnings": (_warnings(told), told.answer["requestrocket-proxy-warning"]),
        "checks": (_checks(explained["validationData"]), _checks(real["validationData"])),
    }
    if told.sent is not None and explained["request"] is not None:
        pairs |= _sent(explained["request"], told.sent)
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _refusal(explained: Any) -> tuple[int, str, str] | None:
    parts = explained["status"], explained["code"], explained["message"]
    return None if parts == (None, None, None) else parts


def _warnings(told: Told) -> str:
    # Who is not known is not warned, whatever there is to warn of.
    return "; ".join(told.explained["warnings"])


def _checks(checks: Mapping[str, bool]) -> set[str]:
    return {name for name, passed in checks.items() if passed} - LATER


def _sent(request: Any, sent: Received) -> dict[str, tuple[Any, Any]]:
    url = urlsplit(request["url"])
    real_fields = [field for field in sent.fields if field[0].lower() not in ("content-length", "transfer-encoding")]
    told_fields = [(part["name"], part["value"]) for part in request["headers"]]
    body = request["body"]
    pairs = {
        "method": (request["method"], sent.method),
        "host": (url.netloc, sent["Host"]),
        "path": _alike(url.path, sent.path),
        "query mark": ("?" in request["url"], b"?" in sent.raw.split(b"\r\n")[0]),
        "query": _named_alike(_split(url.query), _split(sent.query)),
        "headers": _named_alike(sorted(told_fields), sorted(real_fields)),
    }
    if body is None:
        pairs["body"] = (b"", sent.body)
    elif "credentialAdds" in body:
        pairs["body"] = (True, body["text"].encode() != sent.body)
    else:
        shown = body["text"].encode()
        pairs["body"] = ((shown, body["bytes"]), (sent.body[:SHOWN_BYTES], len(sent.body)))
    return pairs


def _split(query: str) -> list[tuple[str, str]]:
    parts = [part.partition("=") for part in query.split("&")] if query else []
    return [(name + mark, value) for name, mark, value in parts]


def _named_alike(
    told: list[tuple[str, str]], real: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """`told` with what is masked as it is really, if the names are the same."""
    if [name for name, _ in told] == [name for name, _ in real]:
        told = [(name, _alike(value, other)[0]) for (name, value), (_, other) in zip(told, real, strict=True)]
    return told, real


def _alike(told: str, real: str) -> tuple[str, str]:
    return (real if told.removeprefix("/").startswith(MASK) else told), real


def shows_nothing_of(told: Told, *secrets: str) -> None:
    """Fails if one of them is in the explanation."""
    text = json.dumps(told.explained)
    assert not [secret for secret in secrets if secret in text]


def with_key(asked: Asked, name: str = "X-Api-Key", value: str = "caller-key-0001") -> Asked:
    """The same from a caller who shows this key."""
    return evolve(asked, shown=(*asked.shown, (name, value)))
