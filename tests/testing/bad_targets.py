"""Auth types that are bad on the target's side: what is written, beside what, and a second time.

Belongs here: what breaks a promise of rrgate/testing/contract/targets.py. Does not: good ones (made_up.py).
"""

from __future__ import annotations

from rrgate.api import Exchange, Reply, Side
from rrgate.testing import Ask, Received
from tests.testing.made_up import SECRET, Word, breaks


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


@breaks("a further attempt is prepared the same", "a second time the parameter 'the-count' is another")
class CountsInTheQuery(Counts):
    def prepare(self, ex: Exchange) -> None:
        super().prepare(ex)
        ex.to_target.set_query(b"the_count", b"%d" % self.count)
        ex.to_target.set_header(b"X-Word", self._word)


@breaks("a further attempt is prepared the same", "a second time the body is another")
class CountsInTheBody(Counts):
    def prepare(self, ex: Exchange) -> None:
        super().prepare(ex)
        ex.to_target.set_body(b"%d" % self.count)
        ex.to_target.set_header(b"X-Word", self._word)


@breaks("a further attempt is prepared the same", "a second time the path is another")
class CountsInThePath(Counts):
    def prepare(self, ex: Exchange) -> None:
        super().prepare(ex)
        ex.to_target.path += b"/%d" % self.count
        ex.to_target.set_header(b"X-Word", self._word)


class CountsAttempts(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.state["attempts"] = ex.state.get("attempts", 0) + 1
        self.attempt(ex, ex.state["attempts"])

    def attempt(self, ex: Exchange, number: int) -> None:
        raise NotImplementedError


@breaks("a further attempt is prepared the same", "for a further attempt the header 'x-word' is another")
class TriesTwice(CountsAttempts):
    def attempt(self, ex: Exchange, number: int) -> None:
        ex.to_target.set_header(b"X-Word", self._word if number < 3 else b"no more")


@breaks("a further attempt is prepared the same", "for a further attempt it raised KeyError")
class FailsAtTheSecondAttempt(CountsAttempts):
    def attempt(self, ex: Exchange, number: int) -> None:
        if number == 2:
            raise KeyError("word")
        ex.to_target.set_header(b"X-Word", self._word)


@breaks("a further attempt is prepared the same", "for a further attempt the header 'x-word' is missing")
class PreparesOnce(Word):
    def prepare(self, ex: Exchange) -> None:
        if not ex.state.setdefault("prepared", False):
            ex.state["prepared"] = True
            super().prepare(ex)


@breaks("its credential wins", "a request: raised KeyError", also=("a further attempt is prepared the same",))
class NeverPrepares(Word):
    def prepare(self, ex: Exchange) -> None:
        raise KeyError("word")


@breaks("its credential wins", "a request that has its headers and parameters already: raised KeyError")
class ExpectsNoneThere(Word):
    def prepare(self, ex: Exchange) -> None:
        if ex.header(b"X-Word") is not None:
            raise KeyError("word")
        super().prepare(ex)


@breaks("its credential wins", "a request that has its headers and parameters already: prepare answered Reply with 200")
class AnswersWhereOneIsThere(Word):
    def prepare(self, ex: Exchange) -> Reply | None:
        if ex.header(b"X-Word") is not None:
            return Reply(200, "There is one already", "success")
        super().prepare(ex)
        return None


@breaks("its credential wins", "ex.to_target.fields itself")
class WritesFieldsWhereNoneIs(Word):
    def prepare(self, ex: Exchange) -> None:
        if ex.header(b"X-Word") is None:
            ex.to_target.fields.append((b"x-other", b"X-Other", b"yes"))
        super().prepare(ex)


@breaks("its credential wins", "ex.to_target.query itself")
class WritesTheQueryWhereOneIs(Word):
    def prepare(self, ex: Exchange) -> None:
        if ex.header(b"X-Word") is not None:
            ex.to_target.query = b"other=yes"
        super().prepare(ex)


class WordForTargets(Word):
    sides = frozenset({Side.TARGET})


@breaks("its credential wins", "a request: on_response answered Reply with 418; the caller got 418", good=Ask())
class AnswersOverTheTarget(WordForTargets):
    """Though the target has it already."""

    def on_response(self, ex: Exchange) -> Reply | None:
        return Reply(418, "No", "success") if ex.response is not None else None


@breaks(
    "its credential wins",
    "a request: prepare answered Reply with 200; the caller got 200",
    also=("a further attempt is prepared the same",),
    good=Ask(),
)
class AnswersInPlaceOfTheTarget(WordForTargets):
    def prepare(self, ex: Exchange) -> Reply:
        return Reply(200, "Done", "success")


@breaks(
    "its credential wins",
    "a request that has its headers and parameters already: on_response answered Reply",
    good=Ask(),
)
class AnswersWhereOneIsThereAfterIt(WordForTargets):
    def on_response(self, ex: Exchange) -> Reply | None:
        return Reply(418, "No", "success") if ex.header(b"X-Word") is not None else None


class YieldsTo(WordForTargets):
    """Writes what the caller has under one spelling of the name."""

    spelling = b""

    def prepare(self, ex: Exchange) -> None:
        parts = [part.partition(b"=") for part in ex.query.split(b"&")]
        theirs = [value for name, _, value in parts if name == self.spelling]
        ex.to_target.set_query(b"the-word", theirs[0] if theirs else b"the-word-itself")
        theirs = [value for _, name, value in ex.fields if name == self.spelling]
        ex.to_target.set_header(b"X-Word", theirs[0] if theirs else self._word)


def yields_to(spelling: str, how: str) -> None:
    """Note one that yields to this spelling."""
    name = f"YieldsTo{spelling}"
    made = type(name, (YieldsTo,), {"spelling": spelling.encode()})
    breaks("its credential wins", how, good=Ask())(made)


for _spelling in ("x-word", "X-WORD", "x_word"):
    yields_to(_spelling, "the target got 1 headers like 'x-word': only its own may be there")
for _spelling in ("the-word", "the_word", "%74%68%65%2D%77%6F%72%64"):
    yields_to(_spelling, "the target got 1 parameters like 'the-word': only its own may be there")


@breaks("its credential wins", "the target got 1 headers like 'x-word': only its own may be there")
class YieldsToOtherPlugins(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Word", ex.to_target.header(b"X-Word") or self._word)


def arrived(received: Received) -> bool:
    return received.every("X-Word") == [SECRET]


@breaks("its credential wins", "not what `accepted` accepts", accepted=arrived)
class EncodesIt(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Word", self._word.hex().encode())
