"""`AgentResponse`: an answer as code of this process gets it, and its body on the way to the protocol that takes it.

Belongs here: the response's side of a call. Does not: the request (agent.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IProtocol, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IClientRequest, IResponse
from zope.interface import implementer

from rrgate.waiting import Waiter

_log = Logger("rrgate.agent")

DONE: Final = ResponseDone("Response body fully received")


class NotTaken(Exception):
    """Nobody took the body of a response for `send_timeout` seconds."""


class BrokenOff(Exception):
    """The answer broke off: not all of its body has come."""


class StoppedTaking(Exception):
    """The protocol that took the body has stopped it."""


@implementer(IPushProducer)
class BodyDelivery:
    """Hands a body to a protocol, and is the transport that this sees. One piece at a time waits here."""

    def __init__(self, clock: IReactorTime, patience: float, leave: Callable[[], None]) -> None:
        """`patience`: seconds for which it may not be taken. `leave`: ends the request."""
        self._clock = clock
        self._patience = patience
        self._leave = leave
        self._protocol: Any = None
        self._piece = b""
        self._paused = False
        self._reason: Failure | None = None
        self._told = False
        self._waiter: Waiter[None] | None = None

    # The gateway's side.

    def begin(self, first: bytes) -> None:
        """The first piece, perhaps empty; it waits for the protocol."""
        self._piece = first

    async def give(self, data: bytes) -> None:
        """Hand over the next piece; returns when one more may come. Raises CancelledError when nobody takes it."""
        if self._piece or self._paused or self._protocol is None:
            await self._ready()
        if self._reason is not None:
            raise CancelledError
        self._piece = data
        self._hand_over()

    async def _ready(self) -> None:
        timer = self._clock.callLater(self._patience, self.fail, NotTaken("nobody takes the body of this response"))
        try:
            while self._reason is None and (self._piece or self._paused or self._protocol is None):
                self._waiter = Waiter()
                await self._waiter
        finally:
            if timer.active():
                timer.cancel()

    def end(self) -> None:
        """All of it was given."""
        if self._reason is None:
            self._reason = Failure(DONE)
            self._hand_over()

    def fail(self, error: BaseException) -> None:
        """There will be no more, and this is not all: what waits is dropped."""
        if not self._told and (self._reason is None or self._piece):
            self._piece = b""
            self._reason = Failure(ResponseFailed([Failure(error)]))
            self._leave()
            self._hand_over()
            self._wake()

    # The protocol's side.

    def deliver(self, protocol: IProtocol) -> None:
        """See `IResponse.deliverBody`."""
        if self._protocol is not None:
            raise RuntimeError("the body of this response is delivered to another protocol")
        self._protocol = protocol
        transport: Any = self
        protocol.makeConnection(transport)
        self._hand_over()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._hand_over()

    def stopProducing(self) -> None:
        """Enough: the request is broken off."""
        self.fail(StoppedTaking("the protocol that took the body has stopped it"))

    def loseConnection(self) -> None:
        """The same: there is nothing to be flushed."""
        self.stopProducing()

    def abortConnection(self) -> None:
        """The same."""
        self.stopProducing()

    def _hand_over(self) -> None:
        protocol = self._protocol
        if protocol is None or self._told:
            return
        if self._piece and not self._paused:
            piece, self._piece = self._piece, b""
            try:
                protocol.dataReceived(piece)
            except Exception as error:  # noqa: BLE001 - it is the host's: its answer ends, and nothing else does
                _log.failure("a protocol that takes the body of a response failed")
                self.fail(error)
        if self._reason is not None and not self._piece:
            self._tell()
        elif not self._piece and not self._paused:
            self._wake()

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        try:
            self._protocol.connectionLost(self._reason)
        except Exception:  # noqa: BLE001 - as above
            _log.failure("a protocol that takes the body of a response failed in connectionLost")

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.fire(None)


@implementer(IResponse)
class AgentResponse:
    """The answer to a call. `length`: bytes of the body, `UNKNOWN_LENGTH` if its head does not say."""

    version = (b"HTTP", 1, 1)

    def __init__(
        self,
        request: IClientRequest,
        code: int,
        phrase: bytes,
        headers: Headers,
        length: int | object,
        delivery: BodyDelivery,
    ) -> None:
        self.request = request
        self.code = code
        self.phrase = phrase
        self.headers = headers
        self.length = length
        self.previousResponse: IResponse | None = None
        self._delivery = delivery

    def __repr__(self) -> str:
        return f"<AgentResponse {self.code}>"

    def deliverBody(self, protocol: IProtocol) -> None:
        """See `IResponse`. `protocol.transport` has `abortConnection`, which ends the target's request too."""
        self._delivery.deliver(protocol)

    def setPreviousResponse(self, response: IResponse) -> None:
        """See `IResponse`."""
        self.previousResponse = response
