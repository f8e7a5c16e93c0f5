"""Rules through a whole gateway: set over its Core API, in force with the answer, and in the request log.

Belongs here: the two planes together. Does not: what rules say (tests/rules/).
"""

from __future__ import annotations

from http.client import HTTPResponse
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import pytest_twisted

from tests.callers import Caller, in_thread
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target, echo

SCOPES = ("proxyCredentialScopeValid", "targetCredentialScopeValid", "proxyScopeValid", "targetScopeValid")


def places(proxy: MadeProxy) -> dict[str, str]:
    """Where the rules of each scope are."""
    base = f"/clients/{proxy.client}"
    return {
        "proxy credential": f"{base}/credentials/{proxy.caller_credential}/rules",
        "target credential": f"{base}/credentials/{proxy.target_credential}/rules",
        "proxy": f"{base}/proxies/{proxy.id}/rules",
        "target": f"{base}/targets/{proxy.target}/rules",
    }


async def rule(gateway: RunningGateway, place: str, **document: Any) -> Any:
    told = await gateway.ask("POST", place, {"effect": "deny", **document})
    assert told.status == 200, told.body
    return told.json["rules"][0]


@pytest.mark.parametrize("scope", ["proxy credential", "target credential", "proxy", "target"])
@pytest_twisted.ensureDeferred
async def test_each_change_is_in_force_with_its_answer(gateway: RunningGateway, scope: str) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        place = places(proxy)[scope]

        async def status() -> int:
            return (await gateway.call(proxy, path="/admin")).status

        assert await status() == 200
        made = await rule(gateway, place, path="^/admin")
        assert await status() == 403
        answer = await gateway.call(proxy, path="/other")
        assert answer.status == 200
        one = f"{place}/{made['sKey']}"
        for change, expected in (
            ({"methods": ["POST"]}, 200),
            ({"methods": None}, 403),
            ({"active": False}, 200),
            ({"active": True}, 403),
            ({"report": True}, 200),
            ({"report": False, "path": "^/users"}, 200),
            ({"path": "^/admin"}, 403),
        ):
            assert (await gateway.ask("PUT", one, change)).status == 200
            assert await status() == expected, change
        assert (await gateway.ask("DELETE", one)).status == 200
        assert await status() == 200


