"""`TokenWatch`: what `rrgate token` changes on disk is in force in a running gateway within a second.

Belongs here: looking, and reading what has changed. Does not: tokens themselves (cli/token.py, store/).
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
"""Seconds between two looks whether `rrgate token` has changed the tokens on disk."""


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
                tokens = await self._store.load_tokens()
                self._directory.replace_tokens({token.token_hash: token for token in tokens})
                self._to_read = False
        except Exception:  # noqa: BLE001 - whatever it is, the gateway runs on with what it knows
            text = "the tokens on disk could not be read; those in memory stay in force"
            if self._tell(Event("tokens-unreadable", text)):
                self._log.failure("why they could not be read:")
