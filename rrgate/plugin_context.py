"""`PluginContext`: what a plugin object is given besides its configuration.

Belongs here: its attributes. Does not: who fills them (compiling.py). For plugins: from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.boot_values import Event
from rrgate.counting_values import CountsRequests, NothingCounted
from rrgate.model import Credential, Proxy
from rrgate.outside_values import CallsOutside, NothingOutside
from rrgate.shared import Shared
from rrgate.state_values import KeepsState, NothingKept


@frozen
class PluginContext:
    """What a plugin object is given besides its configuration.

    `clock`: timers and durations, monotonic under our reactor. `wall`: seconds since the epoch, for stamps only.
    `prefix`: of our own header names, e.g. `requestrocket-`. `http`: calls to servers that are no targets
    (for tokens, key sets); a plugin opens no sockets itself. `credential`: for an auth type, the one it is made for.
    `tell`: the operator, of what he would want to know. `shared`: what all plugin objects of a gateway have in common.
    `state`: for an auth type, what it keeps of that credential over restarts. `background`: run a coroutine that no
    request waits for; it is cancelled when the gateway stops, and what it raises is logged with the plugin's name.
    `counters`: how many requests there were in a window of time, in all processes of the node.
    """

    clock: IReactorTime
    wall: Callable[[], float]
    log: Logger
    prefix: str
    http: CallsOutside = field(factory=NothingOutside, repr=False)
    query_credentials: bool = True
    credential: Credential | None = None
    proxy: Proxy | None = None
    tell: Callable[[Event], object] = field(default=lambda event: None, repr=False)
    shared: Shared = field(factory=Shared, repr=False)
    state: KeepsState = field(factory=NothingKept, repr=False)
    background: Callable[[Coroutine[Any, Any, None]], None] = field(default=Coroutine.close, repr=False)
    counters: CountsRequests = field(factory=NothingCounted, repr=False)
