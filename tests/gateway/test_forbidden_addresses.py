"""No spelling of a forbidden address is dialled: as a target's base URL, by the dialer, or by a plugin's call outside.

Belongs here: spellings by class, and that nothing comes of them at the sockets. Does not: the judgement of addresses
one by one (tests/wire/test_guard.py), what base URLs are refused with (tests/core/).

Two things watch: every `connectTCP` of the reactor, which nothing but a connection needs, and a listener on every
address of this machine. Taking one check away makes a case fail: `python -m tests.wire.mutations guard` and the like.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.python.failure import Failure

from rrgate.api import Exchange, Kind, NoConfig, OutsideError, Parts, Plugin, hookimpl
from rrgate.route import Endpoint
from rrgate.wire.dialer import Dialer
from rrgate.wire.guard import AddressForbidden
from rrgate.wire.resolver import CannotConnect
from tests.callers import WATCHERS
from tests.name_server import NameServer, resolving_by
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Target, echo

PUBLIC = "93.184.216.34"

SPELLINGS = {
    "decimal": [
        "2130706433",
        "2130706434",
        "167772161",
        "2886729729",
        "3232235777",
        "2851995905",
        "0",
        "4294967295",
        "1681915905",
    ],
    "octal": [
        "0177.0.0.1",
        "0177.0.0.01",
        "017700000001",
        "00000177.00.00.01",
        "012.0.0.1",
        "0300.0250.1.1",
        "0254.020.0.1",
        "0251.0376.0251.0376",
        "0177.1",
        "127.0.0.010",
    ],
    "hex": [
        "0x7f000001",
        "0x7F.0x0.0x0.0x1",
        "0x7f.0.0.1",
        "0X7F000001",
        "0xa000001",
        "0xc0a80101",
        "0xac100001",
        "0xa9fea9fe",
        "0x00000000",
        "0x7f.1",
    ],
    "short and mixed": [
        "127.1",
        "127.0.1",
        "10.1",
        "192.168.257",
        "172.1048577",
        "169.254.43518",
        "0x7f.0.1",
        "127.0x1",
        "0177.0x0.1",
        "0.0",
    ],
    "plain": [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST",
    ],
    "longer forms of IPv6": [
        "[0:0:0:0:0:0:0:1]",
        "[0000:0000:0000:0000:0000:0000:0000:0001]",
        "[::0:1]",
        "[0::1]",
        "[::0.0.0.1]",
        "[0:0::0:0:0]",
        "[FE80::1]",
        "[Fd00:0:0::1]",
    ],
    "mapped": [
        "[::ffff:127.0.0.1]",
        "[::FFFF:7F00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:192.168.1.1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:0.0.0.0]",
        "[::ffff:0:0]",
    ],
    "compatible and translated": [
        "[::127.0.0.1]",
        "[::7f00:1]",
        "[::10.0.0.1]",
        "[::192.168.1.1]",
        "[::169.254.169.254]",
        "[::ffff:0:127.0.0.1]",
        "[::ffff:0:7f00:1]",
        "[::ffff:0:10.0.0.1]",
        "[::ffff:0:a9fe:a9fe]",
    ],
    "NAT64": [
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b::192.168.1.1]",
        "[64:ff9b::172.16.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b::0.0.0.0]",
        "[64:ff9b:1::10.0.0.1]",
        "[64:ff9b:1:7f00:0:1::]",
        "[0064:FF9B:0:0:0:0:7F00:0001]",
    ],
    "6to4": [
        "[2002:7f00:1::]",
        "[2002:7f00:1::1]",
        "[2002:a00:1::1]",
        "[2002:c0a8:101::]",
        "[2002:ac10:1::5]",
        "[2002:a9fe:a9fe::]",
        "[2002::1]",
        "[2002:6440:1::1]",
        "[2002:7F00:0001:ffff:ffff::]",
    ],
    "Teredo": [
        "[2001::1]",
        "[2001:0:7f00:1::]",
        "[2001:0:808:808:0:0:80ff:fffe]",
        "[2001:0:a00:1:0:0:f5ff:fffe]",
        "[2001:0:808:808::3f57:fefe]",
        "[2001:0:808:808::5601:5601]",
        "[2001:0:a9fe:a9fe::]",
        "[2001:0000:7f00:0001:0000:0000:80ff:fffe]",
    ],
    "trailing dot": [
        "127.0.0.1.",
        "10.0.0.1.",
        "localhost.",
        "2130706433.",
        "0x7f000001.",
        "0177.0.0.1.",
        "127.1.",
        "inside.test.",
        "169.254.169.254.",
        "127.0.0.1..",
    ],
    "user info": [
        "example.test@127.0.0.1",
        "example.test:80@127.0.0.1",
        "user:password@10.0.0.1",
        "@127.0.0.1",
        "127.0.0.1@127.0.0.1",
        "public.test%40127.0.0.1",
        "a@b@127.0.0.1",
        "inside.test#@public.test",
        "inside.test?@public.test",
        "public.test\\@127.0.0.1",
        "public.test@[::1]",
    ],
    "zone ids": [
        "[::1%lo]",
        "[::1%25lo]",
        "[fe80::1%1]",
        "[fe80::1%25eth0]",
        "[fe80::1%25]",
        "[::ffff:127.0.0.1%1]",
        "[::1%251]",
        "127.0.0.1%lo",
        "127.0.0.1%25lo",
        "[fe80::1%lo",
    ],
    "other digits, letters and dots": [
        "１２７.０.０.１",
        "127。0。0。1",
        "127．0．0．1",
        "127｡0｡0｡1",
        "①②⑦.⓪.⓪.①",
        "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
        "２１３０７０６４３３",
        "0ｘ7f000001",
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
        "ｌｏｃａｌｈｏｓｔ",
        "loc\u00adalhost",
        "127.0.0.1\u200b",
        "١٢٧.٠.٠.١",
        "ᵢₙₛᵢdₑ.test",
        "xn--127-.0.0.1",
    ],
    "escapes and odd characters": [
        "%31%32%37.0.0.1",
        "127%2e0%2e0%2e1",
        "127.0.0.1%00.example.test",
        "127.0.0.1\x00",
        "127.0.0.1\t",
        " 127.0.0.1",
        "127.0.0.1;example.test",
        "127.0.0.1,public.test",
        "127.0.0.1&@public.test",
        "[::1].public.test",
        "[127.0.0.1]",
        "::1",
        "public.test:80:127.0.0.1",
    ],
    "names": [
        "inside.test",
        "INSIDE.test",
        "private.test",
        "metadata.test",
        "six.test",
        "mapped.test",
        "nat64.test",
        "alias.test",
        "alias-of-localhost.test",
        "unspecified.test",
        "linklocal.test",
    ],
}
"""Hosts as a URL spells them, before its port; each leads to a forbidden address, or to none."""

NAMES: dict[str, list[list[str] | str]] = {
    "inside.test": [["127.0.0.1"]],
    "private.test": [["10.0.0.1", "192.168.1.1"]],
    "metadata.test": [["169.254.169.254"]],
    "six.test": [["::1", "fd00::1"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "nat64.test": [["64:ff9b::7f00:1"]],
    "alias.test": ["inside.test"],
    "alias-of-localhost.test": ["localhost"],
    "unspecified.test": [["0.0.0.0", "::"]],
    "linklocal.test": [["fe80::1"]],
    "public.test": [[PUBLIC]],
    "example.test": [[PUBLIC]],
}


@define
class Watch:
    """What was dialled. Only loopback is connected; every other address takes no connection."""

    dialled: list[tuple[str, int]] = field(factory=list)
    port: int = 0
    """Of the listener on every address of this machine."""
    _accepted: list[int] = field(factory=list)
    _more: threading.Condition = field(factory=threading.Condition)

    def since(self) -> list[tuple[str, int]]:
        """What was dialled since the last call."""
        dialled, self.dialled = self.dialled, []
        return dialled

    def accepts(self, port: int) -> None:
        """The listener has accepted a connection from a peer's port."""
        with self._more:
            self._accepted.append(port)
            self._more.notify_all()

    def connections(self) -> int:
        """How many came to the listener since the last call. They are accepted in order; one of ours is the last."""
        with socket.create_connection(("127.0.0.1", self.port)) as ours, self._more:
            mine = ours.getsockname()[1]
            assert self._more.wait_for(lambda: mine in self._accepted, 20)
            count = self._accepted.index(mine)
            del self._accepted[: count + 1]
            return count


