"""`AsksUsers`: what an auth type has for whose credential a person is asked at a provider, before it works.

Belongs here: the interface, for plugins. Does not: links, cookies and pages (core/authorize.py).
Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen


@frozen
class AuthorizationRequest:
    """Where a browser is sent. `kept`: what is needed when it comes back, and is nobody's to see until then."""

    url: str = field(repr=False)
    kept: str = field(default="", repr=False)


class AuthorizationRefused(Exception):
    """What came back authorizes nothing. Its text, for the operator's log, holds nothing that came from outside."""

    holds_no_values = True


class AsksUsers(Protocol):
    """Of auth types whose `needs_authorization` is true for some of their configurations."""

    def authorization_request(self, redirect_uri: str, state: str) -> AuthorizationRequest:
        """Where to send a browser; it comes back to `redirect_uri` with `state`, which was made for this once."""

    async def authorized(self, redirect_uri: str, parameters: Mapping[str, str], kept: str) -> None:
        """It has come back with these query parameters. Its `state`, and that it is the same browser, are checked.

        The credential works when this returns. Raises AuthorizationRefused, with nothing changed.
        """
