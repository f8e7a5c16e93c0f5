"""When a key set is fetched, who waits for it, and which one is in force meanwhile; on a turned clock, in memory.

Belongs here: `jwksUri`, while its server answers. Does not: servers that fail, and wrong sets (test_fetching.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.plugins.jwt.remote_house import DOWN, OF_BOTH, OF_NEW, OF_OLD, URL, House, answering
from tests.plugins.jwt.signing import CLAIMS, SECRET, hs, key_set, token


def test_nothing_is_fetched_before_it_is_needed() -> None:
    house = House()
    assert house.fetches == 0
    for shown in ("Bearer x", "Basic eDp5", "Bearer e30.e30.e30", "Bearer " + "a" * 20_000):
        assert house.gateway.call("GET", house.first, "/", {"Authorization": shown}).answer.status == 401
    header: Mapping[str, Any] = {"alg": "HS256", "kid": "old"}
    shown = f"Bearer {token(header, CLAIMS, hs(secret=SECRET)).decode()}"
    assert house.gateway.call("GET", house.first, "/", {"Authorization": shown}).answer.status == 401
    assert house.fetches == 0


def test_one_fetch_for_all_tokens_and_all_proxies() -> None:
    house = House()
    second = house.proxy(algorithms=["ES256"])
    assert [house.status(), house.status(jti=1), house.status(proxy=second)] == [200] * 3
    assert [(call.method, call.url) for call in house.outside.calls] == [("GET", URL)]
    assert not [name for name in house.outside.calls[0].headers if name != "Accept"]


def test_another_spelling_of_a_url_is_another_set() -> None:
    house = House()
    second = house.proxy(jwksUri=URL + "?")
    assert [house.status(), house.status(proxy=second)] == [200, 200]
    assert house.fetches == 2


def test_gateways_share_nothing() -> None:
    one, other = House(), House(OF_NEW)
    assert [one.status(), other.status()] == [200, 401]
    assert (one.fetches, other.fetches) == (1, 1)


def test_who_comes_first_waits_and_so_does_everybody_else() -> None:
    house = House()
    house.outside.after = 3.0
    calls = [house.begun(jti=place) for place in range(5)]
    assert not any(call.ended for call in calls)
    house.after(3)
    assert [call.answer.status for call in calls] == [200] * 5
    assert house.fetches == 1


def test_one_who_leaves_takes_nobody_with_him() -> None:
    house = House()
    house.outside.after = 3.0
    first, second = house.begun(jti=1), house.begun(jti=2)
    first.leave()
    assert house.gateway.in_flight == 1
    house.after(3)
    assert second.answer.status == 200
    assert house.fetches == 1


def test_what_was_fetched_for_one_who_left_is_kept() -> None:
    house = House()
    house.outside.after = 3.0
    house.begun().leave()
    house.after(3)
    assert house.status() == 200
    assert house.fetches == 1


def test_an_unknown_kid_fetches_at_once_if_nothing_was_for_a_minute() -> None:
    house = House()
    assert house.status() == 200
    house.outside.says = OF_BOTH
    house.after(60)
    assert house.status("new") == 200
    assert house.fetches == 2


def test_else_one_fetch_is_planned_for_the_minutes_end() -> None:
    house = House()
    assert house.status() == 200
    house.outside.says = OF_BOTH
    house.after(10)
    assert [house.status("new"), house.status("other"), house.status("new", jti=2)] == [401] * 3
    assert house.fetches == 1
    house.after(49.9)
    assert house.fetches == 1
    house.after(0.2)
    assert house.fetches == 2
    assert house.status("new") == 200
    house.after(300)
    assert house.fetches == 2


def test_made_up_kids_fetch_once_a_minute() -> None:
    house = House()
    for place in range(600):
        assert house.status(f"made-up-{place}") == 401
        house.after(1)
    assert house.fetches == 11


def test_an_unknown_kid_that_comes_while_a_fetch_is_under_way_waits_for_it() -> None:
    house = House()
    house.outside.after = 3.0
    first, second, third = house.begun("old"), house.begun("new"), house.begun("other")
    house.outside.says = OF_BOTH
    house.after(3)
    assert [call.answer.status for call in (first, second, third)] == [200, 200, 401]
    assert house.fetches == 1
    house.after(57.1)
    assert house.fetches == 2


def test_and_so_it_does_where_there_is_a_set_already() -> None:
    house = House()
    assert house.status() == 200
    house.after(60)
    house.outside.after, house.outside.says = 3.0, OF_BOTH
    calls = [house.begun("new", jti=1), house.begun("new", jti=2)]
    assert not any(call.ended for call in calls)
    house.after(3)
    assert [call.answer.status for call in calls] == [200, 200]
    assert house.fetches == 2


def test_a_kid_that_is_known_does_not_wait() -> None:
    house = House()
    assert house.status() == 200
    house.after(60)
    house.outside.after = 3.0
    unknown = house.begun("new")
    assert house.status() == 200
    assert not unknown.ended


def test_a_token_without_kid_fetches_nothing() -> None:
    house = House()
    assert house.status(None) == 200
    house.after(60)
    assert house.status(None, signer="new") == 401
    assert house.fetches == 1


def test_the_set_is_replaced_whole() -> None:
    house = House()
    assert house.status() == 200
    house.outside.says = OF_NEW
    house.after(60)
    assert house.status("new") == 200
    assert house.status("old") == 401


def test_a_key_that_is_taken_back_is_taken_back_for_tokens_that_were_verified() -> None:
    house = House()
    shown = {"Authorization": f"Bearer {house.token('old')}"}
    assert house.gateway.call("GET", house.first, "/", shown).answer.status == 200
    house.outside.says = OF_NEW
    house.after(60)
    assert house.gateway.call("GET", house.first, "/", shown).answer.status == 200
    assert house.status("new") == 200
    assert house.gateway.call("GET", house.first, "/", shown).answer.status == 401


def test_every_key_may_be_taken_back() -> None:
    house = House()
    assert house.status() == 200
    house.outside.says = answering(key_set())
    house.after(60)
    assert [house.status("new"), house.status("old")] == [401, 401]


def test_a_set_that_is_not_fresh_is_fetched_while_it_serves() -> None:
    house = House()
    assert house.status() == 200
    house.after(599)
    assert house.status() == 200
    assert house.fetches == 1
    house.outside.after, house.outside.says = 3.0, OF_NEW
    house.after(1)
    assert house.status() == 200
    assert house.fetches == 2
    house.after(3)
    assert [house.status("old"), house.status("new")] == [401, 200]


def test_one_that_nobody_asked_for_in_a_long_time_is_waited_for() -> None:
    house = House()
    assert house.status() == 200
    house.outside.after, house.outside.says = 3.0, OF_NEW
    house.after(1200)
    call = house.begun("old")
    assert not call.ended
    house.after(3)
    assert call.answer.status == 401


def test_the_old_set_serves_for_its_lifetime_while_fetching_fails() -> None:
    house = House()
    assert house.status() == 200
    house.outside.says = DOWN
    house.after(1200)
    for _ in range(100):
        assert house.status() == 200
        house.after(10)
    assert 16 <= house.fetches - 1 <= 18
    assert "serves on" in house.gateway.events[0].message
    house.after(24 * 3600 - 2201)
    assert house.status() == 200
    house.after(1)
    assert house.status() == 503
    house.outside.says = OF_NEW
    house.after(5)
    assert house.status("new") == 200


def test_a_token_that_was_verified_does_not_outlive_the_set() -> None:
    house = House()
    house.outside.says = OF_OLD
    assert house.status() == 200
    house.outside.says = DOWN
    house.after(24 * 3600 - 1)
    shown = {"Authorization": f"Bearer {house.token('old')}"}
    assert house.gateway.call("GET", house.first, "/", shown).answer.status == 200
    house.after(1)
    assert house.gateway.call("GET", house.first, "/", shown).answer.status == 503


def test_where_all_tokens_were_verified_before_the_set_is_renewed_in_its_time_too() -> None:
    house = House()
    shown = house.token(exp=house.gateway.clock.wall() + 3600)
    headers = {"Authorization": f"Bearer {shown}"}
    assert house.gateway.call("GET", house.first, "/", headers).answer.status == 200
    house.after(599)
    assert house.gateway.call("GET", house.first, "/", headers).answer.status == 200
    house.outside.says = OF_NEW
    assert house.fetches == 1
    house.after(1)
    assert house.gateway.call("GET", house.first, "/", headers).answer.status == 200  # while it is fetched
    assert house.fetches == 2
    assert house.gateway.call("GET", house.first, "/", headers).answer.status == 401
