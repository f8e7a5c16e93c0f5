"""docs/metrics.md: its table is what a gateway exposes.

Belongs here: that page. Does not: the figures (tests/metrics/, tests/gateway/test_metrics.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from prometheus_client import Metric

from rrgate.delivery.bounds import Depth
from rrgate.gateway_metrics import gateway_metrics
from rrgate.metrics.figures import Figures
from tests.docs.pages import ROOT


class Anything:
    """A part of a gateway of which everything is 0."""

    figures = (Figures(),)

    def __getattr__(self, name: str) -> Any:
        if name == "websockets":
            return SimpleNamespace(open=0)
        return [] if name == "connections" else 0


class Queue:
    """One in which nothing waits."""

    depth = Depth(0, 0, None)
    attempts: Mapping[tuple[str, str], int] = {}
    commits = 0
    makes_room = SimpleNamespace(removed=0, forgets=SimpleNamespace(forgotten=0))

    def now(self) -> int:
        return 0


def row(metric: Metric) -> str:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # type: ignore[attr-defined]
    return f"| `{name}` | {labels} | {metric.documentation} |"


def test_the_table_is_what_is_exposed() -> None:
    part: Any = Anything()
    delivery: Any = SimpleNamespace(queue=Queue(), worker=part)
    metrics = gateway_metrics(
        Counter(),
        {},
        is_ready=lambda: True,
        listener=part,
        entrance=part,
        pool=part,
        journal=part,
        delivery=delivery,
        refused={},
    )
    expected = "\n".join(["| --- | --- | --- |", *map(row, metrics.collect())])
    assert expected + "\n\n" in (ROOT / "docs" / "metrics.md").read_text("utf-8")
