"""`proxyCors`: lets pages of other origins call a proxy from a browser, by the Fetch standard's CORS protocol.

Preflights are answered here, before any credential is read: browsers send none with them. The answers to allowed
origins carry the fields by which a browser lets the page read them, refusals of the gateway's own too; the target's
own fields of that kind do not pass. It is for browsers alone, and keeps nobody else out: that is what rules are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

from rrgate.api import ConfigError, Exchange, Kind, Parts, Plugin, PluginContext, Problem, Reply, is_token

_SETTING = "proxyCors"
_MOST = 100
_LONGEST_AGE = 86_400
_ANY = "*"

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?")
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_LIMITS = ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@frozen
class CorsConfig:
    """Lists of names, or `*`; `max_age`: seconds."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int = 0
    credentials: bool = False


class Cors(Plugin):
    """Answers preflights, and says in answers which origin may read them."""

    name = "cors"
    kind = Kind.GATE
    Config = CorsConfig
    serves = frozenset({_SETTING})
    pure = True

    def __init__(self, config: CorsConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._any_origin = _ANY in config.origins
        self._origins = frozenset(origin.encode() for origin in config.origins)
        self._methods = None if _ANY in config.methods else _joined(config.methods)
        self._headers = None if _ANY in config.headers else _joined(config.headers)
        prefix = context.prefix
        ours = ("proxy-code", "proxy-message", "proxy-warning", "request-id")
        self._exposed = _joined((*(prefix + name for name in ours), *_LIMITS, *config.expose_headers))
        self._max_age = b"%d" % config.max_age

    @classmethod
    def for_proxy(cls, parts: Parts) -> CorsConfig | None:
        policy = parts.proxy.cors
        if policy is None:
            return None
        config = CorsConfig(
            policy.origins, policy.methods, policy.headers, policy.expose_headers, policy.max_age, policy.credentials
        )
        problems = list(_problems(config))
        if problems:
            raise ConfigError(*problems)
        return config

    def authenticate(self, ex: Exchange) -> Reply | None:
        origins = ex.headers(b"Origin")
        if self._any_origin:
            allowed: bytes | None = b"*"
        else:
            # Requests without an Origin too, or a cache would give their answers to a page ("CORS protocol and HTTP
            # caches" in Fetch).
            ex.add_answer_header(b"Vary", b"Origin")
            allowed = origins[0] if len(origins) == 1 and origins[0] in self._origins else None
        method = ex.header(b"Access-Control-Request-Method") if ex.method == b"OPTIONS" and origins else None
        if allowed is None:
            if method is None:
                return None
            return Reply(403, "This proxy's proxyCors does not name this origin", "proxy-access-denied")
        ex.add_answer_header(b"Access-Control-Allow-Origin", allowed)
        if self.config.credentials:
            ex.add_answer_header(b"Access-Control-Allow-Credentials", b"true")
        if method is None:
            ex.add_answer_header(b"Access-Control-Expose-Headers", self._exposed)
            return None
        return self._preflight(ex, method)

    def _preflight(self, ex: Exchange, method: bytes) -> Reply:
        """What is allowed, whatever was asked for: the browser compares, and tells its user which of it is missing."""
        # Asked-for names stand in place of `*`, which would be the name `*` where there are credentials, and never
        # means Authorization ("CORS-preflight fetch" in Fetch).
        methods = self._methods if self._methods is not None else _names([method])
        headers = self._headers if self._headers is not None else _names(ex.headers(b"Access-Control-Request-Headers"))
        fields = [
            (b"Access-Control-Allow-Methods", methods),
            (b"Access-Control-Allow-Headers", headers),
            (b"Access-Control-Max-Age", self._max_age),
            (b"Vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
        ]
        allowed = tuple((name, value) for name, value in fields if value)
        return Reply(204, "Preflight answered by proxyCors", "cors-preflight", body=b"", headers=allowed)

    def on_response(self, ex: Exchange) -> None:
        response = ex.response
        if response is not None:
            response.fields = [known for known in response.fields if not known[0].startswith(b"access-control-")]


def _joined(names: Iterable[str]) -> bytes:
    return ", ".join(names).encode()


def _names(values: list[bytes]) -> bytes:
    """The names in these values of a list field; nothing if one of them is none."""
    names = [name.strip() for value in values for name in value.split(b",")]
    return b", ".join(names) if all(map(is_token, names)) else b""


def _problems(config: CorsConfig) -> Iterator[Problem]:
    if not config.origins:
        yield Problem(f"{_SETTING}.origins", "must name an origin, or *; leave proxyCors out to allow none")
    for place, origin in enumerate(config.origins):
        if wrong := _wrong_with_origin(origin):
            yield Problem(f"{_SETTING}.origins.{place}", wrong)
    for place, method in enumerate(config.methods):
        if method != _ANY and not _METHOD.fullmatch(method):
            yield Problem(f"{_SETTING}.methods.{place}", "must be a method as it is sent, such as PATCH, or *")
    for field, names in (("headers", config.headers), ("exposeHeaders", config.expose_headers)):
        for place, name in enumerate(names):
            if not is_token(name.encode("utf-8", "replace")):
                yield Problem(f"{_SETTING}.{field}.{place}", "must be the name of a header field, or *")
    lists = (("origins", config.origins), ("methods", config.methods), ("headers", config.headers))
    for field, names in (*lists, ("exposeHeaders", config.expose_headers)):
        if len(names) > _MOST:
            yield Problem(f"{_SETTING}.{field}", f"must have at most {_MOST} entries")
    if not 0 <= config.max_age <= _LONGEST_AGE:
        yield Problem(f"{_SETTING}.maxAge", f"must be a number of seconds from 0 to {_LONGEST_AGE}")
    # "CORS protocol and credentials" in Fetch: then `*` is no wildcard.
    if config.credentials and _ANY in config.origins:
        yield Problem(f"{_SETTING}.origins", "must not be * with credentials; name the origins")
    if config.credentials and _ANY in config.expose_headers:
        yield Problem(f"{_SETTING}.exposeHeaders", "must not be * with credentials; name the headers")


def _wrong_with_origin(origin: str) -> str:
    """Why no browser sends `origin`, or nothing."""
    if origin == _ANY:
        return ""
    if origin == "null":
        return "must not be null: pages in a sandbox and local files of anybody's are of that origin"
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        return "must be an origin as browsers send it, such as https://app.example.com: no path, all in lower case"
    if found[3] is not None and _DEFAULT_PORTS.get(found[1]) == found[3]:
        return f"must not have the port {found[3]}, which browsers leave out with {found[1]}"
    return ""
