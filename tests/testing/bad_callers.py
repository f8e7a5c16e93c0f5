"""Auth types that are bad on the caller's side: who is let in, who is not, and what goes further.

Belongs here: what breaks a promise of rrgate/testing/contract/callers.py. Does not: good ones (made_up.py).
"""

from __future__ import annotations

from typing import Any

from rrgate.api import Consumes, Denied, Exchange, Identity, PluginContext, Reply, Side
from tests.testing.made_up import Word, breaks


@breaks("who shows a good credential is identified", "in its header: authenticate answered Denied")
class KnowsNobody(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        return None if ex.presented(b"X-Word", b"the_word") is None else Denied("I do not know anybody")


@breaks("who shows a good credential is identified", "no subject")
class IdentifiesNobody(Word):
    async def _agreed(self) -> Identity:
        return Identity("")


@breaks("who shows none is nobody", "it must answer None")
class DeniesStrangers(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        return (
            Denied("shows nothing") if ex.presented(b"X-Word", b"the_word") is None else await super().authenticate(ex)
        )


@breaks(
    "who shows none is nobody", "declare in `consumes`", also=("what a caller shows is cut", "it keeps its secrets")
)
class ConsumesNothing(Word):
    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.consumes = Consumes()


@breaks("who shows none is nobody", "raised TypeError")
class ExpectsACredential(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        if ex.presented(b"X-Word", b"the_word") is None:
            raise TypeError("bytes, not None")
        return await super().authenticate(ex)


@breaks("who shows a bad one is denied", "another word: authenticate answered Identity")
class LetsEverybodyIn(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        return Identity("anybody") if ex.presented(b"X-Word", b"the_word") is not None else None


@breaks("who shows a bad one is denied", "another word: it answered nothing")
class OverlooksWrongOnes(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = await super().authenticate(ex)
        return None if isinstance(shown, Denied) else shown


@breaks("who shows a bad one is denied", "changed: authenticate answered Identity")
class ComparesTheBeginning(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = ex.presented(b"X-Word", b"the_word")
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


@breaks(
    "what a caller shows is cut",
    "in its parameter: what the caller showed was forwarded",
    also=("a further attempt is prepared the same",),
)
class CopiesWhatItRead(Word):
    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        if last:
            ex.to_target.set_header(b"X-Original-Query", ex.query or b"none")
        return chunk


@breaks(
    "what a caller shows is cut",
    "the secret `word` was forwarded",
    also=("who shows none is nobody", "it keeps its secrets"),
)
class ConsumesOnlyTheHeader(Word):
    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.consumes = Consumes(headers={b"X-Word"})


@breaks(
    "who shows a good credential is identified", "in its header: authenticate answered Identity; authorize answered"
)
class AnswersItself(Word):
    sides = frozenset({Side.PROXY})

    def authorize(self, ex: Exchange) -> Reply:
        return Reply(200, "This is for nobody's eyes but mine", "success")


@breaks(
    "who shows a good credential is identified", "in its header: authenticate answered Identity; on_response answered"
)
class TakesTheAnswersPlace(Word):
    def on_response(self, ex: Exchange) -> Reply | None:
        return Reply(418, "No", "success") if ex.target_request and ex.identity.subject == "word" else None


@breaks("who shows a good credential is identified", "another credential than context.credential")
class NamesAnotherCredential(Word):
    async def _agreed(self) -> Identity:
        return Identity("word", "of-another")


@breaks("who shows a good credential is identified", "did not get the caller's body")
class EatsTheBody(Word):
    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        return b""


class ComparesAPart(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        shown = ex.presented(b"X-Word", b"the_word")
        if shown is None or isinstance(shown, Denied):
            return shown
        return await self._agreed() if self.is_enough(shown) else Denied("another")

    def is_enough(self, shown: bytes) -> bool:
        raise NotImplementedError


@breaks("who shows a bad one is denied", "in its header with its header 'X-Word' changed")
class ComparesTheEnd(ComparesAPart):
    def is_enough(self, shown: bytes) -> bool:
        return shown.endswith(self._word)


@breaks("who shows a bad one is denied", "in its header with its header 'X-Word' changed")
class ComparesWhatIsShown(ComparesAPart):
    def is_enough(self, shown: bytes) -> bool:
        return len(shown) > 20 and self._word.startswith(shown)


@breaks(
    "who shows a bad one is denied", "in its parameter with a second parameter 'the_word' of another value is let in"
)
class TakesTheLast(Word):
    async def authenticate(self, ex: Exchange) -> Any:
        _, last, rest = ex.query.rpartition(b"the_word=")
        if last and rest.partition(b"&")[0] == self._word.replace(b"/", b"%2F").replace(b"+", b"%2B"):
            return await self._agreed()
        return Denied("another") if last else await super().authenticate(ex)


class SendsOn(Word):
    """Sends on what the caller showed under one spelling of a name, be it one that it reads or one that it does not."""

    spelling = b""

    def __init__(self, config: Any, context: PluginContext) -> None:
        super().__init__(config, context)
        self.consumes = Consumes(headers={b"X-Word", b"X-Old-Word"}, parameters={b"the_word", b"old_word"})

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        shown = [value for _, name, value in ex.fields if name == self.spelling]
        parts = [part.partition(b"=") for part in ex.query.split(b"&")]
        shown += [value for name, _, value in parts if name == self.spelling]
        return chunk + b"".join(shown) if last else chunk


def sends_on(spelling: str, how: str) -> None:
    """Note one that sends on this spelling."""
    name = f"SendsOn{spelling}"
    breaks("what a caller shows is cut", how)(type(name, (SendsOn,), {"spelling": spelling.encode()}))


for _spelling in ("X-WORD", "x-word", "X_Word"):
    sends_on(_spelling, f"in its header with {_spelling!r} for 'X-Word': what the caller showed")
for _spelling in ("THE_WORD", "the-word", "%74%68%65%5f%77%6f%72%64"):
    sends_on(_spelling, f"in its parameter with {_spelling!r} for 'the_word': what the caller showed")
for _spelling in ("x-old-word", "X_Old_Word"):
    sends_on(_spelling, f"in its header and another {_spelling!r}: what the caller showed")
for _spelling in ("old-word", "%6F%6C%64%2D%77%6F%72%64"):
    sends_on(_spelling, f"in its header and a parameter {_spelling!r}: what the caller showed")
