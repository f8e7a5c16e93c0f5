"""`MemoryGateway`: a whole gateway without a socket or a file, on a clock that a test turns.

Belongs here: which real parts it is made of, and making proxies for it. Does not: any expectation.

    gateway = MemoryGateway([MyAuth])
    proxy = gateway.proxy(caller=("my-auth", {"secret": "…"}))
    answer = gateway.call("GET", proxy, "/orders?page=2", {"X-My-Auth": "…"}).answer
    assert answer.status == 200
    assert gateway.target.last.path == "/orders"
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twisted.web.iweb import IAgent

from rrgate.agent import Api, GatewayAgent
from rrgate.api import Event, Exchange, Identity, Plugin
from rrgate.background import Background
from rrgate.compiling import Compiler
from rrgate.counters import Counters
from rrgate.countries import UNKNOWN
from rrgate.directory import Directory
from rrgate.entrance import Entrance
from rrgate.ids import new_id
from rrgate.model import Client, Credential, Filter, Meter, Proxy, Rule, Side, Target
from rrgate.model.documents import read_new
from rrgate.model.rule_documents import third_spelling
from rrgate.patience import Patience
from rrgate.pipeline import Pipeline
from rrgate.proxy_plugins import ProxyPlugins
from rrgate.record import encode, snapshot
from rrgate.record_view import Document, RecordOf, published
from rrgate.settings import Settings
from rrgate.tally import Tally
from rrgate.testing.calls import Call
from rrgate.testing.clock import Clock
from rrgate.testing.delivery import MemoryDelivery
from rrgate.testing.installed import registry_with
from rrgate.testing.messages import Headers, request_bytes
from rrgate.testing.not_sealed import NotSealed, listed
from rrgate.testing.outside import StubOutside
from rrgate.testing.stand_in import STAND_IN
from rrgate.testing.state import MemoryState
from rrgate.testing.target import MemoryDialer, StubTarget
from rrgate.wire.hosts import HostNames
from rrgate.wire.listener import CallerListener
from rrgate.wire.pool import Pool

REGION = "local"
TARGET_HOST = "target.test"

AuthType = tuple[str, Mapping[str, Any]]
"""An auth type's name and a credential's secret, as the Core API takes them."""


class MemoryGateway:
    """Everything between a caller's bytes and a target's is the real thing, but for sockets, names, TLS and files.

    `clock` stands until it is turned; `target` is where proxies lead unless they say otherwise; `outside` is what
    plugins reach through `context.http`; `records` has the log's record of each request, and its detail beside it;
    `events` what an operator was told.
    """

    def __init__(self, plugins: Iterable[type[Plugin]] = (), *, installed: bool = True, **settings: Any) -> None:
        """`plugins`: classes, besides those of this environment (none of them if `installed` is false).

        `settings`: as in a gateway's configuration, but that proxies may list all plugins that are for that. Raises
        PluginLoadError, SettingsError.
        """
        self.clock = clock = Clock()
        self.registry = registry_with(plugins, installed=installed)
        settings.setdefault("tenant_plugins", [each.name for each in self.registry.listed])
        self.settings = Settings(data=Path("nowhere"), **settings)
        self.outside = StubOutside(clock)
        self.records: list[tuple[Document, Document]] = []
        self.events: list[Event] = []
        self.requests: list[Exchange] = []
        """Every finished request of a proxy."""
        self.tally = Tally(lambda address: UNKNOWN)
        """What telemetry would have of them."""
        self._states: dict[tuple[str, int], MemoryState] = {}
        self._background = Background(self.events.append)
        self.counters = Counters.alone(clock.wall)
        """What `context.counters` counts in."""
        self._proxy_plugins = ProxyPlugins(self.registry, self.settings.tenant_plugins)
        compiler = Compiler(
            self.registry,
            NotSealed(),
            clock,
            clock.wall,
            prefix=self.settings.header_prefix,
            query_credentials=self.settings.query_credentials,
            allow_anonymous=self.settings.allow_anonymous_proxies,
            proxy_plugins=self._proxy_plugins,
            http=lambda client_id, plugin: self.outside,
            state=self.state_of,
            background=self._background.start,
            tell=self.events.append,
            patience=Patience(clock, self.settings.plugin_timeout),
            counters=self.counters,
        )
        self.directory = Directory(
            compiler.build,
            self.settings.default_client,
            forget=compiler.forget,
            anonymous=self.registry.is_anonymous,
        )
        self.dialer = MemoryDialer(clock)
        self._pool = Pool(
            self.dialer,
            clock,
            idle_timeout=self.settings.pool_idle_timeout,
            own_prefix=self.settings.header_prefix.encode(),
        )
        self.delivery = MemoryDelivery(
            self.settings, clock, self.directory, self._pool, self.outside, self, self.events.append
        )
        self._pipeline = Pipeline(
            self.directory,
            self._pool,
            self,
            clock,
            clock.wall,
            prefix=self.settings.header_prefix,
            regions=frozenset(),
            held_bytes=self.settings.held_answers_bytes,
            pages={},
            tell=self.events.append,
            delivery=self.delivery,
        )
        self.listener = CallerListener(
            self._pipeline.serve, self.settings, HostNames(["localhost"]), clock, clock.wall
        )
        self.entrance = Entrance(self.settings, HostNames(["localhost"]), clock, clock.wall)
        """What makes it one that `GatewayResource(gateway)` mounts."""
        self.entrance.open(self._pipeline.serve, self.directory.clients)
        self.client = Client(id=new_id(), user_id=new_id(), name="client", created_at=1, updated_at=1)
        self.directory.put(self.client)

    def put(self, ex: Exchange) -> None:
        """Keep a finished request, and count it (this is the log's place)."""
        seen = snapshot(ex)
        country = self.tally.count(seen)
        if ex.story != "attempt":
            self.requests.append(ex)
            self.records.append(published(encode(seen, country)))

    @property
    def ended(self) -> dict[str, int]:
        """Of requests whose records tell their end, the number of attempts."""
        return {record["sKey"]: record["attempts"] for record, _ in self.records if record["processed"]}

    @property
    def known(self) -> set[str]:
        """Requests of which there is a record."""
        return {record["sKey"] for record, _ in self.records}

    def shown(self, ex: Exchange) -> RecordOf:
        """The record of it, for plugins."""
        return RecordOf(ex)

    @property
    def target(self) -> StubTarget:
        """Where proxies lead unless they say otherwise."""
        return self.target_at(TARGET_HOST)

    def target_at(self, host: str) -> StubTarget:
        """The target of a host."""
        return self.dialer.target(host)

    def state_of(self, credential: Credential) -> MemoryState:
        """What its auth type keeps of a credential, and version of its secret."""
        return self._states.setdefault((credential.id, credential.secret_version), MemoryState(self.clock))

    def stop(self) -> None:
        """End what plugins do in the background, as a gateway does that stops."""
        self._background.break_off()

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self.listener.in_flight + self.entrance.in_flight

    def agent(self, proxy: Proxy, *, identity: Identity | None = None, api: Api = "api") -> IAgent:
        """What `rrgate.gateway.Gateway.agent` is: for tests of code that calls a target through it."""
        return GatewayAgent(self.entrance, proxy.id, identity, api)

    def proxy(
        self,
        *,
        caller: AuthType = (STAND_IN, {}),
        towards: AuthType = (STAND_IN, {}),
        url: str = f"https://{TARGET_HOST}",
        target: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Proxy:
        """A new proxy. `caller`, `towards`: (auth type, `credentialSecret`); without, callers show nothing and targets
        are shown nothing. `target`, `settings`: published fields, such as `targetTimeout` and `proxyAdditionalHeaders`.

        Raises ConfigError for what would be refused when saved, or cannot be compiled.
        """
        common = self._common()
        where = {"targetName": "target", "targetRegion": REGION, "targetBaseURL": url, **(target or {})}
        made = Target(id=new_id(), **common, **read_new(Target, where))
        self.directory.put(made)
        document = {
            "proxyName": "proxy",
            "proxyRegion": REGION,
            "proxyProxyCredentialId": self.credential(Side.PROXY, *caller).id,
            "proxyTargetId": made.id,
            "proxyTargetCredentialId": self.credential(Side.TARGET, *towards).id,
            **settings,
        }
        values = read_new(Proxy, document)
        values.update(listed(self._proxy_plugins, values.pop("plugins", ()), made))
        proxy = Proxy(id=new_id(), **common, **values)
        self.directory.put(proxy)
        self.directory.find(f"/{proxy.id}".encode())
        return proxy

    def credential(self, side: Side, auth_type: str, secret: Mapping[str, Any]) -> Credential:
        """A new credential; what its auth type says of `secret` is said when a proxy is made with it."""
        credential = Credential(
            id=new_id(),
            **self._common(),
            name="credential",
            side=side,
            auth_type=auth_type,
            region=REGION,
            sealed_secret=json.dumps(secret).encode(),
        )
        self.directory.put(credential)
        return credential

    def rule(self, parent: Credential | Target | Proxy, document: Mapping[str, Any]) -> Rule:
        """A new rule of `parent`. `document`: as the Core API takes it, such as `{"effect": "deny", "path": "^/a"}`.

        Raises ConfigError for what has not its form; what a plugin says of it is said when a request comes.
        """
        rule = Rule(id=new_id(), parent_id=parent.id, **self._common(), **read_new(Rule, third_spelling(document)))
        self.directory.put(rule)
        return rule

    def filter(self, parent: Credential | Target | Proxy, document: Mapping[str, Any]) -> Filter:
        """The same for a filter, such as `{"effect": "destroy", "jsonPaths": ["$..password"]}`."""
        made = Filter(id=new_id(), parent_id=parent.id, **self._common(), **read_new(Filter, third_spelling(document)))
        self.directory.put(made)
        return made

    def meter(self, proxy: Proxy, document: Mapping[str, Any]) -> Meter:
        """The same for a meter, such as `{"meterName": "m", "meterType": "request_count"}`, with checks in the third
        spelling."""
        made = Meter(id=new_id(), parent_id=proxy.id, **self._common(), **read_new(Meter, document))
        self.directory.put(made)
        return made

    def _common(self) -> dict[str, Any]:
        now = int(self.clock.wall() * 1000)
        return {"client_id": self.client.id, "user_id": self.client.user_id, "created_at": now, "updated_at": now}

    def call(
        self,
        method: str,
        proxy: Proxy,
        path: str = "/",
        headers: Headers = (),
        body: bytes | Iterable[bytes] | None = None,
        *,
        api: str = "api",
    ) -> Call:
        """A caller's request on a connection of its own, as far as it gets while no time goes by.

        `path`: behind the proxy's address, with the query, as it stands in the request line. `body`: whole, or pieces
        that are sent as chunks. `api`: or `async`.
        """
        segments = request_bytes(method, f"/{api}/{proxy.id}{path}", headers, body)
        return Call(self.listener.buildProtocol(None), self.clock, method).send(*segments)
