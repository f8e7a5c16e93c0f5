"""`Authorizations`: asks a credential's plugin where to send a browser, and gives it what the browser brings back.

Belongs here: calling the plugin, and what its failing becomes. Does not: who may ask, and pages (core/authorize.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError

from rrgate.api import AuthorizationRefused, AuthorizationRequest, ConfigError, Event, Plugin
from rrgate.careful_log import CarefulLogger
from rrgate.model import Credential
from rrgate.patience import RAISED

_log = CarefulLogger("rrgate.authorizing")


class MakesPlugins(Protocol):
    """What is needed of rrgate.compiling.Compiler."""

    def credential_plugin(self, credential: Credential) -> Plugin: ...


@frozen(eq=False)
class Authorizations:
    """One object a gateway. All on the reactor's thread."""

    compiler: MakesPlugins
    tell: Callable[[Event], object] = lambda event: None

    def asks(self, credential: Credential) -> bool:
        """Whether a person authorizes this credential; false for one whose plugin does not work. Raises nothing."""
        try:
            plugin = self._plugin(credential)
            return bool(plugin.needs_authorization(plugin.config)) and hasattr(plugin, "authorization_request")
        except AuthorizationRefused:
            return False
        except RAISED:
            self._failed(credential, "needs_authorization")
            return False

    def begin(self, credential: Credential, redirect_uri: str, state: str) -> AuthorizationRequest:
        """See `AsksUsers.authorization_request`. Raises AuthorizationRefused, and nothing else."""
        plugin, made = self._plugin(credential), None
        try:
            made = plugin.authorization_request(redirect_uri, state)
        except RAISED:
            self._failed(credential, "authorization_request")
        if type(made) is not AuthorizationRequest:
            raise AuthorizationRefused("the credential's plugin does not say where to send a browser")
        return made

    async def finish(
        self, credential: Credential, redirect_uri: str, parameters: Mapping[str, str], kept: str
    ) -> None:
        """See `AsksUsers.authorized`. Raises AuthorizationRefused, and CancelledError."""
        plugin = self._plugin(credential)
        try:
            authorized: Awaitable[Any] = plugin.authorized(redirect_uri, parameters, kept)
            await authorized
        except (AuthorizationRefused, CancelledError):
            raise
        except RAISED:
            self._failed(credential, "authorized")
            raise AuthorizationRefused("the credential's plugin failed") from None

    def _plugin(self, credential: Credential) -> Any:
        try:
            return self.compiler.credential_plugin(credential)
        except ConfigError as error:
            _log.error("credential {id} cannot be authorized: {error}", id=credential.id, error=error)
            raise AuthorizationRefused("the credential's configuration does not work") from None

    def _failed(self, credential: Credential, method: str) -> None:
        """To be called while what it raised is handled."""
        name = credential.auth_type
        _log.failure("plugin {plugin!r} failed in {method} for {id}", plugin=name, method=method, id=credential.id)
        self.tell(Event("plugin-fault", f"plugin {name!r} failed in {method}", f"{name} {method}"))
