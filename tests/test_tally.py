"""What telemetry counts of each outcome, in which minute, for proxy and client.

Belongs here: tally.py, and counts that are added up. Does not: tables (store/test_telemetry.py).
"""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from rrgate.exchange import Exchange
from rrgate.record import snapshot
from rrgate.store.counts import Counts, Entry, added_up, span_of
from rrgate.tally import Tally
from tests.telemetry_sums import smoothed
from tests.test_record import forwarded, route

MINUTE = 1_700_000_000 // 60


class Proxy(SimpleNamespace):
    __hash__ = object.__hash__


class Routed(SimpleNamespace):
    __hash__ = object.__hash__


def routed(proxy: str = "p1", client: str = "c1") -> Any:
    known = vars(route()) | {"proxy": Proxy(id=proxy, client_id=client, user_id="u")}
    return Routed(**known)


def outcome(**changes: Any) -> Exchange:
    return forwarded(**{"route": routed(), "answered_at": 100.3, **changes})


def counted(*exchanges: Exchange, country: Any = lambda address: "NZ") -> dict[tuple[str, int], Counts]:
    tally = Tally(country)
    for ex in exchanges:
        tally.count(snapshot(ex))
    return by_scope(tally)


def by_scope(tally: Tally) -> dict[tuple[str, int], Counts]:
    return {(entry[0], entry[1]): Counts.of(entry) for entry in tally.take()}


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"final_status": 200, "target_status": 200}, {"200:proxy": [1, 300000], "200:target": [1, 250000]}),
        ({"final_status": 502, "target_status": 200}, {"502:proxy": [1, 300000], "200:target": [1, 250000]}),
        (
            {"final_status": 504, "target_status": 0, "response_at": 0.0},
            {"504:proxy": [1, 300000], "504:target": [1, 299000]},
        ),
        (
            {"final_status": 0, "target_status": 0, "response_at": 0.0},
            {"499:proxy": [1, 300000], "499:target": [1, 299000]},
        ),
        ({"final_status": 401, "target_status": 0, "sent_at": 0.0, "response_at": 0.0}, {"401:proxy": [1, 300000]}),
        ({"final_status": 101, "target_status": 101}, {"101:proxy": [1, 300000], "101:target": [1, 250000]}),
    ],
)
def test_codes_of_both_legs(changes: dict[str, Any], codes: dict[str, list[int]]) -> None:
    found = counted(outcome(**changes))
    assert set(found) == {("p1", MINUTE), ("c1", MINUTE)}
    for counts in found.values():
        assert counts.codes == codes
        assert counts.countries == {f"NZ:{key.partition(':')[2]}": sums for key, sums in codes.items()}
        assert (counts.requests, counts.first, counts.average) == (1, pytest.approx(0.3), pytest.approx(0.3))


@pytest.mark.parametrize(
    ("story", "changes", "codes"),
    [
        ("beginning", {"final_status": 202, "sent_at": 0.0, "response_at": 0.0}, {"202:proxy": [1, 300000]}),
        ("attempt", {"final_status": 503, "target_status": 503}, {"503:target": [1, 250000]}),
        ("attempt", {"final_status": 502, "target_status": 0, "response_at": 0.0}, {"502:target": [1, 299000]}),
        ("attempt", {"final_status": 503, "sent_at": 0.0, "response_at": 0.0}, {}),
        ("last", {"final_status": 200, "target_status": 200}, {"200:target": [1, 250000]}),
        ("last", {"final_status": 503, "sent_at": 0.0, "response_at": 0.0}, {}),
        ("end", {"final_status": 499, "target_status": 503}, {}),
        ("again", {"final_status": 202, "sent_at": 0.0, "response_at": 0.0}, {}),
    ],
)
def test_of_an_asynchronous_request_its_coming_and_each_attempt_are_counted(
    story: Any, changes: dict[str, Any], codes: dict[str, list[int]]
) -> None:
    ex = outcome(**changes)
    ex.story = story
    ex.started -= 7200  # it came two hours before
    ex.wall_started -= 7200
    came = story == "beginning"
    if came:
        ex.answered_at = ex.started + 0.3
    found = counted(ex)
    assert set(found) == ({(scope, MINUTE - 120 * came) for scope in ("p1", "c1")} if codes else set())
    for counts in found.values():
        assert counts.codes == codes
        assert counts.countries == {f"NZ:{key.partition(':')[2]}": sums for key, sums in codes.items()}
        assert (counts.requests, counts.average > 0) == (came, came), "which are of requests"


