"""`hmac`: requests signed with a shared secret, as webhooks are; towards targets only.

Belongs here: the secret, the headers that it writes, when it is signed. Does not: what is signed
(signature_template.py).
"""

from __future__ import annotations

import hmac
import time
from base64 import b64decode, b64encode
from typing import Literal

from attrs import field, frozen

from rrgate.api import (
    NOT_INJECTABLE,
    ConfigError,
    Exchange,
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
from rrgate_plugins.signature_template import FORM_LIMIT, OF_THE_BODY, BadTemplate, CannotSign, Moment, Template

LIMIT = 16 * 1024 * 1024
"""Bytes of a body that is signed, and so held; 413 beyond."""

_IN_PREFIX = frozenset(("id", "timestamp"))
_WEAK = "This gateway signs requests to the target with SHA-1, which is broken; use it only where nothing else is taken"


@frozen
class HmacConfig:
    """`{"secret": SECRET, "header": NAME}`, and how the target wants it."""

    secret: str = secret("The key, as the target gave it.")
    header: str = documented("The header of the signature.")
    template: str = documented("What is signed, with placeholders.", default="{body}")
    prefix: str = documented("What stands before the signature; may have `{timestamp}` and `{id}`.", default="")
    algorithm: Literal["sha256", "sha512", "sha1"] = documented(
        "`sha1` only where nothing else is taken.", default="sha256"
    )
    encoding: Literal["hex", "base64"] = documented("How the signature is written.", default="hex")
    secret_encoding: Literal["text", "base64", "hex"] = documented("How the key is written.", default="text")
    timestamp_header: str | None = documented("The header that tells the time.", default=None)
    timestamp_format: Literal["seconds", "milliseconds", "iso8601"] = documented(
        "Since 1970, or such as `2026-01-02T03:04:05Z`.", default="seconds"
    )
    id_header: str | None = documented("The header that tells the request's id.", default=None)
    key: bytes = field(init=False, default=b"", repr=False)
    signed: Template = field(init=False, default=None, repr=False, eq=False)
    before: Template = field(init=False, default=None, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        problems = [*self._read_key(), *self._read_templates(), *self._check_headers()]
        if problems:
            raise ConfigError(*problems)

    def _read_key(self) -> list[Problem]:
        try:
            if self.secret_encoding == "base64":
                # Standard Webhooks give keys with this before them.
                text = self.secret.removeprefix("whsec_")
                key = b64decode(text + "=" * (-len(text) % 4), validate=True)
            elif self.secret_encoding == "hex":
                key = bytes.fromhex(self.secret)
            else:
                key = self.secret.encode()
        except ValueError:
            wanted = {"text": "without halves of surrogate pairs"}.get(self.secret_encoding, self.secret_encoding)
            return [Problem("secret", f"must be {wanted}")]
        object.__setattr__(self, "key", key)
        return [] if key else [Problem("secret", "must not be empty")]

    def _read_templates(self) -> list[Problem]:
        problems: list[Problem] = []
        found: list[Template] = []
        for name, text, allowed in (("template", self.template, None), ("prefix", self.prefix, _IN_PREFIX)):
            try:
                found.append(Template(text, allowed))
            except BadTemplate as error:
                problems.append(Problem(name, str(error)))
            except UnicodeEncodeError:
                problems.append(Problem(name, "must not hold halves of surrogate pairs"))
        if any(not " " <= letter <= "~" for letter in self.prefix) or self.prefix.startswith(" "):
            problems.append(Problem("prefix", "must be visible ASCII characters"))
        if problems:
            return problems
        signed, before = found
        object.__setattr__(self, "signed", signed)
        object.__setattr__(self, "before", before)
        if not signed.names:
            problems.append(Problem("template", "must have a placeholder: else every request has one signature"))
        for name, where, header in (
            ("timestamp", "timestampHeader", self.timestamp_header),
            ("id", "idHeader", self.id_header),
        ):
            if name in signed.names and name not in before.names and header is None:
                problems.append(Problem(where, f"is required where the template has {{{name}}} and the prefix has not"))
        if self.header and fold(self.header.encode("utf-8", "replace")) in signed.headers:
            problems.append(Problem("template", "must not have the header of the signature itself"))
        return problems

    def _check_headers(self) -> list[Problem]:
        problems = []
        seen: set[bytes] = set()
        for field_name, name in (
            ("header", self.header),
            ("timestampHeader", self.timestamp_header),
            ("idHeader", self.id_header),
        ):
            if name is None:
                continue
            raw = name.encode("utf-8", "replace")
            folded = fold(raw)
            if not is_token(raw):
                problems.append(Problem(field_name, "must be the name of a header, such as X-Signature"))
            elif folded in NOT_INJECTABLE or folded.startswith(b"requestrocket-"):
                problems.append(Problem(field_name, "is written by the gateway itself and cannot be set"))
            elif folded in seen:
                problems.append(Problem(field_name, "must not be the name of another of its headers"))
            seen.add(folded)
        return problems


class Hmac(Plugin):
    """A signature over what the template says, in a header."""

    name = "hmac"
    sides = frozenset({Side.TARGET})
    Config = HmacConfig
    pure = True

    def __init__(self, config: HmacConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._header = config.header.encode()
        self._timestamp = config.timestamp_header.encode() if config.timestamp_header else None
        self._id = config.id_header.encode() if config.id_header else None
        if OF_THE_BODY & config.signed.names:
            # Only here, so that bodies stream where they are not signed.
            self._limit = FORM_LIMIT if "form" in config.signed.names else LIMIT
            self.body_needed = self._body_needed
            self.on_request_body = self._sign_again

    def prepare(self, ex: Exchange) -> Reply | None:
        try:
            self._sign(ex, ex.to_target.body or b"")
        except CannotSign as error:
            return Reply(400, f"The target wants a signature over {error}", "bad-request")
        if self.config.algorithm == "sha1":
            ex.warnings.append(_WEAK)
        return None

    def _body_needed(self, ex: Exchange) -> int | None:
        return None if ex.content_length == 0 else self._limit

    def _sign_again(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        """Another plugin may have changed the body on its way here: what goes out is signed."""
        if chunk != (ex.to_target.body or b""):
            self._sign(ex, chunk)
        return chunk

    def _sign(self, ex: Exchange, body: bytes) -> None:
        """Raises CannotSign."""
        config, request = self.config, ex.to_target
        request.writer = self.name
        at = Moment(self._now(), body)
        if self._timestamp is not None:
            request.set_header(self._timestamp, at.stamp)
        if self._id is not None:
            request.set_header(self._id, ex.id.encode())
        digest = hmac.digest(config.key, config.signed.of(ex, at), config.algorithm)
        shown = digest.hex().encode() if config.encoding == "hex" else b64encode(digest)
        request.set_header(self._header, config.before.of(ex, at) + shown)

    def _now(self) -> bytes:
        now = self.context.wall()
        if self.config.timestamp_format == "iso8601":
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)).encode()
        return b"%d" % (now * 1000 if self.config.timestamp_format == "milliseconds" else now)
