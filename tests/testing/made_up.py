"""Plugins made up for the tests of `check_plugin`: two that keep every promise, which bad ones are derived from.

Belongs here: good ones, their samples, and the list of bad ones. Does not: bad ones (bad_*.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from rrgate.api import (
    ConfigError,
    Consumes,
    Denied,
    Exchange,
    Identity,
    Kind,
    OutsideAnswer,
    OutsideError,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    Side,
    documented,
    secret,
)
from rrgate.testing import Ask

SECRET = "a-Secret/of-the-Sample+0001"


@frozen
class WordConfig:
    word: str = secret("What is shown.")
    header: str = documented("Where it is shown.", default="X-Word")

    def __attrs_post_init__(self) -> None:
        if len(self.word) < 8 or not all(" " < letter <= "~" for letter in self.word):
            raise ConfigError(Problem("word", "must be 8 visible ASCII characters or more"))


class Word(Plugin):
    """A word in a header or a parameter, on both sides; a server elsewhere has to agree. It keeps every promise."""

    name = "word"
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = WordConfig

    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self._word = config.word.encode()
        self._name = config.header.encode()
        self.consumes = Consumes(headers={b"X-Word"}, parameters={b"the_word"})
        self._id = context.credential.id if context.credential else ""

    async def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"X-Word", b"the_word")
        if shown is None or isinstance(shown, Denied):
            return shown
        if not hmac.compare_digest(shown, self._word):
            return Denied("another word")
        return await self._agreed()

    async def _agreed(self) -> Identity | Denied:
        try:
            answer = await self.context.http.request("GET", "https://word.test/")
        except OutsideError:
            return Denied("nobody agrees")
        return Identity("word", self._id) if answer.status == 200 else Denied("not agreed")

    def prepare(self, ex: Exchange) -> Any:
        ex.to_target.set_header(self._name, self._word)


@frozen
class StampConfig:
    stamp: str = secret("What is written.", default="")
    header: str = documented("Where it is written.", default="X-Stamp")
    more: tuple[HeaderConfig, ...] = documented("More of them.", default=())

    def __attrs_post_init__(self) -> None:
        if not self.header.startswith("X-"):
            raise ConfigError(Problem("header", "must begin with X-"))


@frozen
class HeaderConfig:
    name: str
    value: str = secret("What is written there.")


class Stamp(Plugin):
    """Proxies list it: it writes headers, and nobody deletes. It keeps every promise."""

    name = "stamp"
    listed = True
    Config = StampConfig

    def authorize(self, ex: Exchange) -> Denied | None:
        return Denied("nobody deletes", 403) if ex.method == b"DELETE" else None

    async def prepare(self, ex: Exchange) -> None:
        await self.context.http.request("GET", "https://stamp.test/")
        for each in (HeaderConfig(self.config.header, self.config.stamp), *self.config.more):
            ex.to_target.set_header(each.name.encode(), each.value.encode())


def samples(plugin: type[Plugin]) -> dict[str, Any]:
    if plugin.listed:
        return {
            "config": {"more": [{"name": "X-More", "value": SECRET}]},
            "bad": {"a request to delete": Ask("DELETE")},
            "bad_configs": [("header", {"header": "Host"}), ("more.0.value", {"more": [{"name": "X-More"}]})],
            "outside": OutsideAnswer(200, (), b""),
            "accepted": lambda received: received["X-More"] == SECRET,
        }
    if plugin.sides:
        return {
            "config": {"word": SECRET},
            "good": {
                "in its header": Ask("POST", "/a?b=1", {"X-Word": SECRET}, b"body"),
                "in its parameter": Ask(path="/?b&the_word=a-Secret%2Fof-the-Sample%2B0001"),
            },
            "bad": {"another word": Ask(headers={"X-Word": "another"})},
            "bad_configs": [("word", {"word": f"{SECRET}\n"}), ("word", {"word": 8})],
            "outside": OutsideAnswer(200, (), b""),
        }
    return {
        "settings": {"proxyAdditionalHeaders": {"X-Added": "a value of some length"}},
        "bad": {"a request to delete": Ask("DELETE")},
        "bad_configs": [
            ("proxyAdditionalHeaders", {"proxyAdditionalHeaders": {"Bad": "a value of some length"}}),
            ("proxyAdditionalHeaders.Bad", {"proxyAdditionalHeaders": {"Bad": "a value of some length"}}),
        ],
        "accepted": lambda received: received.every("X-Added") == ["a value of some length"],
    }


@frozen
class HeadersConfig:
    headers: dict[str, str]


class Headers(Plugin):
    """A proxy's additional headers, and nobody deletes. It keeps every promise."""

    name = "headers"
    kind = Kind.HEADERS
    Config = HeadersConfig
    serves = frozenset({"proxyAdditionalHeaders"})

    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        headers = parts.proxy.additional_headers
        if "Bad" in headers:
            raise ConfigError(Problem("proxyAdditionalHeaders.Bad", "is a bad name: take another"))
        return HeadersConfig(dict(headers)) if headers else None

    def authorize(self, ex: Exchange) -> Denied | None:
        return Denied("nobody deletes", 403) if ex.method == b"DELETE" else None

    def prepare(self, ex: Exchange) -> None:
        for name, value in self.config.headers.items():
            ex.to_target.set_header(name.encode(), value.encode())


@frozen
class Bad:
    """A plugin that is bad at one thing, which its name tells. `how`: a part of what is said of it.

    `also`: promises that it cannot but break too. `given`: samples in place of those above.
    """

    plugin: type[Plugin]
    promise: str
    how: str
    also: frozenset[str]
    given: Mapping[str, Any]


BAD: list[Bad] = []


def breaks(promise: str, how: str, *, also: tuple[str, ...] = (), **given: Any) -> Callable[[Any], Any]:
    """Notes a bad one."""

    def note(plugin: type[Plugin]) -> type[Plugin]:
        BAD.append(Bad(plugin, promise, how, frozenset(also), given))
        return plugin

    return note