@pytest.mark.parametrize("order", ["at once", "one by one", "as written"])
def test_attempts_leave_the_moving_average_as_it_is(order: str) -> None:
    def attempt() -> Exchange:
        ex = outcome()
        ex.story = "attempt"
        return ex

    came = [1.0, 0.5, 0.25]
    exchanges = [attempt()]
    for seconds in came:
        exchanges += [outcome(answered_at=100.0 + seconds, started=100.0), attempt()]
    if order == "at once":
        counts = counted(*exchanges)["p1", MINUTE]
    else:
        each = [counted(ex)["p1", MINUTE] for ex in exchanges]
        counts = Counts()
        if order == "one by one":
            for later in each:
                counts.add(later)
        else:
            entries: list[Entry] = []
            for ex in exchanges:
                tally = Tally(lambda address: "NZ")
                tally.count(snapshot(ex))
                entries += tally.take()
            counts = {entry[0]: Counts.of(entry) for entry in added_up(entries)}["p1"]
    assert counts.requests == len(came)
    assert counts.average == pytest.approx(smoothed(came))


def test_nobody_s_proxy_is_counted_nowhere() -> None:
    assert counted(outcome(route=None)) == {}


def test_the_country_is_that_of_the_caller_s_address() -> None:
    found = counted(outcome(), country={"127.0.0.1": "AU"}.get)
    assert set(found["p1", MINUTE].countries) == {"AU:proxy", "AU:target"}


def test_a_client_has_the_sum_of_its_proxies_and_each_minute_its_own() -> None:
    tally = Tally(lambda address: "ZZ")
    proxies = [routed("p1", "c1"), routed("p2", "c1"), routed("p3", "c2"), routed("p1", "c1")]
    for number in range(40):
        tally.count(snapshot(outcome(route=proxies[number % 4], wall_started=60.0 * (number // 20), final_status=200)))
    found = {scope: counts.codes["200:proxy"][0] for scope, counts in by_scope(tally).items()}
    assert found == {
        (scope, minute): count
        for minute in (0, 1)
        for scope, count in (("p1", 10), ("p2", 5), ("p3", 5), ("c1", 15), ("c2", 5))
    }
    assert not tally.take()


def test_the_moving_average_is_that_of_all_requests_in_their_order_however_they_are_cut() -> None:
    chance = random.Random(1)
    seconds = [chance.random() for _ in range(200)]
    whole = Counts()
    entries = []
    tally = Tally(lambda address: "ZZ")
    for number, each in enumerate(seconds):
        how = {"final_status": chance.choice([200, 404]), "target_status": 200}
        tally.count(snapshot(outcome(answered_at=100 + each, response_at=100.0, sent_at=100.0, **how)))
        if chance.random() < 0.1 or number == len(seconds) - 1:
            of_proxy, of_client = tally.take()
            assert of_client[1:] == of_proxy[1:]
            whole.add(Counts.of(of_proxy))
            entries.append(of_proxy)
    assert whole.requests == 200
    assert whole.average == pytest.approx(smoothed(seconds))
    assert whole.first == pytest.approx(seconds[0])
    at_once = Counts.of(*added_up(orjson.loads(orjson.dumps(entries))))
    assert (at_once.requests, at_once.first, at_once.average) == (200, whole.first, pytest.approx(whole.average))
    assert (at_once.codes, at_once.countries) == (whole.codes, whole.countries)
    again = Counts(*orjson.loads(orjson.dumps(whole.as_list())))
    assert again.as_list() == whole.as_list()


@pytest.mark.parametrize(
    ("at", "spans"),
    [
        (0, (0, 0, 0, 0)),
        (1_700_000_000 // 60, (28333333, 28333320, 28332000, 28313280)),
        (-1, (-1, -60, -1440, -31 * 1440)),
    ],
)
def test_spans(at: int, spans: tuple[int, ...]) -> None:
    assert tuple(span_of(interval, at) for interval in range(4)) == spans
