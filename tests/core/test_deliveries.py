"""Cancelling and replaying asynchronous requests over HTTP.

Belongs here: what is asked for, and told. Does not: what is done then (tests/delivery/test_managing.py).
"""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import pytest_twisted

from rrgate.deliveries import Replayed
from tests.core.doubles import DELIVERY, Core


async def at(core: Core, **states: str) -> tuple[str, str]:
    """A proxy's requests, in these states; its id."""
    proxy = await core.make("proxies", await core.make_parts())
    core.deliveries.states = {(proxy["sKey"], id): state for id, state in states.items()}
    core.log.records = [{"pKey": proxy["sKey"], "sKey": "r1"}]
    return f"/clients/acme/proxies/{proxy['sKey']}/requests", proxy["sKey"]


@pytest_twisted.ensureDeferred
async def test_one_request_shows_its_delivery_and_only_what_was_delivered_later_has_one(core: Core) -> None:
    where, _ = await at(core, r1="waiting")
    (told,) = (await core.ask("GET", f"{where}/r1", token="u-uma")).document["requests"]
    assert told["delivery"] == {**DELIVERY, "state": "waiting"}
    core.deliveries.states = {}
    (told,) = (await core.ask("GET", f"{where}/r1")).document["requests"]
    assert "delivery" not in told


@pytest_twisted.ensureDeferred
async def test_a_record_is_shown_while_the_queue_cannot_be_read(core: Core) -> None:
    where, _ = await at(core, r1="waiting")
    core.deliveries.error = sqlite3.OperationalError("disk I/O error at /somewhere")
    told = await core.ask("GET", f"{where}/r1")
    assert (told.status, told.document["requests"]) == (200, core.log.records)


@pytest.mark.parametrize(
    ("action", "before", "after"), [("cancel", "waiting", "cancelled"), ("replay", "unknown", "queued")]
)
@pytest_twisted.ensureDeferred
async def test_steering_answers_what_it_became_and_is_audited(
    core: Core, action: str, before: str, after: str
) -> None:
    where, proxy = await at(core, r1=before)
    told = await core.ask("POST", f"{where}/r1/{action}", token="u-adam")
    assert told.document == {
        "requests": [
            {
                "pKey": proxy,
                "sKey": "r1",
                "clientId": "acme",
                "parentId": proxy,
                "delivery": {**DELIVERY, "state": after},
            }
        ],
        "message": "Success",
    }
    entry = core.store.entries[0]
    assert (entry.action, entry.kind, entry.noun_id, entry.user_id) == (action, "requests", "r1", "adam")
    assert entry.after == {"proxyId": proxy}
    again = await core.ask("POST", f"{where}/r1/{action}")
    assert again.status == 409
    assert after in again.document["message"]


@pytest.mark.parametrize("action", ["cancel", "replay"])
@pytest_twisted.ensureDeferred
async def test_what_is_not_there_is_not_audited(core: Core, action: str) -> None:
    where, _ = await at(core)
    entries = len(core.store.entries)
    assert (await core.ask("POST", f"{where}/r1/{action}")).status == 404
    assert len(core.store.entries) == entries


@pytest.mark.parametrize("action", ["r1/cancel", "r1/replay", "replay"])
@pytest_twisted.ensureDeferred
async def test_a_queue_that_cannot_be_used_says_when_to_come_again(core: Core, action: str) -> None:
    where, _ = await at(core, r1="waiting")
    core.deliveries.error = sqlite3.OperationalError("disk I/O error at /somewhere")
    if action == "replay":
        core.deliveries.replay_all = _fails  # type: ignore[method-assign, assignment]  # the fault is what is tested
    body = {"processedAfter": "2026-01-01"} if action == "replay" else None
    told = await core.ask("POST", f"{where}/{action}", body)
    assert (told.status, told.headers["retry-after"]) == (503, "5")
    assert b"somewhere" not in told.raw


