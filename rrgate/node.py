"""`Node`: what a gateway asks of the processes it is one of, and `Alone`, the gateway that is all there is.

Belongs here: that interface. Does not: several processes (workers/).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

Taken = Callable[[str, float], None]


class Node(Protocol):
    """The other gateways that work on one state under one parent, as one of them sees them. On the reactor's thread."""

    def listen(
        self, endpoint: str, factory: IProtocolFactory, listen_now: Callable[[Any, str, Any], IListeningPort]
    ) -> IListeningPort:
        """Listen at `endpoint`, by `listen_now`. Raises what that raises."""

    def leads(self) -> bool:
        """Whether this process makes the changes: it has the Core API, and looks after what ends by itself."""

    def may_deliver(self) -> bool:
        """Whether this process may take the queue over, if nobody has it."""

    def ask_leader(self, credential_id: str, secret_version: int, needed: bool) -> None:
        """Have the process that leads show whether a credential needs authorization."""

    def wakes(self, wake: Callable[[], None]) -> Callable[[], None]:
        """What tells of work in the queue, be it this process or another that delivers. `wake`: tells this one."""

    def taken(self, taken: Taken, wake: Callable[[], None]) -> Taken:
        """The same of a request that was taken, and when it is due."""

    def figures(self, own: Callable[[], bytes]) -> Awaitable[bytes]:
        """The metrics of all, as text. `own`: those of this process."""


class Alone:
    """One process, which is the whole node."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def listen(
        self, endpoint: str, factory: IProtocolFactory, listen_now: Callable[[Any, str, Any], IListeningPort]
    ) -> IListeningPort:
        return listen_now(self._reactor, endpoint, factory)

    def leads(self) -> bool:
        return True

    def may_deliver(self) -> bool:
        return True

    def ask_leader(self, credential_id: str, secret_version: int, needed: bool) -> None:
        """Nobody else is there to ask."""

    def wakes(self, wake: Callable[[], None]) -> Callable[[], None]:
        return wake

    def taken(self, taken: Taken, wake: Callable[[], None]) -> Taken:
        return taken

    async def figures(self, own: Callable[[], bytes]) -> bytes:
        return own()
