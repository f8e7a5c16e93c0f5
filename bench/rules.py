"""What judging by many rules costs a request, in this process: `python -m bench.rules`.

Belongs here: the judge alone, with requests that no rule matches. Does not: requests over sockets (bench/__main__.py).
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from typing import Any

from rrgate.model import Rule, RuleScope, Scope
from rrgate.model.documents import read_new
from rrgate.model.rule_documents import third_spelling
from rrgate.paths import judge_path
from rrgate_plugins.rules.judging import Judge

FIELDS = [
    (name.lower(), name, b"a value of usual length")
    for name in (b"Accept", b"User-Agent", b"Accept-Encoding", b"Content-Type", b"X-Request-Id", b"Traceparent")
]


class Request:
    """As much of an Exchange as rules ask for."""

    query = b"limit=100&cursor=abcdef"

    def __init__(self, path: bytes) -> None:
        self.method = b"GET"
        self.forms = judge_path(path)

    def crossing_fields(self) -> Any:
        return FIELDS

    def crossing_query(self) -> bytes:
        return self.query


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "another method": lambda number: {"methods": ["DELETE"]},
    "another method, any path": lambda number: {"methods": ["DELETE"], "path": "^/[0-9]+"},
    "another path": lambda number: {"path": f"^/v1/resource{number}/[0-9]+$"},
    "another header": lambda number: {"headers": [{"name": f"^x-header-{number}$"}]},
    "another parameter": lambda number: {"query": [{"name": f"^parameter{number}$"}]},
    "nothing to find them by": lambda number: {"path": "^/[0-9]+/" + "[a-z]" * (number % 5 + 1)},
}
"""The checks of the rule of a number, as the Core API takes them."""


def rules(count: int, kind: Callable[[int], dict[str, Any]]) -> list[RuleScope]:
    """`count` deny rules, evenly over the four scopes."""
    made = [
        Rule(
            id=str(number), client_id="c", user_id="u", parent_id="p", created_at=number, updated_at=number,
            **read_new(Rule, third_spelling({"effect": "deny", **kind(number)})),
        )
        for number in range(count)
    ]  # fmt: skip
    return [
        RuleScope(scope=scope, parent_id="p", rules=tuple(made[place :: len(Scope)]))
        for place, scope in enumerate(Scope)
    ]


def main() -> None:
    """Print a row for each kind and number of rules: CPU, the best of five runs."""
    print(f"{'the rules have':28} {'path':10} {'rules':>6} {'compiled, ms':>13} {'a request, µs':>14}")
    for name, kind in KINDS.items():
        for shape, raw in (("plain", b"/v1/customers/cus_123/sources"), ("escaped", b"/v1/a%2Fb;x//c%20d")):
            for count in (1, 100, 1000):
                scopes = rules(count, kind)
                begun = time.process_time()
                judge = Judge(scopes)
                compiled = (time.process_time() - begun) * 1e3
                request: Any = Request(raw)
                judge.verdict(request)
                runs = 200 if name.startswith("nothing") else 5000
                took = timeit.repeat(lambda: judge.verdict(request), timer=time.process_time, number=runs, repeat=5)  # noqa: B023
                cost = min(took) / runs * 1e6
                print(f"{name:28} {shape:10} {count:6} {compiled:13.1f} {cost:14.2f}")


if __name__ == "__main__":
    main()
