"""`TokenEndpoint`: one request for a token (RFC 6749 4.1.3, 4.4.2, 6), with the client's authentication (2.3.1).

Belongs here: writing the request. Does not: reading the answer (answers.py), when it is sent (keeper.py).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus, urlencode

from rrgate.api import CallsOutside, OutsideError
from rrgate_plugins.oauth2.answers import Granted, NoToken, read_answer
from rrgate_plugins.oauth2.config import CLIENT, OAuth2Config

SECONDS: Final = 10.0
"""For a whole token request."""
MOST_BYTES: Final = 64 * 1024
"""Of an answer's body."""


class TokenEndpoint:
    """Asks. One request a call, none of its own."""

    def __init__(self, config: OAuth2Config, http: CallsOutside) -> None:
        self._http = http
        self._url = config.token_url
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        self._common = dict(config.extra_params)
        if config.client_secret is not None and config.client_authentication == "basic":
            # Form-encoded before they are joined, so that a colon or what is no ASCII comes through.
            pair = f"{quote_plus(config.client_id)}:{quote_plus(config.client_secret)}"
            self._headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            self._common["client_id"] = config.client_id
            if config.client_secret is not None:
                self._common["client_secret"] = config.client_secret
        self._asked_for = {
            name: value for name, value in (("scope", config.scope), ("audience", config.audience)) if value is not None
        }

    async def by_client(self) -> Granted:
        """A token for the client itself. Raises NoToken."""
        return await self._ask({"grant_type": CLIENT, **self._asked_for})

    async def by_refresh_token(self, refresh_token: str) -> Granted:
        """The next token of a grant. Raises NoToken. The scope stays what it was."""
        return await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def by_code(self, code: str, redirect_uri: str, verifier: str | None) -> Granted:
        """The first token of a grant. Raises NoToken."""
        parameters = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if verifier is not None:
            parameters["code_verifier"] = verifier
        return await self._ask(parameters)

    async def _ask(self, parameters: Mapping[str, str]) -> Granted:
        body = urlencode({**self._common, **parameters}).encode()
        try:
            answer = await self._http.request(
                "POST", self._url, headers=self._headers, data=body, timeout=SECONDS, limit=MOST_BYTES
            )
        except OutsideError as error:
            raise NoToken(f"the token endpoint could not be asked: {error}") from None
        return read_answer(answer)