async def _fails(*_: Any) -> None:
    raise sqlite3.OperationalError("disk I/O error at /somewhere")


@pytest_twisted.ensureDeferred
async def test_a_range_is_replayed_in_parts(core: Core) -> None:
    where, proxy = await at(core, r1="unknown", r2="exhausted", r3="failed", r4="succeeded")
    wanted: dict[str, Any] = {
        "processedAfter": "2026-01-01T00:00:00.0005Z",
        "processedBefore": "2026-01-02T00:00:00.0005Z",
        "states": ["unknown", "failed"],
    }
    told = await core.ask("POST", f"{where}/replay", wanted)
    # The double says that there is more behind two, and then that there is none.
    assert told.document == {"message": "Success", "replayed": 2, "limitReached": False}
    bounds = (proxy, ["unknown", "failed"], 1_767_225_600_000, 1_767_312_000_001)
    assert core.deliveries.asked == [(*bounds, None), (*bounds, (1_765_517_217_621, 7))]
    entry = core.store.entries[0]
    assert (entry.action, entry.kind, entry.noun_id) == ("replay", "proxies", proxy)
    assert entry.after == {"proxyId": proxy, **wanted}


@pytest_twisted.ensureDeferred
async def test_so_many_are_replayed_that_there_is_a_cursor(core: Core) -> None:
    where, _ = await at(core, **{f"r{number}": "failed" for number in range(1001)})
    told = await core.ask("POST", f"{where}/replay", {"processedAfter": "2026-01-01"})
    assert told.document["limitReached"]
    again = await core.ask(
        "POST", f"{where}/replay", {"processedAfter": "2026-01-01", "cursor": told.document["nextCursor"]}
    )
    assert again.status == 200
    assert core.deliveries.asked[-1][-1] == (1_765_517_217_621, 7)


@pytest_twisted.ensureDeferred
async def test_a_time_with_many_that_are_not_wanted_is_looked_through_in_several_calls(core: Core) -> None:
    where, _ = await at(core)
    asked = []

    async def none_yet(*wanted: Any) -> Replayed:
        asked.append(wanted[-1])
        return Replayed(0, (1, len(asked)) if len(asked) < 60 else None)

    core.deliveries.replay_all = none_yet  # type: ignore[method-assign, assignment]
    told = await core.ask("POST", f"{where}/replay", {"processedAfter": "2026-01-01", "states": ["unknown"]})
    wanted = {"message": "Success", "replayed": 0, "limitReached": True, "nextCursor": "1.50"}
    assert told.document == wanted
    assert asked == [None, *((1, number) for number in range(1, 50))]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "processedAfter"),
        ({"processedAfter": "soon"}, "processedAfter"),
        ({"processedAfter": None}, "processedAfter"),
        ({"processedAfter": "2026-01-01", "processedBefore": "1767225600"}, "processedBefore"),
        ({"processedAfter": "2026-01-01", "states": []}, "states"),
        ({"processedAfter": "2026-01-01", "states": ["succeeded"]}, "states"),
        ({"processedAfter": "2026-01-01", "states": ["failed", "cancelled"]}, "states"),
        ({"processedAfter": "2026-01-01", "cursor": ""}, "cursor"),
        ({"processedAfter": "2026-01-01", "cursor": "1.-1"}, "cursor"),
        ({"processedAfter": "2026-01-01", "cursor": f"{10**19}.1"}, "cursor"),
        ({"processedAfter": "2026-01-01", "cursor": "1.\u0662"}, "cursor"),
        ({"processedAfter": "2026-01-01", "limit": 5}, "limit"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_wrong_ranges(core: Core, body: dict[str, Any], field: str) -> None:
    where, _ = await at(core, r1="failed")
    told = await core.ask("POST", f"{where}/replay", body)
    assert (told.status, list(told.problems)) == (400, [field])
    assert core.deliveries.asked == []
