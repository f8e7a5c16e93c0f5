"""Compiling proxies: whatever keeps a Route from being becomes a ConfigError that names who and what, and no value.

Belongs here: the Compiler with made-up plugins. Does not: what a chain does (tests/chain/).
"""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import evolve, frozen
from twisted.internet.task import Clock

from rrgate.api import (
    CallsOutside,
    Client,
    ConfigError,
    Credential,
    Event,
    Exchange,
    Filter,
    Meter,
    OutsideError,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    Proxy,
    Rule,
    Side,
    Target,
    hookimpl,
    secret,
)
from rrgate.compiling import Compiler
from rrgate.directory import Directory
from rrgate.outside_values import NothingOutside
from rrgate.registry import load_registry
from rrgate.route import Route

SECRET = "s3cr3t-77aa"


@frozen
class Config:
    token: str = secret("The token.")


@frozen
class Around:
    inner: Config


@frozen
class Open:
    url: str


class Auth(Plugin):
    name = "auth"
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = Config
    make: Callable[[Any], None] = staticmethod(lambda config: None)
    """What its constructor does besides."""

    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        type(self).make(config)

    def authenticate(self, ex: Exchange) -> None: ...
    def prepare(self, ex: Exchange) -> None: ...


@frozen
class Given:
    document: object


class OnProxy(Plugin):
    name = "on-proxy"
    Config = Given
    ask: Callable[[], Any] = staticmethod(lambda: Given(1))
    make: Callable[[Any], None] = staticmethod(lambda config: None)

    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        type(self).make(config)

    @classmethod
    def for_proxy(cls, parts: Parts) -> Any | None:
        return cls.ask()

    def authorize(self, ex: Exchange) -> None: ...


class House:
    """A Directory of one proxy, and what its Compiler told."""

    def __init__(self) -> None:
        class Brings:
            @hookimpl
            def rrgate_plugins(self) -> Sequence[type[Plugin]]:
                return (Auth, OnProxy)

        self.told: list[Event] = []
        self.unsealed: dict[str, bytes | Exception] = {}
        self.ways: list[str] = []
        self.now = 0.0
        self.compiler = Compiler(
            load_registry([Brings()], found=[]),
            self,
            Clock(),
            lambda: self.now,
            prefix="requestrocket-",
            query_credentials=True,
            http=self._way,
            tell=self.told.append,
        )
        self.directory = Directory(self.compiler.build, forget=self.compiler.forget)
        self.directory.put(Client(id="c1", user_id="u1", name="c", created_at=1, updated_at=1))
        for id, side in (("caller", Side.PROXY), ("towards", Side.TARGET)):
            self.directory.put(self.credential(id, side))
        common = {"client_id": "c1", "user_id": "u1", "region": "us-east-1", "created_at": 1, "updated_at": 1}
        self.directory.put(Target(id="t1", name="t", base_url="https://acme.test", **common))
        self.directory.put(
            Proxy(
                id="p1",
                name="p",
                proxy_credential_id="caller",
                target_id="t1",
                target_credential_id="towards",
                **common,
            )
        )

    def credential(self, id: str, side: Side, **more: Any) -> Credential:
        return Credential(
            **{
                "id": id,
                "client_id": "c1",
                "user_id": "u1",
                "name": id,
                "side": side,
                "auth_type": "auth",
                "region": "us-east-1",
                "created_at": 1,
                "updated_at": 1,
                "fingerprint": "00000000",
                "sealed_secret": b"",
                **more,
            }
        )

    def _way(self, client_id: str, plugin: str) -> CallsOutside:
        self.ways.append(client_id)
        return NothingOutside()

    def unseal_credential(self, credential: Credential) -> bytes:
        found = self.unsealed.get(credential.id, json.dumps({"token": SECRET}).encode())
        if isinstance(found, Exception):
            raise found
        return found

    unseal_previous = unseal_credential

    def fails(self) -> str:
        """The text of the ConfigError, which is told as well, and holds no secret."""
        with pytest.raises(ConfigError) as caught:
            self.directory.find(b"/p1/x")
        text = str(caught.value)
        assert SECRET not in text
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        (event,) = self.told
        assert (event.kind, event.subject) == ("proxy-broken", "p1")
        assert text in event.message
        return text


@pytest.fixture
def house() -> House:
    return House()


def raising(error: Exception) -> Callable[..., Any]:
    def make(*_: object) -> Any:
        raise error

    return staticmethod(make)