class NoConnector:
    """Of a connection that was refused at once."""

    def disconnect(self) -> None: ...


@contextmanager
def watching(reactor: Any) -> Iterator[Watch]:
    """See everything that `reactor` dials."""
    watch, connect = Watch(), reactor.connectTCP

    def recorded(host: str, port: int, factory: Any, *given: Any, **more: Any) -> Any:
        watch.dialled.append((host, port))
        if ip_address(host).is_loopback:
            return connect(host, port, factory, *given, **more)
        factory.clientConnectionFailed(NoConnector(), Failure(Refused()))
        return NoConnector()

    listening = everywhere()
    watch.port = listening.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                taken, peer = listening.accept()
            except OSError:
                return
            watch.accepts(peer[1])
            taken.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    reactor.connectTCP = recorded
    try:
        yield watch
    finally:
        del reactor.connectTCP
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def everywhere() -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", 0))


class Calling(Plugin):
    """Calls the URL of the request's X-Url, as a JSON string, by `context.http`; what came of it is in X-Came."""

    name = "calling"
    kind = Kind.OWN

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == "calling" else None

    async def prepare(self, ex: Exchange) -> None:
        url = json.loads(ex.header(b"X-Url") or b"")
        try:
            CAME.append(str((await self.context.http.request("GET", url)).status))
        except OutsideError as error:
            CAME.append(str(error))