@pytest_twisted.ensureDeferred
async def test_what_the_caller_and_the_log_are_told(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        by_target = await rule(gateway, places(proxy)["target"], path="^/admin")
        reporting = await rule(gateway, places(proxy)["proxy"], methods=["GET"], report=True)
        answer = await gateway.call(proxy, path="/admin?secret=1")
        assert (answer.status, answer.code) == (403, "proxy-access-denied")
        assert answer.json["error"] == "Forbidden"
        assert answer.json["message"] == f"Rule {by_target['sKey']} of the target denies this request"
        record = await gateway.record(proxy, answer.json["requestId"])
        assert record["ruleId"] == by_target["sKey"]
        said = record["validationData"]
        assert {name: said[name] for name in SCOPES} == dict.fromkeys(SCOPES, True) | {"targetScopeValid": False}
        assert said["proxyAuthenticated"]
        assert not said["requestSent"]
        assert not said["requestConfigError"]
        assert [each["step"] for each in record["timeline"]] == [f"rule {reporting['sKey']} would deny"]

        answer = await gateway.call(proxy, "POST", "/users")
        record = await gateway.record(proxy, dict(answer.headers)["requestrocket-request-id"])
        assert record["ruleId"] is None
        assert all(record["validationData"][name] for name in SCOPES)

        answer = await gateway.call(proxy, path="/users", key="wrong")
        record = await gateway.record(proxy, answer.json["requestId"])
        assert not any(record["validationData"][name] for name in SCOPES)


@pytest_twisted.ensureDeferred
async def test_a_default_that_denies_and_what_a_rule_allows(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(
            target.url, target={"targetDefaultRuleEffect": "deny"}, proxyDefaultRuleEffect="deny"
        )
        answer = await gateway.call(proxy, path="/a")
        assert answer.json["message"] == "No rule of the proxy allows this request"
        allowing = await rule(gateway, places(proxy)["proxy"], effect="allow", path="^/a")
        answer = await gateway.call(proxy, path="/a")
        assert answer.json["message"] == "No rule of the target allows this request"
        await rule(gateway, places(proxy)["target"], effect="allow", methods=["GET"])
        answer = await gateway.call(proxy, path="/a")
        assert answer.status == 200
        record = await gateway.record(proxy, dict(answer.headers)["requestrocket-request-id"])
        assert record["ruleId"] == allowing["sKey"]
        assert (await gateway.call(proxy, "POST", "/a")).status == 403
        await gateway.change("credentials", proxy.target_credential, credentialDefaultRuleEffect="deny")
        assert "target credential" in (await gateway.call(proxy, path="/a")).json["message"]


@pytest_twisted.ensureDeferred
async def test_a_deleted_parent_s_rules_are_gone_for_those_that_come_after(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        await rule(gateway, places(proxy)["target"])
        assert (await gateway.call(proxy)).status == 403
        other = await gateway.target(target.url)
        await gateway.change("proxies", proxy.id, proxyTargetId=other)
        assert (await gateway.call(proxy)).status == 200
        await gateway.delete("targets", proxy.target)
        assert gateway.gateway.directory.rules_of(proxy.target) == []


@pytest_twisted.ensureDeferred
async def test_a_stream_under_way_keeps_the_rules_that_it_began_with(gateway: RunningGateway) -> None:
    changed = Event()

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b"9\r\ndata: 1\n\n\r\n")
        assert changed.wait(10)
        connection.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

    def begun(path: str) -> tuple[Caller, HTTPResponse]:
        caller = Caller(gateway.address)
        caller.send("GET", path, {"X-Api-Key": KEY})
        return caller, caller.begun()

    with Target(serve) as target:
        proxy = await gateway.proxy(target.url)
        caller, answer = await in_thread(begun, proxy.path + "/events")
        assert await in_thread(answer.read, 9) == b"data: 1\n\n"
        await rule(gateway, places(proxy)["target"], path="^/events")
        assert (await gateway.call(proxy, path="/events")).status == 403
        changed.set()
        assert await in_thread(answer.read) == b"data: 2\n\n"
        await in_thread(caller.close)


@pytest_twisted.ensureDeferred
async def test_rules_of_another_client_s_nouns_are_not_reached(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        made = await rule(gateway, places(proxy)["target"], path="^/never")
        other = (await gateway.ask("POST", "/clients", {"clientName": "other"})).json["clients"][0]["sKey"]
        for place in places(proxy).values():
            foreign = place.replace(proxy.client, other)
            for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{made['sKey']}"), ("PUT", f"/{made['sKey']}")):
                told = await gateway.ask(method, foreign + path, None if method == "GET" else {"effect": "deny"})
                assert told.status == 404
            assert (await gateway.ask("DELETE", f"{foreign}/{made['sKey']}")).status == 404
        assert (await gateway.call(proxy)).status == 200


@pytest_twisted.ensureDeferred
async def test_rules_are_there_after_a_restart(tmp_path: Path) -> None:
    with Target(echo) as target:
        data = tmp_path / "state"
        running = RunningGateway.start(data)
        proxy = await running.proxy(target.url)
        await rule(running, places(proxy)["proxy credential"], pathPattern="^/admin", headerChecks=[{"name": "^x$"}])
        await running.stop()
        again = RunningGateway(RunningGateway.open(data), running.first)
        try:
            assert (await again.call(proxy, path="/admin")).status == 200
            assert (await again.call(proxy, path="/admin", headers={"X": "1"})).status == 403
            assert (await again.call(proxy, path="/users", headers={"X": "1"})).status == 200
        finally:
            await again.stop()


@pytest_twisted.ensureDeferred
async def test_a_proxy_without_rules_has_no_step_for_them(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)

        def steps() -> set[str]:
            found = gateway.gateway.directory.find(f"/{proxy.id}/".encode())
            assert found is not None
            return {step.plugin for step in found[0].chain.authorize}

        before = steps()
        await rule(gateway, places(proxy)["target"], path="^/never")
        assert steps() - before == {"rule-checks"}
