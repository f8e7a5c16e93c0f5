"""`ShowsFetchedToken`: an auth type whose token is got from elsewhere, kept by a `TokenKeeper`.

Belongs here: what a request is shown, and what it is answered without a token. Does not: the token's coming and going
(keeper.py), or how it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Any

from rrgate.api import Exchange, Explained, Plugin, PluginContext, Reply, Side
from rrgate_plugins.oauth2.answers import NoToken
from rrgate_plugins.oauth2.keeper import Token, TokenKeeper

MOST_HELD = 64 * 1024
"""Bytes of a body that are held so that the request can be repeated."""


class ShowsFetchedToken(Plugin):
    """A token that is the credential's: all proxies that use it share it. To be derived from."""

    sides = frozenset({Side.TARGET})

    def __init__(self, config: Any, context: PluginContext, keeper: TokenKeeper, header: bytes) -> None:
        """`header`: where the token is shown."""
        super().__init__(config, context)
        self._clock = context.clock
        self._keeper = keeper
        self._header = header

    def body_needed(self, ex: Exchange) -> int | None:
        """A small body is held, so that the request can be sent once more with another token."""
        length = ex.content_length
        return MOST_HELD if length is not None and 0 < length <= MOST_HELD else None

    def prepare(self, ex: Exchange) -> Awaitable[Reply | None] | None:
        """Nothing is awaited while there is a token."""
        keeper = self._keeper
        token = keeper.token
        if token is not None:
            now = self._clock.seconds()
            if now < token.until:
                if now >= token.ahead:
                    keeper.get_ahead()
                ex.to_target.set_header(self._header, token.header)
                return None
        return self._wait(ex)

    def explain(self, ex: Exchange, phase: str) -> Explained:
        """The token where there is one; none is fetched."""
        token = self._keeper.token
        if token is None or self._clock.seconds() >= token.until:
            return Explained(notes=({"token": "would fetch"},))
        ex.to_target.set_header(self._header, token.header)
        return Explained(notes=({"token": "cached"},))

    async def _wait(self, ex: Exchange) -> Reply | None:
        try:
            token: Token = await self._keeper.get()
        except NoToken as error:
            wait = b"%d" % max(1, math.ceil(error.wait))
            return Reply(
                502,
                f"Bad gateway: the target credential could not be obtained: {error}",
                "target-credential-failed",
                headers=((b"Retry-After", wait),),
            )
        ex.to_target.set_header(self._header, token.header)
        return None

    async def renew(self, ex: Exchange) -> bool:
        shown = ex.to_target.header(self._header)
        return shown is not None and await self._keeper.replace(shown, wait=ex.repeatable)
