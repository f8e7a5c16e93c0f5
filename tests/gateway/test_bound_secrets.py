"""An administrator who does not know a secret tries to have it sent to a host of his: one test for each way.

Belongs here: whole gateways, and what an attacker's target receives. Does not: every rule of the field
(tests/core/test_allowed_hosts.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve, frozen

from tests.running_gateway import KEY, REGION, TOKEN, MadeProxy, RunningGateway
from tests.targets import Connection, Target, echo

HOSTS = "credentialAllowedHosts"


@frozen
class Scene:
    """A proxy of the victim's, and the attacker's own target."""

    gateway: RunningGateway
    proxy: MadeProxy
    good: Target
    evil: Target
    received: list[str]
    """Every head that came to the attacker."""

    async def put(self, kind: str, id: str, **changes: Any) -> tuple[int, str]:
        """(status, first field at fault)."""
        told = await self.gateway.ask("PUT", f"/clients/{self.gateway.client}/{kind}/{id}", changes)
        return told.status, next((each["field"] for each in told.json.get("details", ())), "")

    async def new_proxy(self, target: str, credential: str) -> tuple[int, str]:
        document = {
            "proxyName": "evil",
            "proxyRegion": REGION,
            "proxyProxyCredentialId": self.proxy.caller_credential,
            "proxyTargetId": target,
            "proxyTargetCredentialId": credential,
        }
        told = await self.gateway.ask("POST", f"/clients/{self.gateway.client}/proxies", document)
        if told.status == 200:
            made = evolve(self.proxy, id=told.json["proxies"][0]["sKey"])
            await self.gateway.call(made)
        return told.status, next((each["field"] for each in told.json.get("details", ())), "")


Way = Callable[[Scene], Awaitable[object]]


async def moves_the_target(scene: Scene) -> object:
    return await scene.put("targets", scene.proxy.target, targetBaseURL=scene.evil.url)


async def names_a_new_target_in_a_new_proxy(scene: Scene) -> object:
    return await scene.new_proxy(await scene.gateway.target(scene.evil.url), scene.proxy.target_credential)


async def points_the_proxy_elsewhere(scene: Scene) -> object:
    return await scene.put("proxies", scene.proxy.id, proxyTargetId=await scene.gateway.target(scene.evil.url))


async def shows_the_secret_from_a_proxy_of_his(scene: Scene) -> object:
    his = await scene.gateway.proxy(scene.evil.url, towards=("none", {}))
    result = await scene.put("proxies", his.id, proxyTargetCredentialId=scene.proxy.target_credential)
    await scene.gateway.call(his)
    return result


async def names_his_host(scene: Scene) -> object:
    return await scene.put("credentials", scene.proxy.target_credential, **{HOSTS: [scene.evil.url[7:]]})


async def names_no_host(scene: Scene) -> object:
    return await scene.put("credentials", scene.proxy.target_credential, **{HOSTS: None})


async def deletes_the_target_and_makes_it_again(scene: Scene) -> object:
    await scene.gateway.delete("targets", scene.proxy.target)
    again = await scene.gateway.target(scene.evil.url)
    return await scene.new_proxy(again, scene.proxy.target_credential)


async def deletes_everything_but_the_credential(scene: Scene) -> object:
    await scene.gateway.delete("proxies", scene.proxy.id)
    await scene.gateway.delete("targets", scene.proxy.target)
    again = await scene.gateway.target(scene.evil.url)
    return await scene.new_proxy(again, scene.proxy.target_credential)


async def adds_a_host_header(scene: Scene) -> object:
    return await scene.put("proxies", scene.proxy.id, proxyAdditionalHeaders={"Host": scene.evil.url[7:]})


async def takes_another_name_of_the_same_machine(scene: Scene) -> object:
    target = await scene.gateway.target(f"http://localhost:{scene.good.port}")
    return await scene.new_proxy(target, scene.proxy.target_credential)


async def tries_it_with_his_host(scene: Scene) -> object:
    target = await scene.gateway.target(scene.evil.url)
    where = f"/clients/{scene.gateway.client}/credentials/{scene.proxy.target_credential}/test"
    told = await scene.gateway.ask("POST", where, {"targetId": target, "path": "/"})
    return told.status, told.json["test"]["problem"]


async def takes_away_what_it_is_shown_in(scene: Scene) -> object:
    """The caller's side named as the target's."""
    return await scene.put("proxies", scene.proxy.id, proxyProxyCredentialId=scene.proxy.target_credential)


REFUSED: list[tuple[Way, tuple[int, str]]] = [
    (moves_the_target, (409, "targetBaseURL")),
    (names_a_new_target_in_a_new_proxy, (400, "proxyTargetCredentialId")),
    (points_the_proxy_elsewhere, (400, "proxyTargetId")),
    (shows_the_secret_from_a_proxy_of_his, (400, "proxyTargetCredentialId")),
    (names_his_host, (409, HOSTS)),
    (names_no_host, (409, HOSTS)),
    (deletes_the_target_and_makes_it_again, (400, "proxyTargetCredentialId")),
    (deletes_everything_but_the_credential, (400, "proxyTargetCredentialId")),
    (adds_a_host_header, (400, "proxyAdditionalHeaders.Host")),
    (takes_another_name_of_the_same_machine, (400, "proxyTargetCredentialId")),
    (tries_it_with_his_host, (200, "the target credential may not go to this host (see its credentialAllowedHosts)")),
    (takes_away_what_it_is_shown_in, (400, "proxyProxyCredentialId")),
]


@pytest.fixture
def targets() -> Iterator[tuple[Target, Target, list[str]]]:
    received: list[str] = []

    def listen(connection: Connection) -> None:
        while (seen := connection.request()) is not None:
            received.append(f"{seen.line} {seen.headers}")
            connection.answer(b"got it")

    with Target(echo) as good, Target(listen) as evil:
        yield good, evil, received


async def scene_of(gateway: RunningGateway, targets: tuple[Target, Target, list[str]]) -> Scene:
    good, evil, received = targets
    scene = Scene(gateway, await gateway.proxy(good.url), good, evil, received)
    answer = await gateway.call(scene.proxy)
    assert ["Authorization", f"Bearer {TOKEN}"] in answer.json["headers"]
    return scene


@pytest.mark.parametrize(("way", "expected"), REFUSED, ids=[way.__name__ for way, _ in REFUSED])
@pytest_twisted.ensureDeferred
async def test_a_way_is_refused(
    gateway: RunningGateway, targets: tuple[Target, Target, list[str]], way: Way, expected: tuple[int, str]
) -> None:
    scene = await scene_of(gateway, targets)
    assert await way(scene) == expected
    # Whatever is left of it, used.
    await gateway.call(scene.proxy)
    assert not any(TOKEN in head for head in scene.received)


@pytest_twisted.ensureDeferred
async def test_a_redirect_is_handed_back(gateway: RunningGateway, targets: tuple[Target, Target, list[str]]) -> None:
    _, evil, received = targets

    def elsewhere(connection: Connection) -> None:
        while connection.request() is not None:
            connection.answer(b"", "307 Temporary Redirect", f"Location: {evil.url}/x")

    with Target(elsewhere) as good:
        proxy = await gateway.proxy(good.url)
        answer = await gateway.call(proxy, "POST", "/", body=b"x")
        assert (answer.status, answer["Location"]) == (307, f"{evil.url}/x")
    assert received == []


PATHS = ["//evil.test/", "/\\evil.test/", "/@evil.test/", "/?url=http://evil.test", "/http://evil.test/"]


@pytest.mark.parametrize("path", PATHS)
@pytest_twisted.ensureDeferred
async def test_no_path_leads_elsewhere(
    gateway: RunningGateway, targets: tuple[Target, Target, list[str]], path: str
) -> None:
    scene = await scene_of(gateway, targets)
    before = scene.good.connections
    answer = await gateway.call(scene.proxy, path=path.replace("evil.test", scene.evil.url[7:]))
    assert answer.status == 400 or answer.json["line"].startswith("GET /")
    assert scene.good.connections <= before + 1
    assert scene.received == []


@pytest_twisted.ensureDeferred
async def test_who_writes_a_secret_sends_that_one_and_not_the_one_before(
    gateway: RunningGateway, targets: tuple[Target, Target, list[str]]
) -> None:
    scene = await scene_of(gateway, targets)
    his = {"credentialSecret": {"token": "a-token-of-his"}, HOSTS: [scene.evil.url[7:]]}
    assert await scene.put("credentials", scene.proxy.target_credential, **his) == (200, "")
    assert (await scene.put("targets", scene.proxy.target, targetBaseURL=scene.evil.url))[0] == 200
    assert (await gateway.call(scene.proxy)).body == b"got it"
    assert [("a-token-of-his" in head, TOKEN in head) for head in scene.received] == [(True, False)]


@pytest_twisted.ensureDeferred
async def test_no_connection_is_made_to_a_host_that_is_not_named(
    gateway: RunningGateway, targets: tuple[Target, Target, list[str]]
) -> None:
    """Whatever put it there: here a target that moved behind the Core API's back."""
    scene = await scene_of(gateway, targets)
    directory = gateway.gateway.directory
    there = directory.targets[scene.proxy.target]
    directory.put(evolve(there, base_url=scene.evil.url))
    answer = await gateway.call(scene.proxy)
    assert (answer.status, answer.code) == (502, "target-unreachable")
    assert "credentialAllowedHosts" in answer.json["message"]
    assert TOKEN not in answer.body.decode()
    assert scene.evil.connections == 0
    record = (await gateway.records(scene.proxy))[0]
    assert (record["validationData"]["requestSent"], record["targetData"]) == (False, None)
    directory.put(there)
    assert (await gateway.call(scene.proxy)).status == 200


@pytest_twisted.ensureDeferred
async def test_hosts_that_no_longer_name_the_target_cut_it_off_at_once(
    gateway: RunningGateway, targets: tuple[Target, Target, list[str]]
) -> None:
    """Also where a connection to it is kept."""
    scene = await scene_of(gateway, targets)
    changes = {"credentialSecret": {"token": TOKEN}, HOSTS: ["elsewhere.test"]}
    assert (await scene.put("credentials", scene.proxy.target_credential, **changes))[0] == 200
    answer = await gateway.call(scene.proxy)
    assert (answer.status, answer.code) == (502, "target-unreachable")
    # Such a proxy can still be switched off and on.
    for active in (False, True):
        assert (await scene.put("proxies", scene.proxy.id, proxyActive=active))[0] == 200
    assert KEY not in answer.body.decode()
