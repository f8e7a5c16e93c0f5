"""`ProducedBody`: the body of a request that code of this process makes with an IBodyProducer.

Belongs here: the producer's side of a `Body`: starting, pausing, its length, its end. Does not: what becomes of the
body (agent.py).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from rrgate.body import Body, BodyBroken

_log = Logger("rrgate.agent")


class WrongLength(Exception):
    """A producer has made more or fewer bytes than its `length` says."""


@implementer(IConsumer)
class ProducedBody:
    """Starts its producer when somebody reads, and never otherwise; holds it back like any other sender.

    `length`: bytes, None if the producer does not say; one that makes more or fewer fails. `fault`: how it failed.
    """

    def __init__(self, producer: IBodyProducer) -> None:
        self._producer: Any = producer
        self.length: int | None = None if producer.length is UNKNOWN_LENGTH else int(producer.length)
        self.body = Body(self)
        self.fault: Failure | None = None
        self._producing = False

    # The producer's side.

    def write(self, data: bytes) -> None:
        """More of the body."""
        if not self._producing:
            return
        if self.length is not None and self.body.received + len(data) > self.length:
            self._fail(Failure(WrongLength(f"the producer has made more bytes than its length says: {self.length}")))
            self._stop()
        else:
            self.body.feed(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """It is known already."""

    def unregisterProducer(self) -> None:
        """Its Deferred tells of its end."""

    def _ended(self, _: object) -> None:
        if not self._producing:
            return
        self._producing = False
        if self.length is not None and self.body.received < self.length:
            made = self.body.received
            self._fail(Failure(WrongLength(f"the producer has made {made} bytes, and its length says {self.length}")))
        else:
            self.body.end()

    def _failed(self, failure: Failure) -> None:
        if self._producing:
            self._producing = False
            self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        self.fault = failure
        self.body.fail(BodyBroken("its producer failed"))

    # The reader's side (`BodySource`).

    def body_wanted(self) -> None:
        self._producing = True
        try:
            producing = self._producer.startProducing(self)
        except Exception:  # noqa: BLE001 - whatever a producer raises ends its request
            self._failed(Failure())
        else:
            producing.addCallbacks(self._ended, self._failed)

    def pause_body(self) -> None:
        if self._producing:
            self._producer.pauseProducing()

    def resume_body(self) -> None:
        if self._producing:
            self._producer.resumeProducing()

    def abandon_body(self) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Nobody reads any more: the producer is told, unless it was not started or has ended."""
        self.body.fail(BodyBroken("its caller has gone"))
        self._stop()

    def _stop(self) -> None:
        if self._producing:
            self._producing = False
            try:
                self._producer.stopProducing()
            except Exception:  # noqa: BLE001 - it is the host's, and the request is over in any case
                _log.failure("a body producer failed in stopProducing")
