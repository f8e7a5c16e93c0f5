"""`check_plugin` passes a plugin that keeps the contract, and catches one that breaks it, for each promise.

Belongs here: bad plugins, each bad in one way. Does not: the built-in ones (test_built_ins.py).
"""

from __future__ import annotations

import hmac
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define, frozen
from twisted.internet.defer import CancelledError

from rrgate.api import (
    ConfigError,
    Consumes,
    Denied,
    Exchange,
    Identity,
    Kind,
    NoConfig,
    OutsideAnswer,
    OutsideError,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    Reply,
    Side,
    documented,
    secret,
)
from rrgate.testing import Ask, BrokenPromises, check_plugin
from rrgate.testing.contract import PROMISES

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
        self.consumes = Consumes(headers={b"X-Word"}, parameters={b"word"})

    async def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"X-Word", b"word")
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
        return Identity("word") if answer.status == 200 else Denied("not agreed")

    def prepare(self, ex: Exchange) -> Any:
        ex.to_target.set_header(self._name, self._word)


def samples(plugin: type[Plugin]) -> dict[str, Any]:
    if plugin.sides:
        return {
            "config": {"word": SECRET},
            "good": {
                "in its header": Ask("POST", "/a?b=1", {"X-Word": SECRET}, b"body"),
                "in its parameter": Ask(path="/?b&word=a-Secret%2Fof-the-Sample%2B0001"),
            },
            "bad": {"another word": Ask(headers={"X-Word": "another"})},
            "bad_configs": [("word", {"word": f"{SECRET}\n"}), ("word", {"word": 8})],
            "outside": OutsideAnswer(200, (), b""),
        }
    return {
        "settings": {"proxyAdditionalHeaders": {"X-Added": "a value of some length"}},
        "bad": {"a request to delete": Ask("DELETE")},
        "bad_configs": [("proxyAdditionalHeaders", {"proxyAdditionalHeaders": {"Bad": "a value of some length"}})],
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


@pytest.mark.parametrize("plugin", [Word, Headers])
def test_a_good_plugin_passes(plugin: type[Plugin]) -> None:
    check_plugin(plugin, **samples(plugin))


# Bad ones, by the promise that each breaks. What it is bad at is its name.

BAD: dict[str, list[tuple[type[Plugin], str]]] = {promise: [] for promise in PROMISES}


def breaks(promise: str, how: str) -> Any:
    """`how`: a part of what is said of it."""

    def note(plugin: type[Plugin]) -> type[Plugin]:
        BAD[promise].append((plugin, how))
        return plugin

    return note


@breaks("it can be loaded", "needs the method `authenticate`")
class HasNoMethod(Plugin):
    name = "word"
    sides = frozenset({Side.PROXY})
    Config = WordConfig


@breaks("it can be loaded", "must declare `name`")
class HasNoName(Plugin):
    sides = frozenset({Side.PROXY})


@breaks("a good configuration is read", "frozen")
class ChangesItsConfiguration(Word):
    @define
    class Config:
        word: str = secret("What is shown.")
        header: str = "X-Word"


@breaks("a good configuration is read", "credentialSecret.phrase: is required")
class WantsAnotherField(Word):
    @frozen
    class Config:
        phrase: str = secret("What is shown.")


@breaks("a bad configuration is refused, by its field and without its values", "is accepted")
class TakesAnything(Word):
    @frozen
    class Config:
        word: Any = secret("What is shown.")
        header: str = "X-Word"


@breaks("a bad configuration is refused, by its field and without its values", "holds the value")
class QuotesWhatItRefuses(Word):
    @frozen
    class Config:
        word: str = secret("What is shown.")
        header: str = "X-Word"

        def __attrs_post_init__(self) -> None:
            if not self.word.isprintable():
                raise ConfigError(Problem("word", f"{self.word!r} is not printable"))


@breaks("a bad configuration is refused, by its field and without its values", "must name credentialSecret.word")
class NamesNoField(Word):
    @frozen
    class Config:
        word: str = secret("What is shown.")
        header: str = "X-Word"

        def __attrs_post_init__(self) -> None:
            if not self.word.isprintable():
                raise ConfigError(Problem("", "is not right"))


@breaks("a bad configuration is refused, by its field and without its values", "are accepted")
class TakesAnySettings(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        return HeadersConfig(dict(parts.proxy.additional_headers)) if parts.proxy.additional_headers else None


@breaks("a bad configuration is refused, by its field and without its values", "raised ValueError")
class RaisesForBadSettings(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        if "Bad" in parts.proxy.additional_headers:
            raise ValueError("bad")
        return super().for_proxy(parts)


@breaks("it works on the proxies that it should", "raised KeyError for a proxy without settings")
class ExpectsItsSettings(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        super().for_proxy(parts)
        return HeadersConfig({"X-Added": parts.proxy.additional_headers["X-Added"]})


@breaks("it works on the proxies that it should", "answered None")
class WorksNowhere(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        super().for_proxy(parts)


@breaks("it works on the proxies that it should", "must answer its Config")
class AnswersADictionary(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        super().for_proxy(parts)
        return {"headers": {}}


@breaks("it works on the proxies that it should", "does not declare that in `serves`")
class ServesInSecret(Headers):
    serves = frozenset()


@breaks("it does its work", "it must be refused")
class LetsEverybodyDelete(Headers):
    def authorize(self, ex: Exchange) -> None:
        return None


@breaks("it does its work", "not what `accepted` accepts")
class WritesNothing(Headers):
    def prepare(self, ex: Exchange) -> None:
        return None


@breaks("it does its work", "the caller got 403")
class LetsNobodyDoAnything(Headers):
    def authorize(self, ex: Exchange) -> Denied:
        return Denied("nobody", 403)


@breaks("who shows a good credential is identified", "in its header: authenticate answered Denied")
class KnowsNobody(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        return None if ex.presented(b"X-Word", b"word") is None else Denied("I do not know anybody")


@breaks("who shows a good credential is identified", "no subject")
class IdentifiesNobody(Word):
    async def _agreed(self) -> Identity:
        return Identity("")


@breaks("who shows none is nobody", "it must answer None")
class DeniesStrangers(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        return Denied("shows nothing") if ex.presented(b"X-Word", b"word") is None else await super().authenticate(ex)


@breaks("who shows none is nobody", "declare in `consumes`")
class ConsumesNothing(Word):
    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.consumes = Consumes()


@breaks("who shows none is nobody", "raised TypeError")
class ExpectsACredential(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        if ex.presented(b"X-Word", b"word") is None:
            raise TypeError("bytes, not None")
        return await super().authenticate(ex)


@breaks("who shows a bad one is denied", "another word: authenticate answered Identity")
class LetsEverybodyIn(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        return Identity("anybody") if ex.presented(b"X-Word", b"word") is not None else None


@breaks("who shows a bad one is denied", "another word: it answered nothing")
class OverlooksWrongOnes(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = await super().authenticate(ex)
        return None if isinstance(shown, Denied) else shown


@breaks("who shows a bad one is denied", "changed: authenticate answered Identity")
class ComparesTheBeginning(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = ex.presented(b"X-Word", b"word")
        if shown is None or isinstance(shown, Denied):
            return shown
        return await self._agreed() if shown.startswith(self._word) else Denied("another")


@breaks("who shows a bad one is denied", "raised UnicodeDecodeError")
class DecodesCarelessly(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = ex.header(b"X-Word")
        if shown is not None:
            shown.decode("ascii")
        return await super().authenticate(ex)


@breaks("who shows a bad one is denied", "what is ambiguous is refused")
class TakesTheFirst(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = ex.header(b"X-Word")
        if shown is None:
            return await super().authenticate(ex)
        return await self._agreed() if shown == self._word else Denied("another")


@breaks("what a caller shows is cut", "in its parameter: what the caller showed was forwarded")
class CopiesWhatItRead(Word):
    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        if last:
            ex.to_target.set_header(b"X-Original-Query", ex.query or b"none")
        return chunk


@breaks("what a caller shows is cut", "the secret `word` was forwarded")
class ConsumesOnlyTheHeader(Word):
    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.consumes = Consumes(headers={b"X-Word"})


@breaks("its credential wins", "headers like 'x-word'")
class AppendsAField(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.fields.append((b"x-word", b"X-Word", self._word))
        ex.to_target.set_header(b"X-Word", ex.to_target.header(b"X-Word") or b"")


@breaks("its credential wins", "ex.to_target.fields itself")
class WritesFieldsItself(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.fields.append((b"x-word", b"X-Word", self._word))


@breaks("its credential wins", "ex.to_target.query itself")
class WritesTheQueryItself(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.query += b"&word=x"


@breaks("its credential wins", "shows the target nothing")
class ShowsNothing(Word):
    def prepare(self, ex: Exchange) -> None:
        return None


@breaks("its credential wins", "only its own may be there")
class YieldsToTheCaller(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Word", ex.header(b"X-Word") or self._word)


@breaks("a further attempt is prepared the same", "a second time the header 'x-word' is another")
class Counts(Word):
    count = 0

    def prepare(self, ex: Exchange) -> None:
        type(self).count += 1
        ex.to_target.set_header(b"X-Word", b"%b %d" % (self._word, self.count))


@breaks("a further attempt is prepared the same", "for a further attempt the header 'x-word' is missing")
class PreparesOnce(Word):
    def prepare(self, ex: Exchange) -> None:
        if not ex.state.setdefault("prepared", False):
            ex.state["prepared"] = True
            super().prepare(ex)


@breaks("it ends when the caller leaves", "authenticate goes on when the caller has left")
class SwallowsCancellation(Word):
    async def _agreed(self) -> Any:
        try:
            return await super()._agreed()
        except CancelledError:
            return Identity("word")


@breaks("it ends when the caller leaves", "waits again")
class TriesAgain(Word):
    async def _agreed(self) -> Any:
        try:
            return await super()._agreed()
        except CancelledError:
            return await super()._agreed()


@breaks("it ends when the caller leaves", "raises RuntimeError when the caller leaves")
class TakesCancellationForAnError(Word):
    async def _agreed(self) -> Any:
        try:
            return await super()._agreed()
        except Exception as error:
            raise RuntimeError("something failed") from error


@breaks("it fails closed", "another word is forwarded when outside fails")
class FailsOpen(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = ex.presented(b"X-Word", b"word")
        if shown is None or isinstance(shown, Denied):
            return shown
        try:
            await self.context.http.request("GET", "https://word.test/")
        except OutsideError:
            return Identity("perhaps")
        return await super().authenticate(ex)


@breaks("it fails closed", "another word is forwarded when wall fails")
class FailsOpenWithoutTheTime(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        try:
            self.context.wall()
        except Exception:  # noqa: BLE001 - that is what it is bad at
            return Identity("perhaps")
        return await super().authenticate(ex)


@breaks("it fails closed", "when it raises in authorize, the operator is told of something else authorize")
class HidesItsName(Headers):
    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.name = "something else"  # type: ignore[misc]


@breaks("it keeps its secrets", "a repr of its object")
class ShowsItself(Word):
    def __repr__(self) -> str:
        return f"<Word {self._word!r}>"


@breaks("it keeps its secrets", "a repr of its object, its configuration")
class KeepsItInAPlainField(Word):
    @frozen
    class Config:
        word: str = secret("What is shown.")
        header: str = "X-Word"
        shown: str = ""

        def __attrs_post_init__(self) -> None:
            WordConfig(self.word)
            object.__setattr__(self, "shown", self.word.encode().hex())


@breaks("it keeps its secrets", "the operator's log")
class LogsWhatItWaitsFor(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        logging.getLogger("word").debug("waiting for %s", self.config.word)
        return await super().authenticate(ex)


@breaks("it keeps its secrets", "the operator's log")
class TellsInItsReason(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = await super().authenticate(ex)
        return Denied(f"not {self.config.word}") if isinstance(shown, Denied) else shown


@breaks("it keeps its secrets", "an answer to the caller")
class TellsTheCaller(Word):
    def on_response(self, ex: Exchange) -> None:
        ex.add_answer_header(b"X-Word-Was", self._word)


@breaks("it keeps its secrets", "an exception of its authenticate")
class RaisesWithTheSecret(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        if ex.presented(b"X-Word", b"word") == b"another":
            raise LookupError(self.config.word)
        return await super().authenticate(ex)


@breaks("it keeps its secrets", "what its authenticate answered")
class NamesTheCallerByTheSecret(Word):
    async def _agreed(self) -> Identity:
        return Identity(self.config.word)


@breaks("it blocks nothing", "time.sleep in prepare")
class Sleeps(Word):
    def prepare(self, ex: Exchange) -> None:
        time.sleep(0)
        super().prepare(ex)


@breaks("it blocks nothing", "socket.getaddrinfo in authenticate")
class ResolvesNames(Word):
    async def _agreed(self) -> Any:
        answer = await super()._agreed()
        socket.getaddrinfo("127.0.0.1", 80)
        return answer


@breaks("it blocks nothing", "open in authorize")
class ReadsAFile(Headers):
    def authorize(self, ex: Exchange) -> Denied | None:
        with open("/dev/null"):
            return super().authorize(ex)


def bad_ones() -> Iterator[Any]:
    for promise, plugins in BAD.items():
        for plugin, how in plugins:
            yield pytest.param(promise, plugin, how, id=plugin.__name__)


@pytest.mark.parametrize(("promise", "plugin", "how"), list(bad_ones()))
def test_a_bad_plugin_is_caught(promise: str, plugin: type[Plugin], how: str) -> None:
    with pytest.raises(BrokenPromises) as caught:
        check_plugin(plugin, **samples(plugin))
    found = [each for each in caught.value.broken if each.promise == promise]
    assert any(how in each.how for each in found), str(caught.value)
    assert plugin.__name__ in str(caught.value)
    assert SECRET not in str(caught.value)


def test_every_promise_is_broken_by_somebody() -> None:
    assert all(BAD.values()), [promise for promise, plugins in BAD.items() if not plugins]


# What an author must give.


@pytest.mark.parametrize(
    ("left_out", "asked_for"),
    [("bad", "give `bad`"), ("bad_configs", "give `bad_configs`"), ("config", "credentialSecret.word: is required")],
)
def test_samples_that_are_missing_are_asked_for(left_out: str, asked_for: str) -> None:
    given = {name: sample for name, sample in samples(Word).items() if name != left_out}
    with pytest.raises(BrokenPromises, match=asked_for):
        check_plugin(Word, **given)


def test_a_secret_that_is_too_short_to_be_looked_for() -> None:
    with pytest.raises(BrokenPromises, match="16 characters"):
        check_plugin(Word, **{**samples(Word), "config": {"word": "too-short"}})


def test_what_may_vary_is_named() -> None:
    given = samples(Counts) | {"varies": ["x-word"]}
    check_plugin(Counts, **given)


def test_who_lets_everybody_in_on_purpose() -> None:
    class Anybody(Plugin):
        name = "anybody"
        sides = frozenset({Side.PROXY})
        Config = NoConfig

        def authenticate(self, ex: Exchange) -> Identity:
            return Identity("anybody")

    with pytest.raises(BrokenPromises, match="is let in"):
        check_plugin(Anybody)
    Anybody.anonymous = True
    check_plugin(Anybody)


def test_a_gate_that_answers_itself() -> None:
    class Preflight(Plugin):
        name = "preflight"
        kind = Kind.GATE

        @classmethod
        def for_proxy(cls, parts: Parts) -> NoConfig:
            return NoConfig()

        def authenticate(self, ex: Exchange) -> Reply | None:
            return Reply(405, "No", "bad-request") if ex.method == b"OPTIONS" else None

    check_plugin(Preflight, bad={"a preflight": Ask("OPTIONS")})
    with pytest.raises(BrokenPromises, match=r"the caller got 405"):
        check_plugin(Preflight, good=Ask("OPTIONS"))


def test_any_test_runner_will_do() -> None:
    script = """
import sys
from rrgate.testing import BrokenPromises, check_plugin
from rrgate.api import NoConfig, Plugin, Side

class Nothing(Plugin):
    name = "nothing"
    sides = frozenset({Side.TARGET})

    def prepare(self, ex):
        pass

class Raises(Nothing):
    def prepare(self, ex):
        raise ValueError

check_plugin(Nothing)
try:
    check_plugin(Raises)
except AssertionError as broken:
    print(broken)
assert not {"pytest", "twisted.internet.reactor"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Raises breaks 2 promises of rrgate.api:\n  - its credential wins: a request: raised")
