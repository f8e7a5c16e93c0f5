"""What tests of embedding share: agents of a gateway in memory, protocols and producers that do as they are told.

Belongs here: making them. Does not: any expectation.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from zope.interface import implementer

from rrgate.agent import GatewayAgent
from rrgate.api import Identity
from rrgate.entrance import Entrance
from rrgate.model import Proxy
from rrgate.resource import GatewayResource
from rrgate.testing import MemoryGateway


def entrance_of(gateway: MemoryGateway) -> Entrance:
    """The entrance of a gateway in memory."""
    return gateway.entrance


def agent_of(gateway: MemoryGateway, proxy: Proxy, identity: Identity | None = None) -> GatewayAgent:
    """An agent that calls `proxy`."""
    return GatewayAgent(entrance_of(gateway), proxy.id, identity)


def taken(gateway: MemoryGateway, deferred: Deferred[Any]) -> list[Any]:
    """What `deferred` has fired with so far: nothing, or one result or Failure."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    gateway.clock.settle()
    return found


class Taking(Protocol):
    """Keeps what it is given; `reason` once it is told of the end."""

    def __init__(self) -> None:
        self.data = b""
        self.reason: Any = None
        self.ended: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.reason is None, "told twice of the end"
        self.reason = reason.value
        self.ended.callback(None)


@implementer(IBodyProducer)
class Producing:
    """A body producer whose bytes its test makes; it knows what was asked of it."""

    def __init__(self, length: int | None = None) -> None:
        self.length: Any = UNKNOWN_LENGTH if length is None else length
        self.asked: list[str] = []
        self.consumer: Any = None
        self.done: Deferred[Any] = Deferred()

    def startProducing(self, consumer: Any) -> Deferred[Any]:
        self.asked.append("start")
        self.consumer = consumer
        return self.done

    def pauseProducing(self) -> None:
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        self.asked.append("resume")

    def stopProducing(self) -> None:
        self.asked.append("stop")


def headers(**fields: str) -> Headers:
    """Headers of these fields, `_` as `-`."""
    return Headers({name.replace("_", "-"): [value] for name, value in fields.items()})


class Mounted(GatewayResource):
    """A resource of an entrance alone."""

    def __init__(self, entrance: Entrance) -> None:
        class Holder:
            pass

        holder: Any = Holder()
        holder.entrance = entrance
        super().__init__(holder)


class Folder(Resource):
    """A resource that has children, and a 404 for all others."""

    def getChild(self, path: bytes, request: Any) -> Any:
        return notFound()


class Plain(Resource):
    """A page of the host's."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        return b"the host's own"
