"""`Route`: a proxy with everything that a request needs resolved and compiled. Immutable, swapped whole.

Belongs here: its data, and what they alone say of it. Does not: how it is built (compiling.py) or found (directory.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
from attrs import field, frozen

from rrgate.chain import Chain
from rrgate.checks import Checks
from rrgate.loads import Load
from rrgate.messages import Fields, cut_parameters
from rrgate.model import Client, Credential, Proxy, Target
from rrgate.model.client_certificate import ClientCertificate
from rrgate.model.hosts import Address, allows
from rrgate.model.proxy_plugin import ProxyPlugin
from rrgate.names import crossing


@frozen(slots=True)
class Endpoint:
    """Where a target is dialled: scheme, host without brackets or trailing dot, port."""

    tls: bool
    host: str
    port: int
    ca_bundle: str | None = field(default=None, repr=False)
    client_certificate: ClientCertificate | None = None


@frozen(slots=True, eq=False)
class Route:
    """A compiled proxy. Requests in flight keep theirs when the directory swaps in a new one."""

    client: Client
    proxy: Proxy
    target: Target | None
    proxy_credential: Credential | None
    target_credential: Credential | None
    checks: int
    """What is known to hold before any request (`rrgate.checks`): existence, relation and activity of its parts."""
    open_scopes: int
    """The rule scopes that allow every request (`rrgate.checks`)."""
    chain: Chain
    endpoint: Endpoint
    pool_key: str = field(repr=False)
    """Connections are shared only between requests with the same target, credential and TLS settings."""
    base_path: bytes
    authority: bytes
    """The value of `Host` towards the target."""
    cut_headers: frozenset[bytes]
    """Folded names that do not reach the target."""
    cut_prefixes: tuple[bytes, ...]
    """What folded names begin with that do not either."""
    passed_headers: frozenset[bytes]
    """Those of `cut_headers` that may still pass when the caller's credential was read from another place."""
    cut_parameters: frozenset[bytes] | None
    """Folded names of query parameters that do not reach the target; None where there is no caller's credential, and
    so nobody knows where callers show one."""
    cut_answer_headers: frozenset[bytes]
    own_prefix: bytes
    """Folded prefix of our own header names, e.g. `requestrocket-`."""
    secret_needs_tls: bool
    """The target credential, or what a plugin of the proxy's own has, is secret, and the target does not allow it in
    plain text beyond loopback."""
    caller_expires: float | None
    """Seconds since the epoch from when on the caller's credential no longer works, or None."""
    target_expires: float | None
    log_path: Any = None
    """What of paths the request log does not show (`rrgate.model.path_template`), or None."""
    loads: tuple[Load, Load] = field(factory=lambda: (Load(), Load()), repr=False)
    """What the proxy, and all proxies of its target, have under way."""
    keeps_bodies: bool = False
    """Its client's request log holds bodies."""
    allowed_hosts: tuple[str, ...] | None = None
    """The hosts that the target credential may be sent to, or None where it is bound to none."""
    own_secrets: tuple[tuple[str, str], ...] = ()
    """(name, fingerprint) of each plugin of the proxy's own that has secrets."""

    def crossing_fields(self, fields: Fields, read_from: tuple[bytes, ...]) -> Fields:
        """Those of a caller's `fields` that reach the target. `read_from`: folded names of the headers that its
        credential was read from."""
        cut = self.cut_headers
        if self.passed_headers and read_from:
            # What was used never passes; where it is not known what was, nothing does.
            cut -= self.passed_headers.difference(read_from)
        crosses = crossing(cut, self.cut_prefixes)
        return [field for field in fields if crosses[field[0]]]

    def crossing_query(self, query: bytes) -> bytes:
        """What of a caller's raw `query` reaches the target."""
        return cut_parameters(query, self.cut_parameters) if query and self.cut_parameters else query

    def unavailable(self, now: float) -> str:
        """Why an authenticated request cannot be served at `now` (seconds since the epoch), or nothing."""
        checks = self.checks
        if not checks & Checks.PROXY_ACTIVE:
            return "This proxy is switched off"
        if not checks & Checks.TARGET_RELATIONSHIP:
            return "This proxy's target is gone"
        if not checks & Checks.TARGET_CREDENTIAL_RELATIONSHIP:
            return "This proxy's target credential is gone"
        if not checks & Checks.TARGET_CREDENTIAL_ACTIVE:
            return "This proxy's target credential is switched off"
        if past(self.target_expires, now):
            return "This proxy's target credential has expired"
        return ""

    @property
    def host_allowed(self) -> bool:
        """Whether the target credential may go to the target's host."""
        to = self.endpoint
        return self.allowed_hosts is None or allows(self.allowed_hosts, Address(to.tls, to.host, to.port))


HOST_NOT_ALLOWED: Final = "the target credential may not go to this host (see its credentialAllowedHosts)"
"""What is told where `Route.host_allowed` is false."""


def past(moment: float | None, now: float) -> bool:
    """Whether `moment` has come, if there is one."""
    return moment is not None and moment <= now


def pool_key(
    endpoint: Endpoint,
    target: Target | None,
    credential: Credential | None,
    client: Client,
    plugins: Sequence[ProxyPlugin],
) -> str:
    """By what connections are kept: requests with different credentials, or different secrets of `plugins` that their
    proxies list, never share one, nor do those from before and after a change of the networks that are opened for the
    client."""
    # Text, because it is looked up twice a request and keeps its hash.
    parts: tuple[object, ...] = (attrs.astuple(endpoint),)
    if target is not None:
        parts += (target.id, target.allow_plaintext)
    if credential is not None:
        # Where it may be sent to is looked at where a connection is made: other hosts, other connections.
        parts += (credential.id, credential.secret_version, credential.allowed_hosts)
    if secrets := tuple(each.fingerprint for each in plugins if each.fingerprint is not None):
        parts += (secrets,)
    if client.configuration.allowed_networks:
        parts += (client.configuration.allowed_networks,)
    return repr(parts)
