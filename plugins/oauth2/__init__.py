"""`oauth2`: a provider's access token, got and renewed by the gateway (RFC 6749), in `Authorization` (RFC 6750 2.1).

Belongs here: joining its parts. Does not: what a request is shown (shown.py), the token's coming and going (keeper.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from rrgate.api import AuthorizationRefused, AuthorizationRequest, PluginContext, StateError
from rrgate_plugins.oauth2.answers import NoToken
from rrgate_plugins.oauth2.config import CLIENT, CODE, OAuth2Config
from rrgate_plugins.oauth2.consent import code_in, request_for
from rrgate_plugins.oauth2.endpoint import TokenEndpoint
from rrgate_plugins.oauth2.grants import ByClient, ByRefreshToken, Grant, OneForAll
from rrgate_plugins.oauth2.keeper import TokenKeeper
from rrgate_plugins.oauth2.shown import ShowsFetchedToken


class OAuth2(ShowsFetchedToken):
    """An access token that is the credential's: all proxies that use it share it."""

    name = "oauth2"
    Config = OAuth2Config

    def __init__(self, config: OAuth2Config, context: PluginContext) -> None:
        self._endpoint = endpoint = TokenEndpoint(config, context.http)
        self._consented = ByRefreshToken(config, endpoint, context.state, context.wall)
        grant: Grant = self._consented
        if config.grant_type == CLIENT:
            grant = OneForAll(ByClient(endpoint, context.wall), context.state, context.wall)
        super().__init__(config, context, TokenKeeper(grant, context), b"Authorization")

    @classmethod
    def needs_authorization(cls, config: OAuth2Config) -> bool:
        """Whether a person must be asked at the provider."""
        return config.grant_type == CODE

    def authorization_request(self, redirect_uri: str, state: str) -> AuthorizationRequest:
        """See `rrgate.api.AsksUsers`."""
        return request_for(self.config, redirect_uri, state)

    async def authorized(self, redirect_uri: str, parameters: Mapping[str, str], kept: str) -> None:
        """See `rrgate.api.AsksUsers`."""
        code = code_in(self.config, parameters)
        since = self.context.wall()
        try:
            granted = await self._endpoint.by_code(code, redirect_uri, kept or None)
            self._keeper.accept(await self._consented.begin(granted, since))
        except (NoToken, StateError) as error:
            raise AuthorizationRefused(str(error)) from None
