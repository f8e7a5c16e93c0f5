"""A proxy's own plugins in a whole gateway: where they run, what becomes of their secrets, and what they may not do.

Belongs here: from `proxyPlugins` to what a target receives. Does not: what may be saved
(tests/core/test_listing_plugins.py), the contract for their authors (tests/testing/).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import frozen
from pytest_twisted import ensureDeferred

from rrgate.api import Denied, Exchange, Kind, NoConfig, Parts, Plugin, documented, hookimpl, secret
from rrgate.settings import SettingsError
from tests.running_gateway import TOKEN, MadeProxy, RunningGateway
from tests.targets import Target, echo

SECRET = "s3cr3t-of-the-stamp-90d4"
OTHER = "s3cr3t-that-replaces-it-e1"
ON = "stamp,order,again,read-only,late,in-path"


@frozen
class StampConfig:
    header: str = documented("Where it is written.")
    stamp: str = secret("What is written there.")


class Stamp(Plugin):
    """Writes a secret, in a header and in the query."""

    name = "stamp"
    aliases = ("seal",)
    listed = True
    pure = True
    Config = StampConfig

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(self.config.header.encode(), self.config.stamp.encode())
        ex.to_target.set_query(b"stamp", self.config.stamp.encode())


@frozen
class OrderConfig:
    says: str


class Order(Plugin):
    """Takes the place of what the one before it wrote."""

    name = "order"
    listed = True
    pure = True
    Config = OrderConfig

    def prepare(self, ex: Exchange) -> None:
        there = ex.to_target.header(b"X-Order") or b""
        ex.to_target.set_header(b"X-Order", there + self.config.says.encode())


class Again(Order):
    name = "again"


class ReadOnly(Plugin):
    """Nobody deletes."""

    name = "read-only"
    listed = True
    pure = True
    kind = Kind.LIMIT

    def authorize(self, ex: Exchange) -> Denied | None:
        return Denied("nobody may delete", status=403) if ex.method == b"DELETE" else None


class Late(Plugin):
    """Writes a secret while the body passes."""

    name = "late"
    listed = True
    pure = True
    Config = StampConfig

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        return chunk + self.config.stamp.encode() if last else chunk


class InPath(Plugin):
    """Writes a secret into the path."""

    name = "in-path"
    listed = True
    pure = True
    Config = StampConfig

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.path += b"/" + self.config.stamp.encode()


class OfEvery(Plugin):
    """Asked of every proxy, and copies what a proxy's own wrote."""

    name = "of-every"
    kind = Kind.LOG
    pure = True

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == "copied" else None

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Copy", ex.to_target.header(b"X-Stamp") or b"")


class Brought:
    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return [Stamp, Order, Again, ReadOnly, Late, InPath, OfEvery]


def start(data: Path) -> RunningGateway:
    return RunningGateway.start(data, plugins=[Brought()], tenant_plugins=ON)


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    running = start(tmp_path_factory.mktemp("own") / "state")
    running.search.know("a stamp", SECRET)
    yield running
    await running.stop()


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(echo) as running:
        yield running


def stamp(value: str = SECRET) -> dict[str, Any]:
    return {"name": "stamp", "configuration": {"header": "X-Stamp", "stamp": value}}


def order(says: str, name: str = "order") -> dict[str, Any]:
    return {"name": name, "configuration": {"says": says}}


async def explained(gateway: RunningGateway, proxy: MadeProxy, **described: Any) -> Any:
    told = await gateway.ask("POST", f"/clients/{proxy.client}/proxies/{proxy.id}/explain", described)
    assert told.status == 200, told.body
    assert SECRET not in told.body.decode()
    return told.json["explain"]


@ensureDeferred
async def test_they_work_where_they_are_listed_and_nowhere_else(gateway: RunningGateway, target: Target) -> None:
    listing = await gateway.proxy(target.url, proxyPlugins=[stamp(), {"name": "read-only"}])
    plain = await gateway.proxy(target.url)
    told = await gateway.call(listing)
    assert ["X-Stamp", SECRET] in told.json["headers"]
    assert f"stamp={SECRET}" in told.json["line"]
    assert ["Authorization", f"Bearer {TOKEN}"] in told.json["headers"]
    assert (await gateway.call(listing, "DELETE")).status == 403
    told = await gateway.call(plain, "DELETE")
    assert told.status == 200
    assert "X-Stamp" not in dict(told.json["headers"])


