"""`oauth2`: a provider's access token, got and renewed by the gateway (RFC 6749), in `Authorization` (RFC 6750 2.1).

Belongs here: what a request is shown. Does not: the token's coming and going (keeper.py).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable

from rrgate.api import Exchange, Plugin, PluginContext, Reply, Side
from rrgate_plugins.oauth2.answers import NoToken
from rrgate_plugins.oauth2.config import CLIENT, OAuth2Config
from rrgate_plugins.oauth2.endpoint import TokenEndpoint
from rrgate_plugins.oauth2.grants import ByClient, ByRefreshToken, Grant
from rrgate_plugins.oauth2.keeper import Token, TokenKeeper

MOST_HELD = 64 * 1024
"""Bytes of a body that are held so that the request can be repeated."""


class OAuth2(Plugin):
    """An access token that is the credential's: all proxies that use it share it."""

    name = "oauth2"
    sides = frozenset({Side.TARGET})
    Config = OAuth2Config

    def __init__(self, config: OAuth2Config, context: PluginContext) -> None:
        super().__init__(config, context)
        self._clock = context.clock
        self._state = context.state
        endpoint = TokenEndpoint(config, context.http)
        grant: Grant
        if config.grant_type == CLIENT:
            grant = ByClient(endpoint, context.wall)
        else:
            grant = ByRefreshToken(config, endpoint, context.state, context.wall)
        self._keeper = TokenKeeper(grant, context)

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
                ex.to_target.set_header(b"Authorization", token.header)
                return None
        return self._wait(ex)

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
        ex.to_target.set_header(b"Authorization", token.header)
        return None

    async def renew(self, ex: Exchange) -> bool:
        shown = ex.to_target.header(b"Authorization")
        return shown is not None and await self._keeper.replace(shown, wait=ex.repeatable)
