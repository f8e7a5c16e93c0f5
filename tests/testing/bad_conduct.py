"""Plugins that are bad whatever their kind: they tell secrets, go on, fail open, block, or do not do their work.

Belongs here: what breaks a promise of rrgate/testing/contract/conduct.py. Does not: good ones (made_up.py).
"""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError

from rrgate.api import Denied, Exchange, Identity, OutsideError, PluginContext, Reply, Side, secret
from tests.testing.made_up import SECRET, Headers, Word, WordConfig, breaks


@breaks("it does its work", "it must be refused")
class LetsEverybodyDelete(Headers):
    def authorize(self, ex: Exchange) -> None:
        return None


@breaks("it does its work", "not what `accepted` accepts")
class WritesNothing(Headers):
    def prepare(self, ex: Exchange) -> None:
        return None


@breaks("it does its work", "the caller got 403", also=("a further attempt is prepared the same",))
class LetsNobodyDoAnything(Headers):
    def authorize(self, ex: Exchange) -> Denied:
        return Denied("nobody", 403)


@breaks("it ends when the caller leaves", "authenticate goes on when the caller has left")
class SwallowsCancellation(Word):
    async def _agreed(self) -> Any:
        try:
            return await super()._agreed()
        except CancelledError:
            return Identity("word", self._id)


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
        shown = ex.presented(b"X-Word", b"the_word")
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


@breaks("it fails closed", "another word is forwarded when clock fails")
class FailsOpenWithoutTheClock(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        try:
            self.context.clock.seconds()
        except Exception:  # noqa: BLE001 - that is what it is bad at
            return Identity("perhaps")
        return await super().authenticate(ex)


@breaks("it fails closed", "another word is forwarded when outside fails")
class FailsOpenWhereOutsideFailsOddly(Word):
    """OutsideError is what it expects; there it fails closed."""

    async def authenticate(self, ex: Exchange) -> Any:
        shown = ex.presented(b"X-Word", b"the_word")
        if shown is None or isinstance(shown, Denied):
            return shown
        try:
            await self.context.http.request("GET", "https://word.test/")
        except OutsideError:
            return Denied("nobody agrees")
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 - that is what it is bad at
            return Identity("perhaps")
        return await super().authenticate(ex)


@breaks("it fails closed", "a request to delete is forwarded when wall fails")
class LetsDeleteWithoutTheTime(Headers):
    def authorize(self, ex: Exchange) -> Denied | None:
        try:
            self.context.wall()
        except Exception:  # noqa: BLE001 - that is what it is bad at
            return None
        return super().authorize(ex)


@breaks("it fails closed", "when it raises in authorize, the operator is told of something else authorize")
@breaks("it fails closed", "when it raises in body_needed, the operator is told of something else body_needed")
@breaks("it fails closed", "when it raises in prepare, the operator is told of something else prepare")
class HidesItsName(Headers):
    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.name = "something else"  # type: ignore[misc]

    def body_needed(self, ex: Exchange) -> None:
        return None


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


@breaks("it keeps its secrets", "an exception of its authenticate", also=("who shows a bad one is denied",))
class RaisesWithTheSecret(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        if ex.presented(b"X-Word", b"the_word") == b"another":
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


@breaks("it fails closed", "when it raises in authenticate, the operator is told of something else authenticate")
class HidesItsNameFromCallers(Word):
    sides = frozenset({Side.PROXY})

    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.name = "something else"  # type: ignore[misc]


@breaks("it does its work", "the good request: on_response answered Reply with 418; the caller got 418")
class AnswersAfterIt(Headers):
    def on_response(self, ex: Exchange) -> Reply | None:
        return Reply(418, "No", "success") if ex.response is not None else None


@breaks(
    "it does its work",
    "the good request: authorize answered Reply with 200; the caller got 200",
    also=("a further attempt is prepared the same",),
)
class AnswersForTheTarget(Headers):
    def authorize(self, ex: Exchange) -> Any:
        return super().authorize(ex) or Reply(200, "Done", "success")


@breaks("it does its work", "a request to delete: authorize answered Reply with 200; the caller got 200; it must be")
class AnswersInsteadOfRefusing(Headers):
    def authorize(self, ex: Exchange) -> Any:
        return super().authorize(ex) and Reply(200, "Deleted", "success")


@breaks("it does its work", "a request to delete: raised KeyError in authorize")
class RaisesInsteadOfRefusing(Headers):
    def authorize(self, ex: Exchange) -> None:
        if ex.method == b"DELETE":
            raise KeyError("nobody deletes")


@breaks("it does its work", "the good request: raised KeyError in on_log", also=("it fails closed",))
class RaisesWhenItIsOver(Headers):
    def on_log(self, ex: Exchange, record: Any) -> None:
        if ex.method != b"DELETE":
            raise KeyError("it is over")


@breaks("it does its work", "a request to delete: on_response answered Reply with 403")
class RefusesWhenItIsDone(Headers):
    def authorize(self, ex: Exchange) -> None:
        return None

    def on_response(self, ex: Exchange) -> Reply | None:
        return Reply(403, "Nobody deletes", "forbidden") if ex.method == b"DELETE" else None


@breaks("it keeps its secrets", "the secret `secrets[0]` is in the operator's log", secrets=[SECRET[::-1]])
class LogsWhatItDerived(Word):
    def prepare(self, ex: Exchange) -> Any:
        self.context.log.info("writing {word}", word=self.config.word[::-1])
        super().prepare(ex)
