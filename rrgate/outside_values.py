"""`CallsOutside`: how plugins call servers that are no targets; what comes back, and the error that everything becomes.

Belongs here: the interface, for plugins and their tests. Does not: any connection (outside.py).
Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from attrs import field, frozen

DEFAULT_LIMIT: Final = 1024 * 1024
"""Bytes of an answer's body, unless the call says otherwise: 1 MiB."""
DEFAULT_TIMEOUT: Final = 10.0
"""Seconds for a whole call, unless it says otherwise."""


class OutsideError(Exception):
    """A call that brought no whole answer. Its text is one of a few fixed ones: no URL, nothing received."""

    status: int | None = None
    """That of an answer whose head has come, and whose body has not, or is not taken; None where there is no answer."""


@frozen
class OutsideAnswer:
    """An answer, whole, whatever its status. `headers`: (name as it came, value), in order."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: bytes) -> bytes | None:
        """The first value of `name`, in any case, or None."""
        folded = name.lower()
        return next((value for known, value in self.headers if known.lower() == folded), None)


class CallsOutside(Protocol):
    """The guarded HTTP service of `PluginContext.http`."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int = DEFAULT_LIMIT,
    ) -> OutsideAnswer:
        """Send one request and answer what comes back; a redirect is an answer like another.

        `url`: https, or http where the operator has opened the network it leads to (`allow_networks`). Every address
        is checked, and the one checked is dialled; TLS verifies the host's name. `timeout`: seconds for everything,
        name look-up to the last byte. `limit`: bytes of the body; more is an error. No connection and no cookie is
        shared between calls. On the reactor's thread.

        Raises OutsideError for everything that keeps the answer from coming whole; cancelling closes the connection.
        """


class NothingOutside:
    """Where no call may be made: every call raises OutsideError."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int = DEFAULT_LIMIT,
    ) -> OutsideAnswer:
        """See `CallsOutside`."""
        raise OutsideError("calls to other servers are not possible here")
