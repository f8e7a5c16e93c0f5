"""A gateway in memory, one proxy with rules, one request: what became of it.

Belongs here: making rules from documents as the Core API takes them, and asking. Does not: any expectation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, frozen

from rrgate.model import Proxy, Rule, Scope
from rrgate.model.documents import read_new
from rrgate.model.rule_documents import third_spelling
from rrgate.testing import MemoryGateway

KEY = "a-caller-s-key"
CALLER = ("apiKey", {"key": "X-Api-Key", "value": KEY})
TOWARDS = ("bearer", {"token": "a-target-s-token"})

Document = Mapping[str, Any]
Given = Mapping[Scope, Iterable[Document]] | Iterable[Document]
"""Rules by scope, or of the proxy alone."""

_CHECKS = {
    Scope.PROXY_CREDENTIAL: "proxyCredentialScopeValid",
    Scope.TARGET_CREDENTIAL: "targetCredentialScopeValid",
    Scope.PROXY: "proxyScopeValid",
    Scope.TARGET: "targetScopeValid",
}


def deny(path: object = None, **document: Any) -> Document:
    """A rule that denies, by `path` if one is given."""
    return {"effect": "deny", **({} if path is None else {"path": path}), **document}


def allow(path: object = None, **document: Any) -> Document:
    """A rule that allows."""
    return {**deny(path, **document), "effect": "allow"}


def header(name: str, value: str | None = None, **more: Any) -> Document:
    """A rule's check of a header, or of a query parameter."""
    return {"name": name, **({} if value is None else {"matchValue": value}), **more}


@frozen
class Outcome:
    """What became of a request. `scopes`: those that are said to have allowed. `arrived`: it reached the target."""

    status: int
    message: str
    code: str
    rule: str | None
    scopes: frozenset[Scope]
    arrived: bool

    @property
    def passed(self) -> bool:
        """Whether it passed; it is forwarded exactly then."""
        assert self.arrived == (self.status == 200)
        assert self.status in (200, 403)
        return self.status == 200


class Judged:
    """One proxy, made anew for each question."""

    def __init__(self, **target: Any) -> None:
        self.gateway = MemoryGateway()
        self._target = target
        self._numbers = itertools.count(1)

    def proxy(self, given: Given, default: Mapping[Scope, str] | str = "allow", **settings: Any) -> Proxy:
        """A proxy with these rules. Ids of rules are `r1`, `r2` … in the order given. `default`: the proxy's, or by
        scope."""
        directory = self.gateway.directory
        proxy = self.gateway.proxy(caller=CALLER, towards=TOWARDS, target=self._target, **settings)
        parents: dict[Scope, Any] = {
            Scope.PROXY_CREDENTIAL: directory.credentials[proxy.proxy_credential_id],
            Scope.TARGET_CREDENTIAL: directory.credentials[proxy.target_credential_id],
            Scope.PROXY: proxy,
            Scope.TARGET: directory.targets[proxy.target_id],
        }
        by_scope = {Scope.PROXY: default} if isinstance(default, str) else default
        for scope, effect in by_scope.items():
            directory.put(evolve(parents[scope], default_rule_effect=effect))
        number = itertools.count(1)
        rules = given if isinstance(given, Mapping) else {Scope.PROXY: given}
        for scope, documents in rules.items():
            for document in documents:
                directory.put(rule_of(document, f"r{next(number)}", parents[scope].id, proxy.client_id))
        return directory.proxies[proxy.id]

    def ask(
        self,
        given: Given,
        request: str = "GET /",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        default: Mapping[Scope, str] | str = "allow",
        *,
        key: str | None = KEY,
        **settings: Any,
    ) -> Outcome:
        """`request`: method and path with query. `headers`: beside the caller's key."""
        proxy = self.proxy(given, default, **settings)
        method, _, path = request.partition(" ")
        fields = list(headers.items() if isinstance(headers, Mapping) else headers)
        if key is not None:
            fields.append(("X-Api-Key", key))
        before = len(self.gateway.target.received)
        answer = self.gateway.call(method, proxy, path, fields).answer
        record = self.gateway.records[-1][0]
        said: Any = record["validationData"]
        return Outcome(
            answer.status,
            "" if answer.status == 200 else answer["requestrocket-proxy-message"],
            answer["requestrocket-proxy-code"],
            record["ruleId"],  # type: ignore[arg-type]
            frozenset(scope for scope, name in _CHECKS.items() if said[name]),
            len(self.gateway.target.received) > before,
        )


def rule_of(document: Document, rule_id: str = "r1", parent_id: str = "p1", client_id: str = "c1") -> Rule:
    """The rule that a POST of `document` makes, whether or not a plugin would take it."""
    return Rule(
        id=rule_id,
        client_id=client_id,
        user_id="u1",
        parent_id=parent_id,
        created_at=1,
        updated_at=1,
        **read_new(Rule, third_spelling(document)),
    )