CAME: list[str] = []

SECRETS: dict[str, Callable[[str], dict[str, Any]]] = {
    "jwksUri": lambda url: {"jwksUri": url, "audience": None},
    "tokenUrl": lambda url: {
        "grantType": "client_credentials",
        "tokenUrl": url,
        "clientId": "the-client",
        "clientSecret": "client-secret-of-forbidden-addresses",
    },
    "request.url": lambda url: {"request": {"url": url}, "tokenPath": "$.token"},
}
"""Secrets with a URL that the gateway itself calls, by the URL's name."""
JWT = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "RS256", "kid": "unknown", "typ": "JWT"}, {"sub": "s", "exp": 4102444800}, "a signature")
)
"""A token that no key has signed."""


class Plugins:
    @hookimpl
    def rrgate_plugins(self) -> tuple[type[Plugin], ...]:
        return (Calling,)


@define
class Place:
    """A running gateway, and what is seen of it."""

    gateway: RunningGateway
    watch: Watch
    names: NameServer
    calling: MadeProxy
    needing: dict[str, MadeProxy]
    """Proxies that need an answer of a URL in a credential's secret, by the URL's name."""
    to_itself: int
    """The port of the target of the proxy `calling`, which every call outside comes with a request to."""

    def dialled(self) -> list[tuple[str, int]]:
        """What was dialled since the last call, apart from that target."""
        return [each for each in self.watch.since() if each != ("127.0.0.1", self.to_itself)]

    async def as_target(self, url: str) -> str:
        """Configured as a target's base URL and tried; what came of it."""
        document = {
            "targetName": "t",
            "targetRegion": "us-east-1",
            "targetBaseURL": url,
            "targetTestPath": "/",
        }
        told = await self.gateway.ask("POST", f"/clients/{self.gateway.client}/targets", document)
        if told.status == 400:
            return "refused when it was saved"
        assert told.status == 200, told.body
        id = told.json["targets"][0]["sKey"]
        where = f"/clients/{self.gateway.client}/targets/{id}/test"
        told = await self.gateway.ask("POST", where)
        assert told.status == 200, told.body
        test = told.json["test"]
        return str(test["problem"] or test["status"])

    async def in_secret(self, name: str, url: str) -> str:
        """Configured as the URL `name` of a credential's secret, and needed for a request; what came of it."""
        secret, proxy = SECRETS[name], self.needing[name]
        id = proxy.caller_credential if name == "jwksUri" else proxy.target_credential
        where = f"/clients/{self.gateway.client}/credentials/{id}"
        told = await self.gateway.ask("PUT", where, {"credentialSecret": secret(url)})
        if told.status == 400:
            return "refused when it was saved"
        assert told.status == 200, told.body
        answer = await self.gateway.call(proxy, headers={"Authorization": f"Bearer {JWT}"})
        assert answer.status in (401, 502, 503), answer
        return f"answered with {answer.status}"

    async def by_dialer(self, host: str, port: int) -> str:
        """Dialled as a host that has come past everything before the dialer."""
        from twisted.internet import reactor

        pool = self.gateway.gateway.pool
        dialer = cast(Dialer, pool._dialer)
        assert dialer._reactor is reactor
        protocol: Any = Silent()
        try:
            await Deferred.fromCoroutine(
                dialer.connect(Endpoint(False, host, port), "a tenant", protocol, secret=False)
            )
        except (AddressForbidden, CannotConnect) as error:
            return str(error)
        protocol.transport.abortConnection()
        return "connected"

    async def from_a_plugin(self, url: str) -> str:
        """Called by a plugin."""
        CAME.clear()
        answer = await self.gateway.call(self.calling, headers={"X-Url": json.dumps(url)})
        assert answer.status == 200, answer.body
        (came,) = CAME
        return came


