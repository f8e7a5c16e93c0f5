"""Auth types that are bad on the target's side: what is written, beside what, and a second time.

Belongs here: what breaks a promise of rrgate/testing/contract/targets.py. Does not: good ones (made_up.py).
"""

from __future__ import annotations

from rrgate.api import Exchange, Reply
from rrgate.testing import Received
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


def arrived(received: Received) -> bool:
    return received.every("X-Word") == [SECRET]


@breaks("its credential wins", "not what `accepted` accepts", accepted=arrived)
class EncodesIt(Word):
    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Word", self._word.hex().encode())