@ensureDeferred
async def test_they_run_in_the_order_of_the_list(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url, proxyPlugins=[order("1"), order("2", "again")])
    assert ["X-Order", "12"] in (await gateway.call(proxy)).json["headers"]
    await gateway.change("proxies", proxy.id, proxyPlugins=[order("2", "again"), order("1")])
    assert ["X-Order", "21"] in (await gateway.call(proxy)).json["headers"]


@ensureDeferred
async def test_a_change_is_in_force_at_once_and_over_a_restart(tmp_path: Path, target: Target) -> None:
    first = start(tmp_path / "state")
    first.search.know("a stamp", SECRET)
    first.search.know("another", OTHER)
    proxy = await first.proxy(target.url, proxyPlugins=[stamp()])
    assert ["X-Stamp", SECRET] in (await first.call(proxy)).json["headers"]
    await first.change("proxies", proxy.id, proxyPlugins=[order("1"), stamp(OTHER)])
    assert ["X-Stamp", OTHER] in (await first.call(proxy)).json["headers"]
    await first.stop()
    with pytest.raises(SettingsError) as caught:
        RunningGateway.open(tmp_path / "state", plugins=[Brought()], tenant_plugins="stamp,bearer,stmap")
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "tenant_plugins[1]: 'bearer' is no installed plugin that proxies list",
        "tenant_plugins[2]: 'stmap' is no installed plugin that proxies list",
    ]
    assert "there are again, in-path, late, order, read-only, seal, stamp" in str(caught.value)
    # Of which this operator has switched one off: a proxy does not work without what it lists.
    again = RunningGateway(
        RunningGateway.open(tmp_path / "state", plugins=[Brought()], tenant_plugins="stamp"), first.first
    )
    assert (await again.call(proxy)).status == 500
    await again.change("proxies", proxy.id, proxyPlugins=[stamp(OTHER)])
    assert ["X-Stamp", OTHER] in (await again.call(proxy)).json["headers"]
    await again.stop()


# Their secrets.


@ensureDeferred
async def test_the_same_ones_given_again_are_no_change(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url, proxyPlugins=[stamp()])
    await gateway.change("proxies", proxy.id, proxyPlugins=[stamp()])
    told = await gateway.ask("GET", f"/clients/{proxy.client}/proxies/{proxy.id}/revisions")
    assert len(told.json["revisions"]) == 1


@pytest.mark.parametrize("name", ["stamp", "seal"])
@ensureDeferred
async def test_an_explanation_masks_what_they_write(gateway: RunningGateway, target: Target, name: str) -> None:
    plugins = [order("1"), {**stamp(), "name": name}, order("2", "again")]
    proxy = await gateway.proxy(target.url, proxyName="copied", proxyPlugins=plugins)
    shown = await gateway.ask("GET", f"/clients/{proxy.client}/proxies/{proxy.id}")
    mask = f"[MASKED:{shown.json['proxies'][0]['proxyPlugins'][1]['fingerprint']}]"
    told = await explained(gateway, proxy, headers={"X-Mine": "mine"})
    headers = {each["name"]: (each["value"], each["writtenBy"]) for each in told["request"]["headers"]}
    assert headers["X-Stamp"] == (mask, "stamp")
    assert headers["X-Mine"] == ("mine", "caller")
    assert headers["X-Copy"][0].startswith("[MASKED:")
    # The credential's is another, and what is written before both is shown.
    assert headers["Authorization"][0] not in (mask, f"Bearer {TOKEN}")
    assert [each["value"] for each in told["request"]["queryParams"]] == [mask]
    assert {step["plugin"] for step in told["steps"]} >= {"stamp", "order", "again"}


@ensureDeferred
async def test_an_explanation_masks_a_path_that_they_change(gateway: RunningGateway, target: Target) -> None:
    inner = {"name": "in-path", "configuration": {"header": "unused", "stamp": SECRET}}
    proxy = await gateway.proxy(target.url, proxyPlugins=[inner])
    told = await explained(gateway, proxy)
    assert "/[MASKED:" in told["request"]["url"]
    assert SECRET in (await gateway.call(proxy)).json["line"]


