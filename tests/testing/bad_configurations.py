"""Plugins that cannot be loaded, or that read configurations badly.

Belongs here: what breaks a promise of rrgate/testing/contract/configuration.py. Does not: good ones (made_up.py).
"""

from __future__ import annotations

from typing import Any

from attrs import define, frozen

from rrgate.api import ConfigError, Parts, Plugin, PluginContext, Problem, Side, secret
from tests.testing.made_up import SECRET, Headers, HeadersConfig, Word, WordConfig, breaks


@breaks("it can be loaded", "needs the method `authenticate`")
class HasNoMethod(Plugin):
    name = "word"
    sides = frozenset({Side.PROXY})
    Config = WordConfig


@breaks("it can be loaded", "must declare `name`")
class HasNoName(Plugin):
    sides = frozenset({Side.PROXY})


@breaks("it can be loaded", "its Config can be changed: make it a frozen attrs class")
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


@breaks("a good configuration is read", "cannot work with credential")
class FailsToBegin(Word):
    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        int(config.word)


@breaks("a good configuration is read", "cannot work on proxy")
class FailsToBeginOnAProxy(Headers):
    def __init__(self, config: Any, context: PluginContext) -> None:
        raise LookupError


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


@breaks("it works on the proxies that it should", "answered None", also=("it does its work",))
class WorksNowhere(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        super().for_proxy(parts)


@breaks("a good configuration is read", "answered a dict, not its Config or None")
class AnswersADictionary(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        super().for_proxy(parts)
        return {"headers": {}}


@breaks("it works on the proxies that it should", "does not declare that in `serves`")
class ServesInSecret(Headers):
    serves = frozenset()


@breaks("a bad configuration is refused, by its field and without its values", "the error about credentialSecret.word")
class QuotesOneBadSample(Word):
    @frozen
    class Config(WordConfig):
        def __attrs_post_init__(self) -> None:
            if self.word == f"{SECRET}\n":
                raise ConfigError(Problem("word", f"{self.word!r} ends the line"))
            super().__attrs_post_init__()


@breaks(
    "a bad configuration is refused, by its field and without its values",
    "as a problem of proxyName: it must name proxyAdditionalHeaders",
)
class NamesAnotherSetting(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        if "Bad" in parts.proxy.additional_headers:
            raise ConfigError(Problem("proxyName", "is not right"))
        return super().for_proxy(parts)


@breaks(
    "a bad configuration is refused, by its field and without its values",
    "the error about proxyAdditionalHeaders, proxyAdditionalHeaders.Bad holds",
)
class QuotesASetting(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        if bad := parts.proxy.additional_headers.get("Bad"):
            raise ConfigError(
                Problem("proxyAdditionalHeaders", f"{bad} is bad"), Problem("proxyAdditionalHeaders.Bad", "")
            )
        return super().for_proxy(parts)


@breaks(
    "a bad configuration is refused, by its field and without its values",
    "about proxyAdditionalData holds",
    bad_configs=[("proxyAdditionalData", {"proxyAdditionalData": {"names": ["a value of some length"]}})],
)
class QuotesAListsItem(Headers):
    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        if data := parts.proxy.additional_data:
            raise ConfigError(Problem("proxyAdditionalData", f"{data['names'][0]} is bad"))
        return super().for_proxy(parts)


@breaks("it works on the proxies that it should", "answered two different things")
class AnswersAnew(Headers):
    count = 0

    @classmethod
    def for_proxy(cls, parts: Parts) -> Any:
        cls.count += 1
        config = super().for_proxy(parts)
        return config and HeadersConfig({**config.headers, "X-Count": str(cls.count)})
