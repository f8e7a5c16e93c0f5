"""`oauth2`: a provider's access token, got and renewed by the gateway (RFC 6749), in `Authorization` (RFC 6750 2.1).

Belongs here: joining its parts. Does not: what a request is shown (shown.py), the token's coming and going (keeper.py).
"""

from __future__ import annotations

from rrgate.api import PluginContext
from rrgate_plugins.oauth2.config import CLIENT, OAuth2Config
from rrgate_plugins.oauth2.endpoint import TokenEndpoint
from rrgate_plugins.oauth2.grants import ByClient, ByRefreshToken, Grant
from rrgate_plugins.oauth2.keeper import TokenKeeper
from rrgate_plugins.oauth2.shown import ShowsFetchedToken


class OAuth2(ShowsFetchedToken):
    """An access token that is the credential's: all proxies that use it share it."""

    name = "oauth2"
    Config = OAuth2Config

    def __init__(self, config: OAuth2Config, context: PluginContext) -> None:
        endpoint = TokenEndpoint(config, context.http)
        grant: Grant
        if config.grant_type == CLIENT:
            grant = ByClient(endpoint, context.wall)
        else:
            grant = ByRefreshToken(config, endpoint, context.state, context.wall)
        super().__init__(config, context, TokenKeeper(grant, context), b"Authorization")
