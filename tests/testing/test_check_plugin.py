"""`check_plugin` passes a plugin that keeps the contract, and catches one that breaks it, for each promise.

Belongs here: what is said of good and bad plugins. Does not: those (made_up.py, bad_*.py), the built-in ones
(test_built_ins.py).
"""

from __future__ import annotations

import linecache
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from attrs import frozen
from twisted.internet.task import deferLater

from rrgate.api import (
    ConfigError,
    Exchange,
    Identity,
    Kind,
    NoConfig,
    OutsideError,
    Parts,
    Plugin,
    Problem,
    Reply,
    Side,
    secret,
)
from rrgate.testing import Ask, BrokenPromises, check_plugin
from rrgate.testing.contract import PROMISES
from rrgate.testing.contract.callers import GARBAGE
from tests.testing import bad_callers, bad_conduct, bad_configurations, bad_listed, bad_targets
from tests.testing.bad_targets import Counts, CountsInTheQuery
from tests.testing.made_up import BAD, SECRET, Bad, Headers, Stamp, Word, samples

BAD_ONES = (bad_configurations, bad_callers, bad_targets, bad_conduct, bad_listed)


class WordInQuery(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_query(b"the-word", quote(self.config.word, safe="").encode())


class WordInBody(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_body(self._word)


class WordThatIsNamed(Word):
    """Words are the names of their callers, of whom some are known elsewhere."""

    async def _agreed(self) -> Any:
        return Identity("word")


class WordThatWaitsToPrepare(Word):
    """Callers leave while it waits for the second time; it is told of that like of any request."""

    async def prepare(self, ex: Exchange) -> None:
        await self.context.http.request("GET", "https://word.test/")
        super().prepare(ex)

    def on_log(self, ex: Exchange, record: Any) -> None: ...


class WordThatIsAskedForTwice(Word):
    """What fails in a while it tries once more, and waits again for that."""

    async def _agreed(self) -> Any:
        try:
            await deferLater(self.context.clock, 1.0, self._nobody)
        except OutsideError:
            await deferLater(self.context.clock, 1.0, lambda: None)
        return await super()._agreed()

    def _nobody(self) -> None:
        raise OutsideError("nobody was there")


class WordThatIsAwaited(Word):
    """A method that is no `async def` may answer something to wait for."""

    def authenticate(self, ex: Exchange) -> Any:
        return super().authenticate(ex)


class WordThatKnowsItself(Word):
    """As it is written, not as what it is tried out by."""

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self.shown = f"{type(self).__module__}.{type(self).__qualname__} {type(self).__name__}"
        assert self.shown == f"{__name__}.WordThatKnowsItself WordThatKnowsItself"


@pytest.mark.parametrize(
    "plugin",
    [
        Word,
        WordInQuery,
        WordInBody,
        WordThatIsNamed,
        WordThatWaitsToPrepare,
        WordThatIsAskedForTwice,
        WordThatIsAwaited,
        WordThatKnowsItself,
        Headers,
        Stamp,
    ],
)
def test_a_good_plugin_passes(plugin: type[Plugin]) -> None:
    check_plugin(plugin, **samples(plugin))


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.plugin.__name__)
def test_a_bad_plugin_is_caught_by_that_check(bad: Bad) -> None:
    with pytest.raises(BrokenPromises) as caught:
        check_plugin(bad.plugin, **{**samples(bad.plugin), **bad.given})
    found = [each.how for each in caught.value.broken if each.promise == bad.promise]
    assert any(bad.how in how for how in found), str(caught.value)
    assert {each.promise for each in caught.value.broken} == {bad.promise, *bad.also}, str(caught.value)
    assert bad.plugin.__name__ in str(caught.value)
    assert SECRET not in str(caught.value)


def test_who_logs_a_failure_blocks_nothing() -> None:
    """Though the lines of its traceback are read from files, each file once."""

    class Logs(Word):
        async def authenticate(self, ex: Exchange) -> Any:
            linecache.clearcache()
            try:
                raise LookupError
            except LookupError:
                self.context.log.failure("as it may")
            return await super().authenticate(ex)

    check_plugin(Logs, **samples(Logs))


def test_every_promise_is_broken_by_somebody() -> None:
    assert {bad.promise for bad in BAD} == set(PROMISES)


@pytest.mark.parametrize(
    ("garbage", "where"),
    [
        (garbage, where)
        for garbage in GARBAGE
        for where in ("header", "parameter")
        if where == "header" or len(garbage) <= 1000  # no request line is as long
    ],
    ids=lambda each: repr(each[:10]),
)
def test_what_no_parser_may_choke_on(garbage: str, where: str) -> None:
    class Chokes(Word):
        async def authenticate(self, ex: Exchange) -> Any:
            shown = ex.presented(b"X-Word", b"the_word")
            if (ex.header(b"X-Word") is None) == (where == "parameter"):
                assert shown not in (garbage.strip().encode(), garbage.encode("latin-1"))
            return await super().authenticate(ex)

    with pytest.raises(BrokenPromises, match=f"its {where} '.*': raised AssertionError in authenticate at test_check_"):
        check_plugin(Chokes, **samples(Chokes))


ODD: dict[str, Callable[[Any], bool]] = {
    "a line's end": lambda word: isinstance(word, str) and word.endswith("\r\n"),
    "spaces": lambda word: isinstance(word, str) and word.startswith(" "),
    "not ASCII": lambda word: isinstance(word, str) and not word.isascii(),
    "a colon": lambda word: isinstance(word, str) and ":" in word,
    "very long": lambda word: isinstance(word, str) and len(word) > 5000,
    "NUL": lambda word: isinstance(word, str) and "\0" in word,
    "a list": lambda word: isinstance(word, list),
    "an object": lambda word: isinstance(word, dict),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_no_error_may_quote(odd: str) -> None:
    class Quotes(Word):
        @frozen
        class Config:
            word: Any = secret("What is shown.")
            header: str = "X-Word"

            def __attrs_post_init__(self) -> None:
                if self.word != SECRET:
                    raise ConfigError(Problem("word", f"{self.word} is wrong" if ODD[odd](self.word) else "is wrong"))

    with pytest.raises(BrokenPromises, match=r"the error about credentialSecret.word holds the value"):
        check_plugin(Quotes, **{**samples(Quotes), "bad_configs": []})


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
    check_plugin(Counts, **samples(Counts), varies=["x-word"])
    check_plugin(CountsInTheQuery, **samples(CountsInTheQuery), varies=["The-Count"])


def test_who_has_no_secret_need_not_show_any() -> None:
    class Nothing(Plugin):
        name = "nothing"
        sides = frozenset({Side.TARGET})

        def prepare(self, ex: Exchange) -> None: ...

    check_plugin(Nothing)


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
