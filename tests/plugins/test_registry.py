"""Loading plugins: what breaks the contract stops the start, with its distribution, version and reason.

Belongs here: the Registry. Does not: what the plugins do once they run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, frozen

from rrgate.api import Kind, Plugin, Side, documented, hookimpl
from rrgate.declarations import undeclared
from rrgate.registry import PluginLoadError, load_registry


class Good(Plugin):
    name = "good"
    aliases = ("fine",)


class Found:
    """What importlib.metadata gives for an installed distribution, without one."""

    def __init__(self, name: str, load: Callable[[], Any], distribution: str = "acme-thing") -> None:
        self.name = name
        self.value = f"{name}_module"
        self.dist = SimpleNamespace(name=distribution, version="1.2.3")
        self.load = load


def found(name: str, load: Callable[[], Any], distribution: str = "acme-thing") -> EntryPoint:
    entry: Any = Found(name, load, distribution)
    return entry  # type: ignore[no-any-return]


def bringing(*classes: Any) -> Any:
    class Brings:
        @hookimpl
        def rrgate_plugins(self) -> Sequence[Any]:
            return classes

    return Brings()


def refused(*entries: EntryPoint) -> str:
    with pytest.raises(PluginLoadError) as caught:
        load_registry(found=entries)
    return str(caught.value)


def test_what_is_right_is_found() -> None:
    class Auth(Plugin):
        name = "acme"
        aliases = ("acmeKey",)
        sides = frozenset({Side.TARGET})

        def prepare(self, ex: object) -> None: ...

    registry = load_registry(found=[found("a", lambda: bringing(Good, Auth))])
    assert registry.plugins == (Good,)
    assert registry.auth_type("acmeKey", Side.TARGET) is Auth
    assert registry.auth_type("acme", Side.PROXY) is None
    assert registry.auth_type_names(Side.TARGET) == ["acme", "acmeKey"]


def test_a_module_that_does_not_load() -> None:
    def load() -> Any:
        raise ImportError("no module named acme_core")

    assert refused(found("a", load)) == (
        "plugin 'a' (a_module) of acme-thing 1.2.3 cannot load: ImportError: no module named acme_core"
    )


def test_a_hook_that_does_not_exist_or_has_other_arguments() -> None:
    class Unknown:
        @hookimpl
        def rrgate_begun(self) -> None: ...

    class Arguments:
        @hookimpl
        def rrgate_started(self, door: object) -> None: ...

    for module, word in ((Unknown(), "rrgate_begun"), (Arguments(), "door")):
        text = refused(found("a", lambda module=module: module))
        assert text.startswith("plugin 'a' (a_module) of acme-thing 1.2.3 cannot load: PluginValidationError")
        assert word in text


def test_a_hook_without_its_mark_and_a_module_without_hooks() -> None:
    """They would be installed, and not be there."""

    class Unmarked:
        def rrgate_plugins(self) -> Any:
            return [Good]

    class OneOfTwo(Unmarked):
        @hookimpl
        def rrgate_started(self, gateway: object) -> None: ...

    for module in (Unmarked(), OneOfTwo()):
        text = refused(found("a", lambda module=module: module))
        assert text.endswith("rrgate_plugins has no mark: put @hookimpl of rrgate.api above it")
    text = refused(found("a", object))
    assert text.startswith(
        "plugin 'a' (a_module) of acme-thing 1.2.3 cannot load: PluginValidationError: it has no boot"
    )


def test_a_wrapper() -> None:
    class Wraps:
        @hookimpl(wrapper=True)
        def rrgate_plugins(self) -> Any:
            return (yield)

    assert "must not be a wrapper" in refused(found("a", Wraps))


def test_two_distributions_with_one_entry_point_name() -> None:
    text = refused(found("a", lambda: bringing(Good)), found("a", bringing, "other"))
    assert "of other 1.2.3 has the name of" in text
    assert "of acme-thing 1.2.3" in text


@pytest.mark.parametrize("names", [("good", ()), ("fine", ()), ("new", ("good",)), ("new", ("fine",))])
def test_two_plugins_of_one_name(names: tuple[str, tuple[str, ...]]) -> None:
    class Other(Plugin):
        name, aliases = names

    text = refused(found("a", lambda: bringing(Good)), found("b", lambda: bringing(Other), "other"))
    assert text.startswith("plugin 'b' (b_module) of other 1.2.3: ")
    assert "plugin 'a' (a_module) of acme-thing 1.2.3 has: give it another" in text


def test_rrgate_plugins_that_raises_or_answers_nothing() -> None:
    class Raises:
        @hookimpl
        def rrgate_plugins(self) -> Any:
            raise RuntimeError("not today")

    class Nothing:
        @hookimpl
        def rrgate_plugins(self) -> Any:
            return None

    assert refused(found("a", Raises)).endswith("of acme-thing 1.2.3: rrgate_plugins failed: RuntimeError: not today")
    assert "rrgate_plugins failed: TypeError" in refused(found("a", Nothing))


class NotAPlugin:
    name = "no"


class NoName(Plugin):
    pass


class NoKind(Plugin):
    name = "no"
    kind: Any = "first"


class NoConfigClass(Plugin):
    name = "no"
    Config: Any = dict


class UntypedField(Plugin):
    name = "no"

    @frozen
    class Config:
        word: str = documented("A word.")
        letters = documented("Nothing says what this is.", default=3)


class ChangeableConfig(Plugin):
    name = "no"

    @define
    class Config:
        word: str = documented("A word.")


class ChangeableAndEmpty(Plugin):
    name = "no"

    @define
    class Config:
        pass


@define
class Changeable:
    word: str = documented("A word.")


class ChangeableInside(Plugin):
    name = "no"

    @frozen
    class Config:
        words: dict[str, tuple[Changeable, ...] | None] = documented("Words.", factory=dict)


class OneAlias(Plugin):
    name = "no"
    aliases: Any = "nope"


class OddSides(Plugin):
    name = "no"
    sides: Any = frozenset({"proxy"})


class OddAnonymous(Plugin):
    name = "odd"
    sides = frozenset({Side.PROXY})
    anonymous: Any = "yes"


class OddByConfig(Plugin):
    name = "odd"
    by_config: Any = "yes"

    @classmethod
    def for_proxy(cls, parts: object) -> None: ...


class AnonymousTowardsTargets(Plugin):
    name = "odd"
    sides = frozenset({Side.TARGET})
    anonymous = True


class OddServes(Plugin):
    name = "no"
    serves: Any = "proxyStreaming"


class OddNeed(Plugin):
    name = "no"
    body_need: Any = 1000


class AsyncLog(Plugin):
    name = "no"

    async def on_log(self, ex: object, record: object) -> None: ...


class AsyncNeed(Plugin):
    name = "no"

    async def body_needed(self, ex: object) -> None: ...


class TakesNothing(Plugin):
    name = "no"
    sides = frozenset({Side.TARGET})

    def prepare(self) -> None: ...


class TakesNoLast(Plugin):
    name = "no"

    def on_body(self, ex: object, chunk: bytes) -> bytes:
        return chunk


class NowhereToWork(Plugin):
    name = "no"

    def prepare(self, ex: object) -> None: ...


class NoClassMethod(Plugin):
    name = "no"

    def for_proxy(self, parts: object) -> None: ...  # type: ignore[override]

    def prepare(self, ex: object) -> None: ...


class OddName(Plugin):
    name = "two words"


class EmptyAlias(Plugin):
    name = "no"
    aliases = ("",)


class OnProxies(Plugin):
    name = "no"

    @classmethod
    def for_proxy(cls, parts: object) -> None: ...


class Misspelled(OnProxies):
    def authorise(self, ex: object) -> None: ...

    def prepare(self, ex: object) -> None: ...


class NoMethod(OnProxies):
    prepare: Any = 7


class JudgesNothing(OnProxies):
    judges = frozenset({"methods"})

    def prepare(self, ex: object) -> None: ...


class OddListed(Plugin):
    name = "no"
    listed: Any = "yes"


class ListedAuthType(Plugin):
    name = "no"
    listed = True
    sides = frozenset({Side.TARGET})


class ListedForAll(Plugin):
    name = "no"
    listed = True
    serves = frozenset({"proxyStreaming"})


class ListedAndIdle(Plugin):
    name = "no"
    listed = True


class ListedAndAsked(Plugin):
    name = "no"
    listed = True

    def prepare(self, ex: object) -> None: ...

    @classmethod
    def for_proxy(cls, parts: object) -> None: ...


class NoAuthenticate(Plugin):
    name = "no"
    sides = frozenset({Side.PROXY})

    def prepare(self, ex: object) -> None: ...


class NoPrepare(Plugin):
    name = "no"
    sides = frozenset({Side.TARGET})
    prepare = None


def test_a_plugin_that_only_says_which_proxies_there_may_be_is_one() -> None:
    assert undeclared(OnProxies) == ""


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (NotAPlugin, "NotAPlugin is not a subclass of rrgate.api.Plugin"),
        (Good(None, None), "a Good is not a subclass"),  # type: ignore[arg-type]
        ("good", "a str is not a subclass"),
        (NoName, "must declare `name`"),
        (NoKind, "must declare `name` (a str) and `kind`"),
        (NoConfigClass, "its Config must be an attrs class"),
        (UntypedField, "its Config is not right: letters has no type"),
        (ChangeableConfig, "its Config can be changed: make it a frozen attrs class, with @frozen of attrs"),
        (ChangeableAndEmpty, "its Config can be changed"),
        (ChangeableInside, "Changeable, which its Config holds, can be changed: make it a frozen attrs class"),
        (OneAlias, "its `aliases` must be a tuple of str"),
        (OddSides, "its `sides` must be"),
        (OddAnonymous, "its `anonymous` must be a bool"),
        (OddByConfig, "its `by_config` must be a bool"),
        (AnonymousTowardsTargets, "its `anonymous` is for auth types of the caller's side"),
        (OddServes, "its `serves` must be"),
        (OddListed, "its `listed` must be a bool"),
        (ListedAuthType, "it declares `sides` and is `listed`"),
        (ListedForAll, "`serves` is for those that all have"),
        (ListedAndIdle, "it is `listed` and has no method"),
        (ListedAndAsked, "its `for_proxy` is never asked"),
        (OddNeed, "its `body_need` must be"),
        (AsyncNeed, "its `body_needed` must not be async"),
        (AsyncLog, "its `on_log` must not be async"),
        (TakesNothing, "its `prepare` must take (self, ex)"),
        (TakesNoLast, "its `on_body` must take (self, ex, chunk, last)"),
        (NowhereToWork, "an auth type declares `sides`, any other plugin `listed`, or has `for_proxy`"),
        (OddName, "its `name` and `aliases` must be visible characters"),
        (EmptyAlias, "its `name` and `aliases` must be visible characters"),
        (NoClassMethod, "its `for_proxy` must be a classmethod"),
        (Misspelled, "its `authorise` would never be called: is it `authorize`?"),
        (NoMethod, "its `prepare` must be a method"),
        (JudgesNothing, "it `judges`, and so needs the method `authorize`"),
        (NoAuthenticate, "needs the method `authenticate`"),
        (NoPrepare, "needs the method `prepare`"),
    ],
)
def test_a_class_that_breaks_the_contract(broken: Any, why: str) -> None:
    text = refused(found("a", lambda: bringing(broken)))
    assert text.startswith("plugin 'a' (a_module) of acme-thing 1.2.3: ")
    assert why in text


def test_methods_that_are_right() -> None:
    class Odd(Plugin):
        name = "odd"
        sides = frozenset({Side.TARGET})

        @staticmethod
        def prepare(ex: object) -> None: ...

        def on_response(self, *given: object) -> None: ...

        def on_body(self, ex: object, chunk: bytes, last: bool, *, more: int = 0) -> bytes:
            return chunk

    assert load_registry(found=[found("a", lambda: bringing(Odd))]).auth_types == (Odd,)


def test_modules_given_besides_are_named_too() -> None:
    with pytest.raises(PluginLoadError, match=r"plugin 'Brings': .*is not a subclass"):
        load_registry([bringing(NotAPlugin)], found=[])
    module = bringing(Good)
    with pytest.raises(PluginLoadError, match="plugin 'Brings' cannot load: ValueError"):
        load_registry([module, module], found=[])


def test_the_order_is_that_of_loading() -> None:
    @frozen
    class Config:
        pass

    def one(number: int) -> type[Plugin]:
        return type(f"P{number}", (Plugin,), {"name": f"p{number}", "kind": Kind.OWN, "Config": Config})

    classes = [one(number) for number in range(4)]
    entries = [found(f"e{i}", lambda i=i: bringing(classes[i])) for i in range(4)]
    assert load_registry(found=entries).plugins == tuple(classes)