def test_all_is_right(house: House) -> None:
    found = house.directory.find(b"/p1/x")
    assert found is not None
    assert [step.plugin for step in found[0].chain.authorize] == ["on-proxy"]
    assert house.told == []
    assert set(house.ways) == {"c1"}


@pytest.mark.parametrize("error", [RuntimeError(SECRET), KeyError(SECRET), OutsideError(SECRET), OSError(SECRET)])
def test_a_secret_that_does_not_open(house: House, error: Exception) -> None:
    house.unsealed["towards"] = error
    text = house.fails()
    assert text.startswith("credentialSecret: credential towards cannot be unsealed (")
    assert type(error).__name__ in text


@pytest.mark.parametrize("sealed", [b"", b"{" + SECRET.encode(), b"\xff", b"[]", b'{"token": 5}', b'{"other": "x"}'])
def test_a_secret_that_is_not_of_its_type(house: House, sealed: bytes) -> None:
    house.unsealed["caller"] = sealed
    text = house.fails()
    assert text.startswith(("credentialSecret", "other"))
    assert "credential caller" in text


def test_a_type_that_is_not_installed(house: House) -> None:
    house.directory.put(house.credential("caller", Side.PROXY, auth_type="gone"))
    assert "no installed plugin serves 'gone' any more" in house.fails()


def test_a_constructor_that_raises(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Auth, "make", raising(ValueError(SECRET)))
    text = house.fails()
    assert text.startswith("credentialSecret: plugin 'auth' cannot work with credential caller (ValueError in ")


def test_a_constructor_that_names_its_field(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Auth, "make", raising(ConfigError(Problem("token", "must be longer"))))
    assert house.fails() == "token: must be longer (plugin 'auth' cannot work with credential caller)"


def test_a_plugin_on_proxies_that_raises(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnProxy, "ask", raising(LookupError(SECRET)))
    assert house.fails().startswith("proxy: plugin 'on-proxy' cannot work on proxy p1 (LookupError in")
    house.told.clear()
    monkeypatch.setattr(OnProxy, "ask", raising(ConfigError(Problem("proxyCors", "must be an object"))))
    assert house.fails() == "proxyCors: must be an object (plugin 'on-proxy' cannot work on proxy p1)"
    house.told.clear()
    monkeypatch.setattr(OnProxy, "ask", staticmethod(lambda: Given(1)))
    monkeypatch.setattr(OnProxy, "make", raising(TypeError(SECRET)))
    assert house.fails().startswith("proxy: plugin 'on-proxy' cannot work on proxy p1 (TypeError in")


@pytest.mark.parametrize("wrong", [True, False, {"document": 1}, Config("x")])
def test_a_plugin_that_answers_no_configuration_for_a_proxy(
    house: House, monkeypatch: pytest.MonkeyPatch, wrong: object
) -> None:
    """`return parts.proxy.name == "mine"`, say, would have it work on every proxy."""
    monkeypatch.setattr(OnProxy, "ask", staticmethod(lambda: wrong))
    what = f"answered a {type(wrong).__name__}, not its Config or None"
    assert house.fails() == f"for_proxy: {what} (plugin 'on-proxy' cannot work on proxy p1)"


@pytest.mark.parametrize("plugin", [Auth, OnProxy])
def test_an_object_that_does_not_say_what_it_consumes(
    house: House, monkeypatch: pytest.MonkeyPatch, plugin: type[Plugin]
) -> None:
    """It forgot its base, or says it in another form: what callers show could reach the target."""

    def forgets(self: Any, config: object, context: object) -> None: ...

    def another(self: Any, config: object, context: object) -> None:
        self.consumes = {"X-Key"}

    for init in (forgets, another):
        house.told.clear()
        monkeypatch.setattr(plugin, "__init__", init)
        text = house.fails()
        assert text.startswith("consumes: must be a rrgate.api.Consumes; an __init__ of its own calls super()")
        assert f"plugin {plugin.name!r}" in text


RULE = Rule(id="r1", client_id="c1", user_id="u1", parent_id="p1", effect="allow", created_at=1, updated_at=1)