class Silent:
    """A protocol that only notes that it is connected."""

    established: Deferred[None]
    transport: Any

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self.established.callback(None)

    def dataReceived(self, data: bytes) -> None: ...
    def connectionLost(self, reason: Any) -> None: ...


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    from twisted.internet import reactor

    with watching(reactor) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def names() -> Iterator[NameServer]:
    with NameServer(NAMES) as server, resolving_by(server):
        yield server


@contextmanager
def place(watch: Watch, names: NameServer, data: Path, **settings: Any) -> Iterator[Place]:
    """A gateway on `data` to which only the target of its proxy is open, unless `settings` open more."""
    with Target(echo) as target:
        opened = {"allow_networks": f"127.0.0.1/32:{target.port}", "dns_cache": 0, "dns_failure_cache": 0}
        gateway = RunningGateway.start(data, plugins=[Plugins()], **(opened | settings))
        # Hundreds of URLs are put into secrets here; what is secret in them is looked for by its name.
        WATCHERS.pop(gateway.core_address)
        gateway.search.know("the client's secret", SECRETS["tokenUrl"]("")["clientSecret"])
        made: dict[str, MadeProxy] = {}

        async def make() -> None:
            made["calling"] = await gateway.proxy(target.url, proxyName="calling")
            url = "https://public.test/"
            made["jwksUri"] = await gateway.proxy(target.url, caller=("jwtVerify", SECRETS["jwksUri"](url)))
            made["tokenUrl"] = await gateway.proxy(target.url, towards=("oauth2", SECRETS["tokenUrl"](url)))
            made["request.url"] = await gateway.proxy(target.url, towards=("customToken", SECRETS["request.url"](url)))

        try:
            pytest_twisted.blockon(Deferred.fromCoroutine(make()))
            yield Place(gateway, watch, names, made["calling"], made, target.port)
        finally:
            pytest_twisted.blockon(gateway.stop())


