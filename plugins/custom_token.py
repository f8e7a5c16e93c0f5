"""`customToken`: a token that is got by a request of one's own, where an API has its own way of giving them out.

Belongs here: the request, and where in its answer the token is. Does not: when it is asked for (oauth2/keeper.py), what
a request is shown (oauth2/shown.py).
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from attrs import field, frozen

from rrgate.api import (
    NOT_INJECTABLE,
    ConfigError,
    OutsideAnswer,
    OutsideError,
    PluginContext,
    Problem,
    documented,
    fold,
    is_token,
    json_text,
    secret,
)
from rrgate_plugins.json_path import MISSING, JsonPath
from rrgate_plugins.oauth2.answers import LONGEST_LIFE, NoToken, is_token_text, life_of, wait_of
from rrgate_plugins.oauth2.grants import Held, OneForAll
from rrgate_plugins.oauth2.keeper import TokenKeeper
from rrgate_plugins.oauth2.shown import ShowsFetchedToken

_SECONDS: Final = 10.0
_MOST_BYTES: Final = 64 * 1024
_LONGEST_URL: Final = 2048
_LONGEST_BODY: Final = 64 * 1024


@frozen
class TokenRequest:
    """How the token is asked for."""

    url: str = secret("https, or http in a network that the operator has opened.")
    method: Literal["GET", "POST", "PUT", "PATCH"] = documented("Its method.", default="POST")
    headers: dict[str, str] = secret("Headers by name, with their values.", factory=dict)
    body: str | dict[str, Any] | None = secret("A text as it is, or an object, sent as JSON.", default=None)

    def __attrs_post_init__(self) -> None:
        problems = [*self._wrong_headers(), *self._wrong_body()]
        if not _is_url(self.url):
            problems.append(Problem("url", "must be an absolute https or http URL, without user and fragment"))
        if problems:
            raise ConfigError(*problems)

    @property
    def data(self) -> bytes | None:
        """The body as it is sent."""
        if self.body is None:
            return None
        return (self.body if isinstance(self.body, str) else json_text(self.body)).encode()

    def _wrong_headers(self) -> list[Problem]:
        problems = []
        for place, (name, value) in enumerate(self.headers.items()):
            raw = name.encode("utf-8", "replace")
            if not is_token(raw):
                # By its place: what is no name may be a secret in the wrong column.
                problems.append(Problem("headers", f"the name at place {place} is no header name (RFC 9110 5.6.2)"))
            elif fold(raw) in NOT_INJECTABLE:
                problems.append(Problem(f"headers.{name}", "is written when it is sent and cannot be set"))
            elif any(not " " <= letter <= "~" for letter in value) or value != value.strip():
                problems.append(Problem(f"headers.{name}", "must be visible ASCII characters, no spaces at its ends"))
        return problems

    def _wrong_body(self) -> list[Problem]:
        if self.body is not None and self.method == "GET":
            return [Problem("body", "must not be given for GET")]
        try:
            size = len(self.data or b"")
        except (TypeError, ValueError, RecursionError):
            return [Problem("body", "must be a text or a JSON object, without halves of surrogate pairs")]
        return [] if size <= _LONGEST_BODY else [Problem("body", f"must have at most {_LONGEST_BODY} bytes")]


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return right and "@" not in parts.netloc and "#" not in url and len(url) <= _LONGEST_URL and _is_plain(url)


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and not set(url) & set(' \\"<>')


@frozen
class CustomTokenConfig:
    """`{"request": {…}, "tokenPath": "$.token"}`, and how long it is good for, and where it is shown."""

    request: TokenRequest = secret("How the token is asked for: `url`, `method`, `headers`, `body`.")
    token_path: str = documented("Where the token is in the JSON that is answered, such as `$.data.token`.")
    expires_in_path: str | None = documented("Where it says for how many seconds, if it does.", default=None)
    ttl: int | None = documented("Seconds for which a token is used whose answer does not say.", default=None)
    header: str = documented("The header in which targets are shown it.", default="Authorization")
    prefix: str = documented("What stands before it there.", default="Bearer ")
    token_at: JsonPath = field(init=False, default=None, repr=False, eq=False)
    life_at: JsonPath | None = field(init=False, default=None, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        problems = []
        for name, attribute, text in (
            ("tokenPath", "token_at", self.token_path),
            ("expiresInPath", "life_at", self.expires_in_path),
        ):
            try:
                object.__setattr__(self, attribute, None if text is None else JsonPath(text))
            except ValueError as error:
                problems.append(Problem(name, str(error)))
        if self.ttl is not None and not 10 <= self.ttl <= LONGEST_LIFE:
            problems.append(Problem("ttl", "must be 10 seconds to a year"))
        raw = self.header.encode("utf-8", "replace")
        if not is_token(raw):
            problems.append(Problem("header", "must be the name of a header, such as X-Token"))
        elif fold(raw) in NOT_INJECTABLE or fold(raw).startswith(b"requestrocket-"):
            problems.append(Problem("header", "is written by the gateway itself and cannot be set"))
        if any(not " " <= letter <= "~" for letter in self.prefix) or self.prefix.startswith(" "):
            problems.append(Problem("prefix", "must be visible ASCII characters, no space at its beginning"))
        if problems:
            raise ConfigError(*problems)


@frozen(eq=False)
class ByRequest:
    """See `rrgate_plugins.oauth2.grants.Grant`: nothing is kept, a token can always be asked for."""

    config: CustomTokenConfig
    context: PluginContext = field(repr=False)

    async def next(self, old: str | None) -> Held:
        """A new token. Raises NoToken."""
        request = self.config.request
        headers = {"Accept": "application/json", **request.headers}
        if isinstance(request.body, dict) and not any(fold(name.encode()) == b"content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        since = self.context.wall()
        try:
            answer = await self.context.http.request(
                request.method, request.url, headers=headers, data=request.data, timeout=_SECONDS, limit=_MOST_BYTES
            )
        except OutsideError as error:
            raise NoToken(f"the token's server could not be asked: {error}") from None
        return self._read(answer, since)

    def _read(self, answer: OutsideAnswer, since: float) -> Held:
        if 300 <= answer.status < 400:
            raise NoToken("the token's server answered with a redirect, which is not followed")
        if not 200 <= answer.status < 300:
            raise NoToken(f"the token's server answered {answer.status}", wait=wait_of(answer))
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise NoToken("the token's server did not answer with JSON") from None
        token = self.config.token_at.of(document)
        if token is MISSING:
            raise NoToken("the token's server answered without anything at tokenPath")
        if not isinstance(token, str) or not is_token_text(token):
            raise NoToken("what is at tokenPath is no token that could be sent")
        life = None if self.config.life_at is None else life_of(self.config.life_at.of(document))
        return Held(token, since, self.config.ttl if life is None else life)


class CustomToken(ShowsFetchedToken):
    """A token that a request of one's own gets."""

    name = "customToken"
    Config = CustomTokenConfig

    def __init__(self, config: CustomTokenConfig, context: PluginContext) -> None:
        grant = OneForAll(ByRequest(config, context), context.state, context.wall)
        keeper = TokenKeeper(grant, context, config.prefix.encode())
        super().__init__(config, context, keeper, config.header.encode())
