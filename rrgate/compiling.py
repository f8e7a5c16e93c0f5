"""From nouns to a Route: checks the parts of a proxy, makes its plugin objects, compiles the chain.

Belongs here: what is worked out once a change, so that a request need not. Does not: what is worked out once a request.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from attrs import evolve
from twisted.internet.interfaces import IReactorTime

from rrgate.api import CallsOutside, ConfigError, Consumes, Event, KeepsState, Kind, Plugin, PluginContext, Problem
from rrgate.blaming import named
from rrgate.careful_log import CarefulLogger
from rrgate.chain import Chain
from rrgate.chaining import KnownSteps, Member, compile_chain
from rrgate.checks import SCOPE_CHECKS, Checks, known_checks
from rrgate.configuring import holds_secrets
from rrgate.counting_values import CountsRequests, NothingCounted
from rrgate.directory import Directory
from rrgate.loads import Loads
from rrgate.model import Client, Credential, Parts, Proxy, Target
from rrgate.model.path_template import compiled_template
from rrgate.names import CALLER_ADDRESS_PREFIXES, NEVER_TO_CALLER, NEVER_TO_TARGET, fold
from rrgate.outside_values import NothingOutside
from rrgate.overlap import EitherSecret, Onward
from rrgate.patience import ENDLESS, Patience
from rrgate.plugin_objects import PluginObjects, UnsealsConfigurations
from rrgate.proxy_plugins import ProxyPlugins
from rrgate.reaching import OpensCertificates, address_of_target
from rrgate.registry import Registry
from rrgate.route import Endpoint, Route, pool_key
from rrgate.shared import Shared
from rrgate.state_values import NothingKept


class Unsealer(OpensCertificates, UnsealsConfigurations, Protocol):
    """Whoever can open sealed secrets."""


NOWHERE = Endpoint(False, "", 0)
_NO_COOKIES = NEVER_TO_CALLER | {b"set-cookie"}

T = TypeVar("T", int, bytes, str, frozenset[bytes])


@lru_cache(maxsize=4096, typed=True)
def _same(value: T) -> T:
    """A value that is equal, the same for most Routes: read for one, it is at hand for the next."""
    return value


class Compiler:
    """Builds Routes."""

    def __init__(
        self,
        registry: Registry,
        unsealer: Unsealer,
        clock: IReactorTime,
        wall: Callable[[], float],
        *,
        prefix: str,
        query_credentials: bool,
        allow_anonymous: bool = False,
        proxy_plugins: ProxyPlugins | None = None,
        http: Callable[[str, str], CallsOutside] = lambda client_id, plugin: NothingOutside(),
        state: Callable[[Credential], KeepsState] = lambda credential: NothingKept(),
        background: Callable[[str, Coroutine[Any, Any, None]], None] = lambda plugin, work: work.close(),
        tell: Callable[[Event], object] = lambda event: None,
        patience: Patience = ENDLESS,
        shared: Shared | None = None,
        counters: CountsRequests | None = None,
    ) -> None:
        """`http`, `state`, `background`: see PluginObjects. `tell`: told of every proxy that cannot be compiled, and
        what plugins have to tell. `patience`: how long they may wait. `shared`, `counters`: closed by whoever gives
        them.
        `allow_anonymous`: whether credentials that let in who shows nothing do; else nobody is let in by them.
        `proxy_plugins`: those that proxies may list; none if it is None.
        """
        self._registry = registry
        self._unsealer = unsealer
        log = CarefulLogger("rrgate.plugin")
        context = PluginContext(
            clock,
            wall,
            log,
            prefix,
            query_credentials=query_credentials,
            tell=tell,
            shared=shared or Shared(),
            counters=counters or NothingCounted(),
        )
        self.proxy_plugins = ProxyPlugins(registry, ()) if proxy_plugins is None else proxy_plugins
        self._objects = PluginObjects(
            registry, self.proxy_plugins, unsealer, context, http=http, state=state, background=background
        )
        self._steps: KnownSteps = WeakValueDictionary()
        self._loads = Loads()
        self._onward = Onward(wall)  # of all Routes: to build one anew must bring no secret back to life
        self._allow_anonymous = allow_anonymous
        self._tell = tell
        self._patience = patience
        self._own_prefix = fold(prefix.encode())
        self._cut_prefixes = (*CALLER_ADDRESS_PREFIXES, self._own_prefix)
        self._log = CarefulLogger("rrgate.compiling")

    def build(self, directory: Directory, proxy: Proxy) -> Route:
        """The Route of `proxy` as everything stands now. A part that is missing or foreign is left out and not an
        error: the request is refused for it. Raises ConfigError, and nothing else, when a plugin cannot work with its
        configuration or anything else keeps the Route from being; its text names who and what, and holds no value.
        """
        try:
            with named("proxy", f"proxy {proxy.id} cannot be compiled"):
                return self._build(directory, proxy)
        except ConfigError as error:
            self._tell(Event("proxy-broken", f"proxy {proxy.id} cannot be compiled: {error}", proxy.id))
            raise

    def forget(self, credential_id: str) -> None:
        """This credential is no more: neither are its plugin objects, once the requests that have it are done."""
        self._objects.forget(credential_id)

    def _build(self, directory: Directory, proxy: Proxy) -> Route:
        client = directory.clients[proxy.client_id]
        target = directory.targets.get(proxy.target_id)
        caller_side = directory.credentials.get(proxy.proxy_credential_id)
        target_side = directory.credentials.get(proxy.target_credential_id)
        checks = known_checks(proxy, target, caller_side, target_side)
        if caller_side is not None and not checks & Checks.PROXY_CREDENTIAL_RELATIONSHIP:
            caller_side = None
        if target_side is not None and not checks & Checks.TARGET_CREDENTIAL_RELATIONSHIP:
            target_side = None
        if target is not None and not checks & Checks.TARGET_RELATIONSHIP:
            target = None
        anonymous = caller_side is not None and self._registry.is_anonymous(caller_side)
        caller, consumes = None, Consumes()
        if anonymous and not self._allow_anonymous:
            self._log.warn("proxy {id} asks for no credential, which allow_anonymous_proxies forbids: 401", id=proxy.id)
        elif caller_side is not None:
            caller, consumes = self._caller(caller_side)
        parts = directory.parts(proxy)
        chain, others = self._chain(proxy, parts, caller, target_side)
        route = self._towards(client, proxy, target, target_side, chain)
        passed = {fold(name.encode()) for name in proxy.pass_headers}
        # Where nothing is read nothing was used, so that what may pass does.
        consumed = consumes.headers - passed if anonymous else consumes.headers
        return evolve(
            route,
            proxy_credential=caller_side,
            checks=_same(checks),
            open_scopes=_same(_open_scopes(parts)),
            cut_headers=_same(route.cut_headers | others.headers | consumed),
            passed_headers=_same(consumes.headers & passed),
            cut_parameters=_same(consumes.parameters | others.parameters) if caller is not None else None,
            caller_expires=_seconds(caller_side),
            log_path=None if proxy.log_path_template is None else compiled_template(proxy.log_path_template),
            keeps_bodies=client.configuration.log_bodies,
            own_secrets=() if parts is None else self._own_secrets(proxy),
        )

    def _own_secrets(self, proxy: Proxy) -> tuple[tuple[str, str], ...]:
        return tuple(
            (self.proxy_plugins.plugin(each.name).name, each.fingerprint)
            for each in proxy.plugins
            if each.fingerprint is not None
        )

    def build_trial(self, client: Client, target: Target, credential: Credential | None) -> Route:
        """The Route of a request of our own to `target`, all of which belongs to `client`. Nobody's proxy leads there
        and nobody calls: of all plugins that of `credential` alone is on it. Raises ConfigError, and nothing else.
        """
        with named("credentialSecret", "the trial cannot be compiled"):
            proxy = Proxy(
                id="",
                client_id=client.id,
                user_id="",
                name="",
                region=target.region,
                proxy_credential_id="",
                target_id=target.id,
                target_credential_id="" if credential is None else credential.id,
                created_at=0,
                updated_at=0,
            )
            chain, _ = self._chain(proxy, None, None, credential)
            return self._towards(client, proxy, target, credential, chain)

    def _towards(
        self, client: Client, proxy: Proxy, target: Target | None, target_side: Credential | None, chain: Chain
    ) -> Route:
        """A Route as far as the target's side decides it; nobody is known to call."""
        endpoint, base_path, authority = NOWHERE, b"", b""
        if target is not None:
            with named("targetClientCertificate", f"the certificate of target {target.id} cannot be unsealed"):
                endpoint, base_path, authority = address_of_target(target, self._unsealer)
        crossing = proxy.cookies == "pass"
        return Route(
            client=client,
            proxy=proxy,
            target=target,
            proxy_credential=None,
            target_credential=target_side,
            checks=Checks.NONE,
            open_scopes=Checks.SCOPES,
            chain=chain,
            endpoint=endpoint,
            pool_key=_same(pool_key(endpoint, target, target_side, client, proxy.plugins)),
            base_path=_same(base_path),
            authority=_same(authority),
            cut_headers=NEVER_TO_TARGET if crossing else NEVER_TO_TARGET | {b"cookie"},
            cut_prefixes=self._cut_prefixes,
            passed_headers=frozenset(),
            cut_parameters=frozenset(),
            cut_answer_headers=NEVER_TO_CALLER if crossing else _NO_COOKIES,
            own_prefix=self._own_prefix,
            secret_needs_tls=(
                target is not None
                and not target.allow_plaintext
                and (
                    any(each.fingerprint is not None for each in proxy.plugins)
                    or (target_side is not None and holds_secrets(self._objects.of_credential(target_side).Config))
                )
            ),
            caller_expires=None,
            target_expires=_seconds(target_side),
            allowed_hosts=target_side.allowed_hosts if target_side is not None else None,
            loads=(self._loads.of(proxy.id), self._loads.of(proxy.target_id)),
        )

    def _chain(
        self, proxy: Proxy, parts: Parts | None, caller: Member | None, target_side: Credential | None
    ) -> tuple[Chain, Consumes]:
        """The chain, and what plugins that are no auth types read credentials from."""
        members: list[Member] = []
        if parts is not None:
            for plugin in self._registry.plugins:
                with named("proxy", f"plugin {plugin.name!r} cannot work on proxy {proxy.id}"):
                    config = plugin.for_proxy(parts)
                    if config is not None:
                        members.append(Member(self._objects.of_proxy(plugin, config, proxy), plugin.kind))
            members += [Member(each, each.kind) for each in self._objects.listed(proxy, parts.target)]
            if not all(each.idle for each in parts.scopes) and not any(member.plugin.judges for member in members):
                raise ConfigError(Problem("proxy", "has rules, or a default that denies, and nothing installed judges"))
            if parts.filters and not any(member.plugin.filters for member in members):
                raise ConfigError(Problem("proxy", "has filters, and nothing installed filters answers"))
            measured = frozenset[str]().union(*(member.plugin.measures for member in members))
            if any(meter.type not in measured for meter in parts.meters):
                raise ConfigError(Problem("proxy", "has meters, and nothing installed carries them out"))
        others = reduce(or_, (member.plugin.consumes for member in members), Consumes())
        members = members if caller is None else [caller, *members]
        if target_side is not None:
            signer = self._objects.of_credential(target_side)
            members.append(Member(signer, Kind.CREDENTIAL, without=frozenset({"authenticate"})))
        return compile_chain(members, self._patience, self._steps), others

    def _caller(self, credential: Credential) -> tuple[Member, Consumes]:
        """Who authenticates by `credential`, and from where; by either secret while two are in force."""
        present = self._objects.of_credential(credential)
        member = Member(present, Kind.CALLER, without=frozenset({"body_needed", "prepare"}))
        before, until = credential.before, credential.previous_secret_expires_at
        if before is None or until is None or until <= self._onward() * 1000:
            return member, present.consumes
        try:
            previous = self._objects.of_credential(credential, before)
        except ConfigError as error:
            # The present secret serves: who shows the other one is refused.
            self._log.error("the previous secret of credential {id} does not work: {error}", id=before.id, error=error)
            return member, present.consumes
        either = EitherSecret(present, previous, until, self._onward)
        return evolve(member, instead=either.methods()), either.consumes

    def credential_plugin(self, credential: Credential) -> Plugin:
        """The plugin object of `credential`, the same that works on its Routes. Raises ConfigError."""
        with named("credentialSecret", f"credential {credential.id} does not work"):
            return self._objects.of_credential(credential)


def _open_scopes(parts: Parts | None) -> int:
    """The scopes that allow whatever comes."""
    closed = 0 if parts is None else sum(SCOPE_CHECKS[each.scope] for each in parts.scopes if not each.open)
    return Checks.SCOPES & ~closed


def _seconds(credential: Credential | None) -> float | None:
    return None if credential is None or credential.expires_at is None else credential.expires_at / 1000
