"""The auth type `signed`, on both sides: callers' signatures are verified, requests to targets are signed.

Belongs here: what the gateway runs. Does not: what a signature is (signing.py).
"""

from __future__ import annotations

import hmac
import re

from attrs import frozen

from rrgate.api import (
    ConfigError,
    Consumes,
    Denied,
    Exchange,
    Identity,
    Plugin,
    PluginContext,
    Problem,
    Side,
    documented,
    secret,
)
from rrgate_hmac.signing import authorization, digest_of, is_ours, read, signature_of

MOST = 16 * 1024 * 1024
"""Bytes: nobody's configuration makes the gateway hold longer bodies than that."""

_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


@frozen
class HmacConfig:
    """`{"key": ID, "secret": SECRET, "window": 300, "maxBodyBytes": 1048576}`."""

    key: str = documented("The key's id, which is shown: up to 64 letters, digits, `.`, `_` and `-`.")
    secret: str = secret("What is signed with: 16 characters or more.")
    window: int = documented("Seconds by which a caller's clock may differ from ours, 1 to 3600.", default=300)
    max_body_bytes: int = documented("The longest body that is signed or verified; 413 beyond.", default=1024 * 1024)

    def __attrs_post_init__(self) -> None:
        problems = []
        if not _KEY.fullmatch(self.key):
            problems.append(Problem("key", "must be up to 64 letters, digits, `.`, `_` and `-`"))
        if len(self.secret) < 16:
            problems.append(Problem("secret", "must have 16 characters or more"))
        if not 1 <= self.window <= 3600:
            problems.append(Problem("window", "must be 1 to 3600 seconds"))
        if not 0 <= self.max_body_bytes <= MOST:
            problems.append(Problem("maxBodyBytes", f"must be 0 to {MOST} bytes"))
        if problems:
            raise ConfigError(*problems)


class Hmac(Plugin):
    """Signed requests."""

    name = "signed"
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = HmacConfig

    def __init__(self, config: HmacConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._key = config.key.encode()
        self._secret = config.secret.encode()
        self._window = config.window
        self._most = config.max_body_bytes
        self._identity = Identity(config.key, context.credential.id if context.credential else "")
        self.consumes = Consumes(headers={b"Authorization"})

    # Callers.

    async def authenticate(self, ex: Exchange) -> Identity | Denied | None:
        shown = ex.presented(b"Authorization")
        if shown is None or isinstance(shown, Denied):
            return shown
        if not is_ours(shown):
            return None
        signed = read(shown)
        if signed is None:
            return Denied("the signature is not well formed")
        if signed.key != self._key:
            return Denied("the key is not the credential's")
        if abs(self.context.wall() - signed.date) > self._window:
            return Denied("the date is outside of the window")
        target = ex.full_path + ex.query_mark + ex.query
        right = signature_of(self._secret, ex.method, target, signed.date, signed.body)
        if not hmac.compare_digest(right, signed.signature):
            return Denied("the signature is not right")
        # The body last: who has not signed its digest is not waited for.
        body = await ex.whole_body(self._most)
        if not hmac.compare_digest(digest_of(body), signed.body):
            return Denied("the body is not the one that was signed")
        return self._identity

    # Targets.

    def body_needed(self, ex: Exchange) -> int:
        return self._most

    def prepare(self, ex: Exchange) -> None:
        request = ex.to_target
        target = request.path + request.query_mark + request.query
        date, body = int(self.context.wall()), request.body or b""
        value = authorization(self._key, self._secret, request.method, target, date, body)
        request.set_header(b"Authorization", value)
