"""`TokenWatch`: what `rrgate token` and `rrgate user` change on disk is in force in a gateway within a second.

Belongs here: looking, and reading what has changed. Does not: tokens and users themselves (cli/, store/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall

from rrgate.api import Event
from rrgate.careful_log import CarefulLogger
from rrgate.directory import Directory
from rrgate.store import AsyncStore
from rrgate.waiting import run_deferred

TOKEN_CHECK = 1.0
"""Seconds between two looks whether a command has changed the tokens or users on disk."""


class TokenWatch:
    """Looks every `TOKEN_CHECK` seconds, from `start` until `stop`."""

    def __init__(
        self, store: AsyncStore, directory: Directory, clock: Any, tell: Callable[[Event], bool]
    ) -> None:
        """`tell`: told when the tokens cannot be read; it answers whether that was new."""
        self._store = store
        self._directory = directory
        self._tell = tell
        self._log = CarefulLogger("rrgate.gateway")
        self._to_read = False
        self._looking = LoopingCall(lambda: run_deferred(self.look()))
        self._looking.clock = clock

    def start(self) -> None:
        """The first look is one `TOKEN_CHECK` from now: what is there now has been read."""
        self._looking.start(TOKEN_CHECK, now=False)

    def stop(self) -> None:
        """Look no more."""
        self._looking.stop()

    async def look(self) -> None:
        """Look now. Never raises."""
        try:
            # It says so once; what it said holds until the tokens have been read.
            if self._to_read or await self._store.tokens_changed():
                self._to_read = True
                self._directory.replace_people(*await self._store.load_people())
                self._to_read = False
        except Exception:  # noqa: BLE001 - whatever it is, the gateway runs on with what it knows
            text = "the tokens on disk could not be read; those in memory stay in force"
            if self._tell(Event("tokens-unreadable", text)):
                self._log.failure("why they could not be read:")
