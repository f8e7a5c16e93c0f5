"""What a scrape gets: read with Prometheus's own parser.

Belongs here: rrgate/metrics/. Does not: a whole gateway that is scraped (tests/gateway/test_metrics.py).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from rrgate.metrics.exposition import Level, Metrics, Total
from rrgate.metrics.figures import BOUNDS, BUSIEST, Figures
from rrgate.metrics.outside_calls import CountedCalls, Outcomes
from rrgate.outside_values import OutsideAnswer, OutsideError


def read(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def metrics(figures: Figures | None = None, **others: Any) -> Metrics:
    values: dict[str, Any] = {"outcomes": Counter(), "events": {}, "levels": (), "totals": (), **others}
    return Metrics((figures or Figures(),), **values)


def count(figures: Figures, proxy_id: str, status: int, seconds: float, target: tuple[int, float] | None) -> None:
    """A request has ended."""
    figures.proxy_times.add(seconds)
    if target is not None:
        figures.target_times.add(target[1])
    figures.had([(proxy_id, 1)])
    figures.ended(status, 0 if target is None else target[0], 1)


def sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_requests_are_counted_by_status_on_each_leg() -> None:
    figures = Figures()
    count(figures, "p", 200, 0.02, (200, 0.01))
    count(figures, "p", 502, 1.5, (502, 1.4))
    count(figures, "p", 401, 0.001, None)
    shown = read(metrics(figures))
    assert {labels: value for (name, labels), value in shown.items() if name == "rrgate_requests_total"} == {
        frozenset({("status", "200")}): 1,
        frozenset({("status", "401")}): 1,
        frozenset({("status", "502")}): 1,
    }
    assert shown[sample("rrgate_target_answers_total", status="502")] == 1
    assert sample("rrgate_target_answers_total", status="401") not in shown
    assert shown[sample("rrgate_request_seconds_count", leg="proxy")] == 3
    assert shown[sample("rrgate_request_seconds_count", leg="target")] == 2
    assert shown[sample("rrgate_request_seconds_sum", leg="target")] == pytest.approx(1.41)
    assert shown[sample("rrgate_request_seconds_bucket", leg="proxy", le="0.005")] == 1
    assert shown[sample("rrgate_request_seconds_bucket", leg="proxy", le="0.025")] == 2
    assert shown[sample("rrgate_request_seconds_bucket", leg="proxy", le="1.0")] == 2
    assert shown[sample("rrgate_request_seconds_bucket", leg="proxy", le="+Inf")] == 3


@given(st.lists(st.floats(0, 1000)))
def test_the_buckets_of_a_histogram_only_grow_and_end_with_all(times: list[float]) -> None:
    figures = Figures()
    for seconds in times:
        count(figures, "p", 200, seconds, None)
    shown = read(metrics(figures))
    buckets = [
        shown[sample("rrgate_request_seconds_bucket", leg="proxy", le=bound)] for bound in (*map(str, BOUNDS), "+Inf")
    ]
    assert buckets == [*(sum(each <= bound for each in times) for bound in BOUNDS), len(times)]


def test_of_many_proxies_the_busiest_have_a_figure() -> None:
    figures = Figures()
    for number in range(3 * BUSIEST):
        for _ in range(number + 1):
            count(figures, f"proxy-{number}", 200, 0, None)
    shown = read(metrics(figures))
    named = {dict(labels)["proxy"] for name, labels in shown if name == "rrgate_proxy_requests_total"}
    assert named == {f"proxy-{number}" for number in range(2 * BUSIEST, 3 * BUSIEST)}


def test_what_several_threads_counted_is_added_up() -> None:
    one, another = Figures(), Figures()
    count(one, "p", 200, 0.02, (200, 0.01))
    count(another, "p", 200, 3, None)
    count(another, "q", 429, 0.001, None)
    values: Any = {"outcomes": Counter(), "events": {}, "levels": (), "totals": ()}
    shown = read(Metrics((one, another), **values))
    assert shown[sample("rrgate_requests_total", status="200")] == 2
    assert shown[sample("rrgate_proxy_requests_total", proxy="p")] == 2
    assert shown[sample("rrgate_request_seconds_count", leg="proxy")] == 3
    assert shown[sample("rrgate_request_seconds_bucket", leg="proxy", le="0.025")] == 2
    assert (one.statuses, another.statuses) == ({200: 1}, {200: 1, 429: 1})


def test_levels_and_totals_are_read_at_each_scrape() -> None:
    now = {"waiting": 3, "written": 10}
    asked = metrics(
        levels=(Level("rrgate_waiting", "Rows.", lambda: now["waiting"]),),
        totals=(Total("rrgate_written", "Rows.", lambda: now["written"]),),
        events={"plugin-fault": 2},
    )
    assert read(asked)[sample("rrgate_waiting")] == 3
    now.update(waiting=0, written=13)
    shown = read(asked)
    assert shown[sample("rrgate_waiting")] == 0
    assert shown[sample("rrgate_written_total")] == 13
    assert shown[sample("rrgate_events_total", kind="plugin-fault")] == 2


def test_what_the_process_uses_is_told_too() -> None:
    shown = read(metrics())
    assert shown[sample("process_resident_memory_bytes")] > 1_000_000
    assert shown[sample("process_open_fds")] > 2


class Outside:
    """Answers with the status it is told, or not at all."""

    status = 0

    async def request(self, method: str, url: str, **others: Any) -> OutsideAnswer:
        """As `CallsOutside`."""
        if not self.status:
            raise OutsideError("refused")
        return OutsideAnswer(self.status, (), b"")


@pytest_twisted.ensureDeferred
async def test_calls_outside_are_counted_by_plugin_and_outcome() -> None:
    outcomes: Outcomes = Counter()
    outside = Outside()
    counted = CountedCalls(outside, "oauth2", outcomes)
    for outside.status in (200, 201, 302, 404, 503, 999):
        await counted.request("POST", "https://provider.example/token")
    outside.status = 0
    with pytest.raises(OutsideError):
        await counted.request("POST", "https://provider.example/token")
    shown = read(metrics(outcomes=outcomes))
    for outcome, count in {"2xx": 2, "3xx": 1, "4xx": 1, "5xx": 2, "failed": 1}.items():
        assert shown[sample("rrgate_outside_calls_total", plugin="oauth2", outcome=outcome)] == count