@pytest.fixture(scope="module")
def closed(watch: Watch, names: NameServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A gateway that may dial what is public."""
    with place(watch, names, tmp_path_factory.mktemp("gateway") / "state") as made:
        yield made


@pytest.fixture(scope="module")
def opened(watch: Watch, names: NameServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A gateway that may dial everything that an operator can open."""
    with place(watch, names, tmp_path_factory.mktemp("gateway") / "state", allow_networks="0.0.0.0/0,::/0") as made:
        yield made


@pytest.fixture(scope="module")
def keeping(watch: Watch, names: NameServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One like `closed` that remembers names for a while."""
    with place(watch, names, tmp_path_factory.mktemp("gateway") / "state", dns_cache=60) as made:
        yield made


DOORS = ("target", "dialer", "plugin, http", "plugin, https", *SECRETS)


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    """By which way an address comes to be dialled."""
    return str(request.param)


async def through(door: str, at: Place, host: str, port: int) -> str:
    """What came of `host` at `door`."""
    if door == "target":
        return await at.as_target(f"http://{host}:{port}")
    if door == "dialer":
        # As compiling makes it of a URL: without brackets and trailing dot.
        return await at.by_dialer(host.removeprefix("[").removesuffix("]").removesuffix("."), port)

    if door in SECRETS:
        return await at.in_secret(door, f"https://{host}:{port}/")
    return await at.from_a_plugin(f"{door.rpartition(' ')[2]}://{host}:{port}/")


async def dialled_by(door: str, at: Place, hosts: list[str], port: int) -> dict[str, Any]:
    """Those of `hosts` of which anything came, with what it was."""
    at.watch.since()
    found: dict[str, Any] = {}
    at.watch.connections()
    for host in hosts:
        came = await through(door, at, host, port)
        dialled = at.dialled()
        if dialled or came.isdecimal() or came == "connected":
            found[host] = (came, dialled)
    if (count := at.watch.connections()) and not found:
        found["one of them"] = f"{count} connections"
    return found


@pytest.mark.parametrize("kind", SPELLINGS)
@pytest_twisted.ensureDeferred
async def test_no_spelling_is_dialled(closed: Place, door: str, kind: str) -> None:
    assert len(SPELLINGS[kind]) >= 8
    assert await dialled_by(door, closed, SPELLINGS[kind], closed.watch.port) == {}


@pytest.mark.parametrize(
    "kind", ["decimal", "octal", "hex", "short and mixed", "user info", "zone ids", "escapes and odd characters"]
)
@pytest_twisted.ensureDeferred
async def test_what_is_read_differently_by_different_parsers_is_no_base_url(closed: Place, kind: str) -> None:
    """Whatever it leads to, as each parser reads it its own way."""
    for host in SPELLINGS[kind]:
        assert await closed.as_target(f"http://{host}:80") == "refused when it was saved", host
    closed.watch.since()


@pytest_twisted.ensureDeferred
async def test_what_is_public_or_opened_is_dialled_and_seen(closed: Place, opened: Place, door: str) -> None:
    """The controls: these tests can see a connection."""
    for host in ("public.test", PUBLIC, "public.test.", f"[64:ff9b::{PUBLIC}]"):
        found = await dialled_by(door, closed, [host], closed.watch.port)
        if door == "plugin, http":
            assert found == {}  # http goes nowhere that is not opened
        else:
            assert [port for _, port in found[host][1]] == [closed.watch.port], host
    for host in ("127.0.0.1", "localhost", "inside.test", "alias.test", "[::ffff:127.0.0.1]"):
        found = await dialled_by(door, opened, [host], opened.watch.port)
        assert found[host][1][0][0] in ("127.0.0.1", "::1", "::ffff:127.0.0.1"), host


OWN = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST.",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7F00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "0.0.0.0",
    "[::ffff:0.0.0.0]",
    "2130706433",
    "0x7f.1",
    "127.1",
    "１２７.０.０.１",
    "inside.test",
    "alias.test",
    "alias-of-localhost.test",
    "mapped.test",
    "0",
]
METADATA = {
    "IPv4": [
        "169.254.169.254",
        "169.254.169.253",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.169.123",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
    ],
    "IPv6": [
        "[fd00:ec2::254]",
        "[fd00:ec2::253]",
        "[fd00:ec2::23]",
        "[fd20:ce::254]",
        "[FD00:0EC2:0:0::254]",
        "[fd00:ec2::0.0.2.84]",
        "[fd20:00ce::0254]",
        "[fd00:ec2:0:0:0:0:0:254]",
    ],
    "in another form": [
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.16689662",
        "１６９.２５４.１６９.２５４",
        "169.254.169.254.",
        "metadata.test",
        "0x646464c8",
    ],
    "inside IPv6": [
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[::ffff:0:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[2001:0:a9fe:a9fe::]",
        "[2001:0:808:808::5601:5601]",
        "[::ffff:168.63.129.16]",
    ],
}


@pytest.mark.parametrize("listener", ["gateway", "core"])
@pytest_twisted.ensureDeferred
async def test_our_own_listeners_are_not_dialled_with_everything_opened(
    opened: Place, door: str, listener: str
) -> None:
    running = opened.gateway
    port = int(running.address[1]) if listener == "gateway" else running.core_address[1]
    assert await dialled_by(door, opened, OWN, port) == {}


@pytest.mark.parametrize("kind", METADATA)
@pytest_twisted.ensureDeferred
async def test_metadata_is_not_dialled_with_everything_opened(opened: Place, door: str, kind: str) -> None:
    assert len(METADATA[kind]) >= 8
    assert await dialled_by(door, opened, METADATA[kind], 80) == {}


# A name server that says one thing and then another.

FORBIDDEN = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1"]
REBINDING: dict[str, list[list[str] | str]] = {
    **{f"then-{number}.test": [[PUBLIC], [address]] for number, address in enumerate(FORBIDDEN)},
    **{f"first-{number}.test": [[address], [PUBLIC]] for number, address in enumerate(FORBIDDEN)},
    **{f"both-{number}.test": [[PUBLIC, address]] for number, address in enumerate(FORBIDDEN)},
    **{f"both-turned-{number}.test": [[address, PUBLIC]] for number, address in enumerate(FORBIDDEN)},
    "then-alias.test": [[PUBLIC], "localhost"],
}


@pytest.fixture
def rebinding(names: NameServer) -> Iterator[NameServer]:
    names.says(REBINDING)
    names.asked.clear()
    yield names
    names.says(NAMES)


@pytest.mark.parametrize(
    ("door", "name"),
    # Secrets' URLs are called as plugins' are: a few of each kind will do.
    [(door, name) for door in DOORS for name in REBINDING if door not in SECRETS or name.endswith("-0.test")],
)
@pytest_twisted.ensureDeferred
async def test_a_name_that_changes_is_dialled_only_where_it_was_checked(
    closed: Place, door: str, rebinding: NameServer, name: str
) -> None:
    """TTL 0 and nothing kept: each connection has a look-up of its own, and only one."""
    closed.watch.since()
    closed.watch.connections()
    for _ in range(2):
        await through(door, closed, name, closed.watch.port)
    assert {host for host, _ in closed.dialled()} <= {PUBLIC}
    assert closed.watch.connections() == 0
    assert 1 <= rebinding.asked.count(name) <= 2


@pytest.mark.parametrize("way", ["target", "dialer", "plugin, https"])
@pytest_twisted.ensureDeferred
async def test_what_is_remembered_of_a_name_is_what_was_checked(
    keeping: Place, rebinding: NameServer, way: str
) -> None:
    """With a cache, the first answer is dialled each time, and never the second."""
    keeping.dialled()
    name = f"then-{['target', 'dialer', 'plugin, https'].index(way)}.test"
    for _ in range(3):
        await through(way, keeping, name, 443)
    assert keeping.dialled() == [(PUBLIC, 443)] * 3
    assert rebinding.asked.count(name) == 1


# Redirects.

LOCATIONS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "//127.0.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://public.test@127.0.0.1:{port}/",
    "https://inside.test:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://10.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
]


@pytest.mark.parametrize("status", ["300 A", "301 B", "302 C", "303 D", "305 E", "306 F", "307 G", "308 H"])
@pytest_twisted.ensureDeferred
async def test_no_redirect_is_followed(opened: Place, status: str) -> None:
    where = ""

    def serve(connection: Any) -> None:
        while connection.request():
            connection.answer(b"", status, f"Location: {where}", f"Refresh: 0; url={where}", f"URI: <{where}>")

    with Target(serve) as target:
        proxy = await opened.gateway.proxy(target.url)
        opened.watch.connections()
        for location in LOCATIONS:
            where = location.format(port=opened.watch.port)
            assert await opened.as_target(target.url) == status[:3]
            assert await opened.from_a_plugin(target.url) == status[:3]
            assert (await opened.gateway.call(proxy)).status == int(status[:3])
            assert {port for _, port in opened.dialled()} == {target.port}
        assert opened.watch.connections() == 0