def test_rules_that_nothing_judges_by(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.directory.put(RULE)
    assert house.fails().startswith("proxy: has rules, or a default that denies, and nothing installed judges")
    house.told.clear()
    # One that says that it judges, and is not there for this proxy, does not.
    monkeypatch.setattr(OnProxy, "judges", frozenset({"path"}))
    monkeypatch.setattr(OnProxy, "ask", staticmethod(lambda: None))
    house.fails()
    monkeypatch.setattr(OnProxy, "ask", staticmethod(lambda: Given(1)))
    assert house.directory.find(b"/p1/x") is not None


MADE: dict[str, Any] = {"client_id": "c1", "user_id": "u1", "parent_id": "p1", "created_at": 1, "updated_at": 1}


@pytest.mark.parametrize(
    ("noun", "attribute", "said", "text"),
    [
        (Filter(id="f1", effect="destroy", json_paths=("$.a",), **MADE), "filters", True, "filters, and nothing"),
        (Meter(id="m1", name="m", type="request_count", **MADE), "measures", frozenset({"request_count"}), "meters"),
    ],
)
def test_filters_and_meters_that_nothing_carries_out(
    house: House, monkeypatch: pytest.MonkeyPatch, noun: Any, attribute: str, said: object, text: str
) -> None:
    """Answers unfiltered, and requests uncounted, are not what was asked for."""
    house.directory.put(noun)
    assert house.fails().startswith(f"proxy: has {text}")
    monkeypatch.setattr(OnProxy, attribute, said)
    assert house.directory.find(b"/p1/x") is not None


@pytest.mark.parametrize("part", ["proxy", "target", "caller", "towards"])
def test_a_default_that_denies_and_nothing_that_judges(house: House, part: str) -> None:
    nouns: dict[str, Any] = {
        "proxy": house.directory.proxies["p1"],
        "target": house.directory.targets["t1"],
        **house.directory.credentials,
    }
    house.directory.put(evolve(nouns[part], default_rule_effect="deny"))
    assert "nothing installed judges" in house.fails()


@pytest.mark.parametrize("parent", ["p1", "t1", "caller", "towards"])
def test_a_route_is_forgotten_when_a_rule_of_its_parts_changes(
    house: House, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    monkeypatch.setattr(OnProxy, "judges", frozenset({"path"}))
    seen: list[list[str]] = []
    monkeypatch.setattr(
        OnProxy,
        "for_proxy",
        classmethod(lambda cls, parts: seen.append([r.id for s in parts.scopes for r in s.rules]) or Given(1)),
    )
    rule = evolve(RULE, parent_id=parent)
    house.directory.find(b"/p1/x")
    house.directory.find(b"/p1/x")
    house.directory.put(rule)
    house.directory.find(b"/p1/x")
    house.directory.put(evolve(rule, id="other", parent_id="of another"))
    house.directory.put(evolve(rule, active=False))
    house.directory.find(b"/p1/x")
    house.directory.put(rule)
    house.directory.drop(rule)
    house.directory.find(b"/p1/x")
    assert seen == [[], ["r1"], [], []]
    assert house.directory.rules_of(parent) == []


@pytest.mark.parametrize(
    ("kind", "id", "concerned"),
    [
        ("clients", "c1", {"p1", "p2", "p3"}),
        ("credentials", "caller", {"p1"}),
        ("credentials", "caller2", {"p2", "p3"}),
        ("credentials", "towards", {"p1", "p2", "p3"}),
        ("targets", "t2", {"p3"}),
        ("proxies", "p2", {"p2"}),
    ],
)
@pytest.mark.parametrize("how", ["changed", "dropped", "given a rule"])
def test_a_change_forgets_the_routes_that_it_concerns_and_no_others(
    house: House, kind: str, id: str, concerned: set[str], how: str
) -> None:
    directory = house.directory
    proxy, target = directory.proxies["p1"], directory.targets["t1"]
    directory.put(house.credential("caller2", Side.PROXY))
    directory.put(evolve(target, id="t2"))
    directory.put(evolve(proxy, id="p2", proxy_credential_id="caller2"))
    directory.put(evolve(proxy, id="p3", proxy_credential_id="caller2", target_id="t2"))
    for known in directory.proxies:
        directory.find(f"/{known}/x".encode())
    noun = getattr(directory, kind)[id]
    if how == "dropped":
        directory.drop(noun)
    elif how == "given a rule" and kind != "clients":
        common = {"client_id": "c1", "user_id": "u1", "created_at": 1, "updated_at": 1}
        directory.put(Rule(id="r1", parent_id=id, effect="deny", **common))
    else:
        directory.put(evolve(noun, name="renamed"))
    assert {"p1", "p2", "p3"} - {route.proxy.id for route in directory.routes()} == concerned


def test_anything_else(house: House) -> None:
    del house.directory.clients["c1"]
    assert house.fails().startswith("proxy: proxy p1 cannot be compiled (KeyError in compiling.py")


def test_one_that_failed_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Auth, "make", raising(ValueError()))
        house.fails()
    assert house.directory.find(b"/p1/x") is not None


def test_what_a_credential_owns_outlives_routes_and_not_the_credential(house: House) -> None:
    def signer() -> object:
        found = house.directory.find(b"/p1/x")
        assert found is not None
        return found[0].chain.prepare[-1].call.__self__

    first = signer()
    towards = house.directory.credentials["towards"]
    house.directory.put(evolve(towards, name="renamed"))
    assert signer() is first
    house.directory.put(evolve(towards, secret_version=towards.secret_version + 1))
    second = signer()
    assert second is not first
    house.directory.drop(towards)
    assert "towards" not in house.compiler._objects.kept
    house.directory.put(evolve(towards, secret_version=towards.secret_version + 1))
    assert signer() is not second


@pytest.mark.parametrize(
    ("config", "document", "secret_inside"),
    [(Config, {"token": SECRET}, True), (Around, {"inner": {"token": SECRET}}, True), (Open, {"url": "x"}, False)],
)
def test_what_holds_a_secret_at_any_depth_goes_over_tls(
    monkeypatch: pytest.MonkeyPatch, config: type, document: object, secret_inside: bool
) -> None:
    house = House()
    monkeypatch.setattr(Auth, "Config", config)
    house.unsealed = {"caller": json.dumps(document).encode(), "towards": json.dumps(document).encode()}
    found = house.directory.find(b"/p1/x")
    assert found is not None
    assert found[0].secret_needs_tls == secret_inside


# What is equal is the same object.


class Many(House):
    """Further proxies, the last of another client."""

    def __init__(self) -> None:
        super().__init__()
        self.directory.put(Client(id="c2", user_id="u1", name="c", created_at=1, updated_at=1))
        first = self.directory.proxies["p1"]
        self.directory.put(evolve(first, id="p2"))
        self.directory.put(evolve(first, id="p3", client_id="c2", target_id="t2"))
        self.directory.put(evolve(self.directory.targets["t1"], id="t2", client_id="c2"))

    def route(self, proxy: str) -> Route:
        found = self.directory.find(f"/{proxy}/x".encode())
        assert found is not None
        return found[0]

    def working_on(self, proxy: str) -> Plugin:
        (step,) = [step for step in self.route(proxy).chain.authorize if step.plugin == "on-proxy"]
        plugin: Plugin = step.call.__self__  # type: ignore[attr-defined]
        return plugin


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> Many:
    monkeypatch.setattr(OnProxy, "by_config", True)
    return Many()


def test_proxies_of_a_client_with_equal_configurations_share_an_object(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert many.working_on("p1") is many.working_on("p2")
    assert many.route("p1").chain.authorize[-1] is many.route("p2").chain.authorize[-1]
    assert many.working_on("p1").context.proxy is None
    assert many.working_on("p3") is not many.working_on("p1"), "another client's calls go another way"
    monkeypatch.setattr(OnProxy, "ask", staticmethod(lambda: Given(2)))
    many.directory.put(evolve(many.directory.proxies["p2"], name="changed"))
    assert many.working_on("p2") is not many.working_on("p1")
    assert many.working_on("p2").config == Given(2)


def test_others_have_objects_of_their_own(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnProxy, "by_config", False)
    assert many.working_on("p1") is not many.working_on("p2")
    assert many.working_on("p1").context.proxy == many.directory.proxies["p1"]


def test_a_shared_object_goes_with_the_last_route_that_has_it(many: Many) -> None:
    shared = weakref.ref(many.working_on("p1"))
    many.working_on("p2")
    many.directory.drop(many.directory.proxies["p1"])
    assert shared() is not None
    many.directory.drop(many.directory.proxies["p2"])
    gc.collect()
    assert shared() is None


def test_a_configuration_that_cannot_be_compared_is_refused(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnProxy, "ask", staticmethod(lambda: Given({})))
    assert "plugin 'on-proxy' cannot work on proxy p1" in many.fails()


def test_what_routes_have_in_common_is_there_once(many: Many) -> None:
    one, other = many.route("p1"), many.route("p2")
    assert one.cut_headers is other.cut_headers
    assert one.cut_answer_headers is other.cut_answer_headers
    assert one.authority is other.authority
    assert one.checks is other.checks
    assert one.chain.prepare[0] is other.chain.prepare[0], "the step of their target's credential"
