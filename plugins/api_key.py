"""`apiKey` (also spelled `key`): a value that stands raw in a header or a query parameter, on both sides.

Callers show it in the header that the secret names, or in the query parameter of that name or named `Authorization`,
or, without that header, in `Authorization`; targets are shown it in the header or, with `addToQueryParam`, in the
parameter, or, with `addToBody`, in the body.
"""

from __future__ import annotations

import hmac
from urllib.parse import quote_from_bytes

from attrs import field, frozen

from rrgate.api import (
    NOT_INJECTABLE,
    ConfigError,
    Consumes,
    Denied,
    Exchange,
    Identity,
    Plugin,
    PluginContext,
    Problem,
    Reply,
    Side,
    documented,
    fold,
    is_token,
    secret,
)
from rrgate_plugins.merging import AdditionalData


@frozen
class ApiKeyConfig:
    """`{"key": NAME, "value": SECRET}`, or `{"key": SECRET}` for a value in `Authorization`."""

    key: str = secret("The name of the header or parameter; where `value` is left out, the secret itself.")
    value: str | None = secret("The secret.", default=None)
    add_to_header: bool | None = documented("Send it in a header; the default.", default=None)
    add_to_query_param: bool = documented("Target side: send it in a query parameter.", default=False)
    add_to_body: bool = documented("Target side: send it in bodies of POST, PUT and PATCH.", default=False)
    name: str = field(init=False, default="Authorization")
    """Where it stands."""
    shown: bytes = field(init=False, default=b"", repr=False)
    """What is shown there."""

    def __attrs_post_init__(self) -> None:
        problems = []
        if self.value is None:
            if self.add_to_header is not None or self.add_to_query_param or self.add_to_body:
                problems.append(Problem("value", "is required where a flag says where the key goes"))
            shown = self.key
        else:
            object.__setattr__(self, "name", self.key)
            shown = self.value
            if not is_token(self.key.encode("utf-8", "replace")):
                problems.append(Problem("key", "must be the name of a header or parameter, such as X-API-Key"))
            elif fold(self.key.encode()) in NOT_INJECTABLE:
                problems.append(Problem("key", "must not be a name that frames the message or belongs to a connection"))
        where = "value" if self.value is not None else "key"
        if not shown or any(not " " <= letter <= "~" for letter in shown) or shown != shown.strip():
            problems.append(Problem(where, "must be visible ASCII characters, without spaces at its ends"))
        if self.add_to_header is False and not (self.add_to_query_param or self.add_to_body):
            problems.append(Problem("addToHeader", "must not be false unless addToQueryParam or addToBody is true"))
        if self.add_to_query_param and self.add_to_body:
            problems.append(Problem("addToBody", "must not be true beside addToQueryParam: a key has one place"))
        if problems:
            raise ConfigError(*problems)
        object.__setattr__(self, "shown", shown.encode())


class ApiKey(Plugin):
    """A value shown as it is."""

    name = "apiKey"
    aliases = ("key",)
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = ApiKeyConfig
    pure = True

    def __init__(self, config: ApiKeyConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._name = config.name.encode()
        self._folded = fold(self._name)
        self._shown = config.shown
        self._parameter = self._name if context.query_credentials else None
        self._also = b"Authorization" if context.query_credentials and config.name.lower() != "authorization" else None
        self._in_query = config.add_to_query_param
        self._in_body = AdditionalData({config.name: config.shown.decode()}) if config.add_to_body else None
        if self._in_body is not None:
            # Only here, so that bodies stream where nothing is merged into them.
            self.body_needed = self._in_body.body_needed
        self._quoted_name = quote_from_bytes(self._name, safe="").encode()
        self._quoted_value = quote_from_bytes(self._shown, safe="").encode()
        self._identity = Identity(config.name, context.credential.id if context.credential else "")
        names = {self._name, b"Authorization"}
        self.consumes = Consumes(headers=names, parameters=names)

    @classmethod
    def check_side(cls, config: ApiKeyConfig, side: Side) -> None:
        if side is Side.PROXY and config.add_to_body:
            raise ConfigError(Problem("addToBody", "is for targets: callers show a key in a header or in the query"))

    def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(self._name, self._parameter, self._also)
        if self._folded not in ex.read_from:
            # Not beside its own header: who shows it there may mean this one for the target (`proxyPassHeaders`).
            shown = ex.presented(b"Authorization", self._parameter, self._also)
        if shown is None or isinstance(shown, Denied):
            return shown
        if not hmac.compare_digest(shown, self._shown):
            return Denied("the key is not the credential's")
        return self._identity

    def prepare(self, ex: Exchange) -> Reply | None:
        request = ex.to_target
        if self._in_body is not None:
            return self._in_body.merge(ex, strict=True)
        if self._in_query:
            request.set_query(self._quoted_name, self._quoted_value)
        else:
            request.set_header(self._name, self._shown)
        return None
