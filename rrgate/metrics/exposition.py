"""`Metrics`: what a scrape by Prometheus gets.

Belongs here: names, help texts and labels of the metrics, in one place, and their text. Does not: counting
(figures.py), who may read them (core/metrics.py, listener.py).

No label comes from a request: statuses are numbers, plugins and kinds of events those that are installed, proxies the
busiest hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Final

from attrs import field, frozen
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from rrgate.metrics.figures import BOUNDS, Figures, Spread
from rrgate.metrics.outside_calls import Outcomes

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


@frozen
class Level:
    """A figure that goes up and down, asked for at each scrape."""

    name: str
    help: str
    read: Callable[[], float]


@frozen
class Total:
    """A figure that only goes up. Its name has no `_total`, which is added."""

    name: str
    help: str
    read: Callable[[], float]


@frozen(eq=False)
class Metrics(Collector):
    """The metrics of one gateway. On the reactor's thread."""

    counted: tuple[Figures, ...]
    """Each on a thread of its own."""
    outcomes: Outcomes
    events: Mapping[str, int]
    """By kind, those too that are not told because their like was."""
    levels: tuple[Level, ...]
    totals: tuple[Total, ...]
    attempts: Mapping[tuple[str, str], int] = field(factory=dict)
    """Of the Async API: by what they were of, and the state that they led to."""
    refused: Mapping[str, int] = field(factory=dict)
    """Whoever found too many before it, by the bound."""

    def text(self) -> bytes:
        """All of them, in the text format that `CONTENT_TYPE` names."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client."""
        figures = Figures.together(self.counted)
        info = GaugeMetricFamily("rrgate_info", "The version that runs; always 1.", labels=["version"])
        info.add_metric([version("rrgate")], 1)
        yield info
        yield _by_number("rrgate_requests", "Requests that ended, by the status answered.", "status", figures.statuses)
        yield _by_number(
            "rrgate_target_answers",
            "Requests that were sent to targets, attempts at asynchronous ones included, by the status that came back; "
            "without an answer, by what was answered for that.",
            "status",
            figures.target_statuses,
        )
        times = HistogramMetricFamily(
            "rrgate_request_seconds",
            "How long requests took: proxy, from head to last byte; target, from being sent to the head of the answer.",
            labels=["leg"],
        )
        for leg, spread in (("proxy", figures.proxy_times), ("target", figures.target_times)):
            times.add_metric([leg], *_cumulated(spread))
        yield times
        proxies = CounterMetricFamily(
            "rrgate_proxy_requests", "Requests that ended, of the 100 proxies with the most.", labels=["proxy"]
        )
        for proxy_id, count in figures.busiest():
            proxies.add_metric([proxy_id], count)
        yield proxies
        calls = CounterMetricFamily(
            "rrgate_outside_calls",
            "Calls of plugins to servers that are no targets, such as token endpoints: by plugin and outcome.",
            labels=["plugin", "outcome"],
        )
        for (plugin, outcome), count in sorted(self.outcomes.items()):
            calls.add_metric([plugin, outcome], count)
        yield calls
        events = CounterMetricFamily("rrgate_events", "What the operator would want to know, by kind.", labels=["kind"])
        for kind, count in sorted(self.events.items()):
            events.add_metric([kind], count)
        yield events
        attempts = CounterMetricFamily(
            "rrgate_async_attempts",
            "Attempts at asynchronous requests, and callbacks, that have ended: by the state that this led to.",
            labels=["of", "state"],
        )
        for (of, state), count in sorted(self.attempts.items()):
            attempts.add_metric([of, state], count)
        yield attempts
        refused = CounterMetricFamily(
            "rrgate_overload_refusals",
            "Requests and connections that were refused because there were too many, by the bound that was reached.",
            labels=["bound"],
        )
        for bound, count in self.refused.items():
            refused.add_metric([bound], count)
        yield refused
        for level in self.levels:
            yield GaugeMetricFamily(level.name, level.help, level.read())
        for total in self.totals:
            yield CounterMetricFamily(total.name, total.help, total.read())


def _by_number(name: str, help: str, label: str, counts: Mapping[int, int]) -> Metric:
    family = CounterMetricFamily(name, help, labels=[label])
    for number, count in sorted(counts.items()):
        family.add_metric([str(number)], count)
    return family


def _cumulated(spread: Spread) -> tuple[list[tuple[str, float]], float]:
    total, buckets = 0.0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), tuple(spread.buckets), strict=True):
        total += count
        buckets.append((bound, total))
    return buckets, spread.seconds