@ensureDeferred
async def test_an_explanation_without_a_secret_masks_nothing_of_theirs(
    gateway: RunningGateway, target: Target
) -> None:
    proxy = await gateway.proxy(target.url, towards=("none", {}), proxyPlugins=[order("1")])
    told = await explained(gateway, proxy)
    assert {"name": "X-Order", "value": "1", "writtenBy": "order"} in told["request"]["headers"]


@pytest.mark.parametrize("towards", [("none", {}), ("bearer", {"token": TOKEN})], ids=["none", "bearer"])
@ensureDeferred
async def test_what_they_write_into_a_body_is_masked_too(
    gateway: RunningGateway, target: Target, towards: Any
) -> None:
    late = {"name": "late", "configuration": {"header": "unused", "stamp": SECRET}}
    proxy = await gateway.proxy(target.url, towards=towards, proxyPlugins=[late])
    told = await explained(gateway, proxy, method="POST", body="mine")
    assert (told["request"]["body"]["text"], told["request"]["body"]["writtenBy"]) == ("mine", "caller")
    assert told["request"]["body"]["credentialAdds"].startswith("[MASKED:")
    assert (await gateway.call(proxy, "POST", body=b"mine")).json["body"] == f"mine{SECRET}"


@ensureDeferred
async def test_they_go_over_plain_http_only_where_that_is_allowed(gateway: RunningGateway, target: Target) -> None:
    # No loopback to the gateway: the name is what counts, and the address is never reached.
    url = "http://plain.test:1"
    proxy = await gateway.proxy(url, towards=("none", {}), proxyPlugins=[order("1")])
    assert (await gateway.call(proxy)).status == 502
    listing = await gateway.proxy(url, towards=("none", {}), proxyPlugins=[stamp()])
    route, _ = gateway.gateway.directory.find(f"/{listing.id}".encode()) or (None, b"")
    assert route is not None
    assert route.secret_needs_tls
    route, _ = gateway.gateway.directory.find(f"/{proxy.id}".encode()) or (None, b"")
    assert route is not None
    assert not route.secret_needs_tls
    allowing = await gateway.proxy(url, target={"targetAllowPlaintext": True}, proxyPlugins=[stamp()])
    route, _ = gateway.gateway.directory.find(f"/{allowing.id}".encode()) or (None, b"")
    assert route is not None
    assert not route.secret_needs_tls


@ensureDeferred
async def test_who_does_not_know_them_cannot_have_them_sent_to_himself(
    gateway: RunningGateway, target: Target
) -> None:
    received: list[str] = []

    def listen(connection: Any) -> None:
        while (seen := connection.request()) is not None:
            received.append(f"{seen.line} {seen.headers}")
            connection.answer(b"got it")

    with Target(listen) as evil:
        proxy = await gateway.proxy(target.url, towards=("none", {}), proxyPlugins=[stamp()])
        his = await gateway.target(evil.url)
        for changes in (
            {"proxyTargetId": his},
            {"proxyTargetId": his, "proxyPlugins": [{"name": "stamp", "configuration": {"header": "X-Stamp"}}]},
        ):
            told = await gateway.ask("PUT", f"/clients/{proxy.client}/proxies/{proxy.id}", changes)
            assert told.status == 409
        told = await gateway.ask(
            "PUT", f"/clients/{proxy.client}/targets/{proxy.target}", {"targetBaseURL": evil.url}
        )
        assert told.status == 409
        # Away and back: what was sealed for one host opens for no other.
        await gateway.delete("targets", proxy.target)
        told = await gateway.ask("PUT", f"/clients/{proxy.client}/proxies/{proxy.id}", {"proxyTargetId": his})
        assert told.status == 409
        await gateway.call(proxy)
        # And his own secret goes where he likes.
        await gateway.change("proxies", proxy.id, proxyTargetId=his, proxyPlugins=[stamp("of-his-own")])
        assert (await gateway.call(proxy)).status == 200
    assert not any(SECRET in each for each in received)
    assert any("of-his-own" in each for each in received)
