"""Plugins that proxies list and that break a promise, each of another kind.

Belongs here: bad ones that are `listed`. Does not: good ones (made_up.py), what is the same for auth types (bad_*.py).
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError

from rrgate.api import Exchange, Parts, Plugin, PluginContext, documented, secret
from tests.testing.made_up import SECRET, HeaderConfig, Stamp, breaks


@breaks("it can be loaded", "has no method")
class DoesNothing(Plugin):
    name = "stamp"
    listed = True


@breaks("it can be loaded", "`for_proxy` is never asked")
class AsksProxies(Stamp):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any: ...


@breaks("a good configuration is read", "proxyPlugins.0.configuration.other: is required")
class WantsAnotherOne(Stamp):
    @frozen
    class Config:
        other: str
        more: Any = None


@breaks("a good configuration is read", "no secret of 16 characters", config={"more": [{"name": "X-A", "value": "s"}]})
class IsShownAShortOne(Stamp): ...


@breaks("a good configuration is read", "plugin 'stamp' cannot work on proxy")
class FailsToBeginWhereItIsListed(Stamp):
    def __init__(self, config: Any, context: PluginContext) -> None:
        raise LookupError


@breaks("a good configuration is read", "plugin 'stamp' cannot work on proxy", config={"header": {"a": "b"}})
class CannotBeCompared(Stamp):
    by_config = True

    @frozen
    class Config:
        header: dict[str, str]


@breaks(
    "a bad configuration is refused, by its field and without its values",
    "it must name proxyPlugins.0.configuration.stamp",
    bad_configs=[("stamp", {"header": "Host"})],
)
class NamesAnotherField(Stamp): ...


@breaks(
    "a bad configuration is refused, by its field and without its values",
    "a configuration with a bad `header` is accepted",
    bad_configs=[("header", {"header": "Host"})],
)
class TakesAnyConfiguration(Stamp):
    @frozen
    class Config:
        header: str = documented("Where it is written.", default="X-Stamp")
        stamp: str = secret("What is written.", default="")
        more: tuple[HeaderConfig, ...] = documented("More of them.", default=())


@breaks("it ends when the caller leaves", "re-raise CancelledError")
class GoesOn(Stamp):
    async def prepare(self, ex: Exchange) -> None:
        try:
            await super().prepare(ex)
        except CancelledError:
            pass


@breaks("it keeps its secrets", "the secret `more[0].value` is in the operator's log")
class LogsWhatIsWithin(Stamp):
    async def prepare(self, ex: Exchange) -> None:
        await super().prepare(ex)
        self.context.log.info("wrote {value}", value=self.config.more[0].value)


@breaks("it does its work", "the target got is not what `accepted` accepts")
class WritesLess(Stamp):
    async def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-More", SECRET[1:].encode())
