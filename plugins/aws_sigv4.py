"""`awsSigV4`: requests to AWS, and to what speaks like it, signed with Signature Version 4; towards targets only.

Belongs here: what is signed, which of the caller's own signature is cut, whether the body is held. Does not: the
canonical form of a request and its signature (signature_v4.py).
"""

from __future__ import annotations

import re
import time
from hashlib import sha256

from attrs import frozen

from rrgate.api import (
    ConfigError,
    Exchange,
    Plugin,
    PluginContext,
    Problem,
    Reply,
    Side,
    documented,
    fold,
    secret,
)
from rrgate_plugins.signature_v4 import Signer, strict_path, strict_query

LIMIT = 16 * 1024 * 1024
"""Bytes of a body that is signed, and so held; 413 beyond. The most that DynamoDB takes."""

_LIKE_S3 = frozenset(("s3", "s3-object-lambda", "s3-outposts", "s3express"))
"""Services that are told the hash of the body in a header, and encode paths once."""

_UNSIGNED = b"UNSIGNED-PAYLOAD"
_UNSIGNED_CHUNKS = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_HASH = b"X-Amz-Content-Sha256"
_CUT = frozenset((b"authorization", b"date", b"x-amz-date", b"x-amz-security-token", fold(_HASH)))
_CUT_PARAMETERS = tuple(
    b"X-Amz-" + name
    for name in (b"Algorithm", b"Credential", b"Date", b"Expires", b"Security-Token", b"Signature", b"SignedHeaders")
)

_KEY_ID = re.compile(r"[!-+\--.0-~]{3,128}\Z")  # visible ASCII without the comma and slash that end it in the header
_VISIBLE = re.compile(r"[!-~]+\Z")
_SCOPE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@frozen
class AwsSigV4Config:
    """`{"accessKeyId", "secretAccessKey", "region", "service"}` and, where they are needed, the others."""

    access_key_id: str = documented("The id of the access key; targets are shown it.")
    secret_access_key: str = secret("The secret access key.")
    region: str = documented("The region to sign for, such as `us-east-1`.")
    service: str = documented("The service to sign for, such as `s3`, `dynamodb` or `execute-api`.")
    session_token: str | None = secret("The session token of temporary credentials.", default=None)
    unsigned_payload: bool = documented("S3 over TLS: bodies are not signed, and so stream.", default=False)

    def __attrs_post_init__(self) -> None:
        problems = []
        if not _KEY_ID.match(self.access_key_id):
            problems.append(Problem("accessKeyId", "must be 3 to 128 visible ASCII characters without `,` and `/`"))
        for name, value in (("secretAccessKey", self.secret_access_key), ("sessionToken", self.session_token)):
            if value is not None and not _VISIBLE.match(value):
                problems.append(Problem(name, "must be visible ASCII characters, without spaces"))
        for name, value in (("region", self.region), ("service", self.service)):
            if not _SCOPE.match(value):
                problems.append(Problem(name, "must be letters, digits, `-` and `_`, at most 64"))
        if self.unsigned_payload and self.service not in _LIKE_S3:
            problems.append(Problem("unsignedPayload", "is for S3 alone; other services need the body signed"))
        if problems:
            raise ConfigError(*problems)


class AwsSigV4(Plugin):
    """Signature Version 4, in `Authorization`."""

    name = "awsSigV4"
    sides = frozenset({Side.TARGET})
    Config = AwsSigV4Config
    pure = True

    def __init__(self, config: AwsSigV4Config, context: PluginContext) -> None:
        super().__init__(config, context)
        self._stamped = (-1, b"")
        self._like_s3 = config.service in _LIKE_S3
        self._token = config.session_token.encode() if config.session_token else None
        self._signer = Signer(
            config.access_key_id,
            config.secret_access_key,
            config.region,
            config.service,
            encode_path_twice=not self._like_s3,
            not_signed=frozenset((fold(f"{context.prefix}hops".encode()),)),  # written when it is sent
        )
        if not config.unsigned_payload:
            # Only here: a body that has this before it is not streamed with the caller's length.
            self.on_request_body = self._sign_again

    def body_needed(self, ex: Exchange) -> int | None:
        return None if ex.content_length == 0 or self._is_unsigned(ex) else LIMIT

    def prepare(self, ex: Exchange) -> Reply | None:
        request = ex.to_target
        told = request.header(_HASH) or b""
        if told.startswith(b"STREAMING-") and not (told == _UNSIGNED_CHUNKS and self._is_unsigned(ex)):
            message = "The body is in chunks that the caller has signed (aws-chunked), which cannot be signed again"
            return Reply(400, message, "bad-request")
        if self._is_unsigned(ex):
            self._sign(ex, _UNSIGNED_CHUNKS if told == _UNSIGNED_CHUNKS else _UNSIGNED)
        elif request.stream is None:
            self._sign(ex, _hash(request.body or b""))
        else:
            raise RuntimeError("the body that is to be signed was not held")
        return None

    def _sign_again(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        """Another plugin may have changed the body on its way here: what goes out is signed."""
        if chunk != (ex.to_target.body or b""):
            self._sign(ex, _hash(chunk))
        return chunk

    def _is_unsigned(self, ex: Exchange) -> bool:
        return bool(self.config.unsigned_payload) and ex.target_is_tls

    def _sign(self, ex: Exchange, payload: bytes) -> None:
        request = ex.to_target
        request.writer = self.name
        for name in _CUT.intersection(known[0] for known in request.sent_fields()):
            request.remove_header(name)
        if b"amz" in request.query.lower() or b"%" in request.query:
            for name in _CUT_PARAMETERS:
                request.remove_query(name)
        request.path = strict_path(request.path)
        request.query = strict_query(request.query)
        stamp = self._stamp()
        request.set_header(b"X-Amz-Date", stamp)
        if self._token is not None:
            request.set_header(b"X-Amz-Security-Token", self._token)
        if self._like_s3:
            request.set_header(_HASH, payload)
        fields = [(b"host", ex.target_authority)]
        fields += [(name.lower(), value) for _, name, value in request.sent_fields()]
        signed = self._signer.sign(stamp, request.method, request.path, request.query, fields, payload)
        request.set_header(b"Authorization", signed)

    def _stamp(self) -> bytes:
        """Now, as `X-Amz-Date` has it; made once a second."""
        now = int(self.context.wall())
        if self._stamped[0] != now:
            self._stamped = (now, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)).encode())
        return self._stamped[1]


def _hash(body: bytes) -> bytes:
    return sha256(body).hexdigest().encode()
