"""`Changing`: a change that this worker makes is in force in all before it is answered.

Belongs here: announcing, doing and waiting, in the worker that leads. Does not: counting who has confirmed (ledger.py).

It is announced before it is committed: if this process dies in between, the parent has the others look at what it may
have written, so that none goes on with what is no longer so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred

from rrgate.model import Client
from rrgate.store.errors import StoreError
from rrgate.store.inventory import Noun
from rrgate.store.secrets import Secrets
from rrgate.store.single_rows import key_of
from rrgate.waiting import run_deferred


class Changing:
    """One worker's. Takes the place of nothing: `AsyncStore.everywhere` is set to its `change`."""

    def __init__(self, send: Callable[..., None], secrets: Secrets) -> None:
        self._send = send
        self._secrets = secrets
        self._numbers = count(1)
        self._answers: dict[int, Deferred[None]] = {}
        self._under_way = 0
        self._ended: Deferred[None] | None = None
        self._over = False
        self._lost = False

    def change(self, nouns: Sequence[Noun], work: Callable[[], Deferred[None]]) -> Deferred[None]:
        """Do `work`, which commits what becomes of `nouns`; fires when it is in force everywhere else, or with what
        `work` failed with. Cancelling it undoes nothing.
        """
        made: Deferred[None] = Deferred(lambda _: None)

        def ended(result: Any) -> None:
            if not made.called:
                made.callback(result)

        run_deferred(self._change(nouns, work)).addBoth(ended)
        return made

    async def _change(self, nouns: Sequence[Noun], work: Callable[[], Deferred[None]]) -> None:
        if self._over:
            raise StoreError("this process ends, and makes no changes any more; ask again")
        for noun in nouns:
            if isinstance(noun, Client):
                # Its key goes to disk with it: made later, two workers could each make one.
                self._secrets.seal(noun.id, "made", b"")
        number = next(self._numbers)
        self._under_way += 1
        try:
            await self._told("about", number, nouns=[key_of(noun) for noun in nouns])
            try:
                await work()
            finally:
                # Also if it has failed, since that may not be all that there is to know.
                await self._told("made", number)
        finally:
            self._under_way -= 1
            if self._ended is not None and not self._under_way:
                self._ended.callback(None)
                self._ended = None

    def heard(self, number: int) -> None:
        """The parent has answered."""
        answer = self._answers.pop(number, None)
        if answer is not None:
            answer.callback(None)

    def lost(self) -> None:
        """The parent is no more: nothing can be confirmed, and nothing is changed any longer."""
        self._over = self._lost = True
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.errback(StoreError("this process ends; it is not known whether the change is in force everywhere"))

    def retire(self) -> Deferred[None]:
        """Make no more; fires when what is under way is made."""
        self._over = True
        ended: Deferred[None] = Deferred()
        if self._under_way:
            self._ended = ended
        else:
            ended.callback(None)
        return ended

    def _told(self, say: str, number: int, **values: Any) -> Deferred[None]:
        if self._lost:
            raise StoreError("this process ends, and makes no changes any more; ask again")
        answer: Deferred[None] = Deferred()
        self._answers[number] = answer
        self._send(say, id=number, **values)
        return answer
