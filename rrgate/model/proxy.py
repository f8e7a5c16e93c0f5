"""`Proxy`: one address of the gateway, joining a caller's credential, a target and the target's credential.

Belongs here: its fields. Does not: what plugins make of them (plugins/), or the compiled form (route.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from rrgate.model.configuration import MOST_REQUESTS
from rrgate.model.cors import CorsPolicy
from rrgate.model.hosts import callback_hosts
from rrgate.model.path_template import path_template
from rrgate.model.proxy_plugin import ProxyPlugin, proxy_plugins
from rrgate.model.published import Milliseconds, Writable, published
from rrgate.model.retry_policy import RetryPolicy, retry_policy
from rrgate.model.values import alias, between, effect, header_names, name, networks, one_of, region, size


@frozen(kw_only=True)
class Proxy:
    """A proxy. Times are milliseconds since the epoch; sizes are bytes. What is injected is not in `repr`."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    name: str = published(
        "proxyName", check=name, help="A name for people, 1 to 200 characters.", example="Stripe Proxy"
    )
    region: str = published(
        "proxyRegion",
        writable=Writable.ON_CREATION,
        check=region,
        help="Its region, and that of its parts.",
        example="us-east-1",
    )
    proxy_credential_id: str = published("proxyProxyCredentialId", help="What callers show.")
    target_id: str = published("proxyTargetId", help="Where requests go.")
    target_credential_id: str = published("proxyTargetCredentialId", help="What the target is shown.")
    active: bool = published("proxyActive", default=True, help="Whether it answers.")
    default_rule_effect: str = published(
        "proxyDefaultRuleEffect",
        default="allow",
        check=effect,
        by_plugin=True,
        help="`allow` or `deny` where no rule matches.",
    )
    alias: str | None = published(
        "proxyAlias",
        default=None,
        check=alias,
        help="A second address, unique within the client. None if null or empty.",
        example="payment-gateway",
        empty="",
    )
    additional_headers: Mapping[str, str] = published(
        "proxyAdditionalHeaders",
        factory=dict,
        by_plugin=True,
        repr=False,
        empty=None,
        help="Sent with every request, in place of the caller's. None if null.",
    )
    additional_query_params: Mapping[str, str] = published(
        "proxyAdditionalQueryParams",
        factory=dict,
        by_plugin=True,
        repr=False,
        empty=None,
        help="Sent with every request, in place of the caller's. None if null.",
    )
    additional_data: Mapping[str, Any] = published(
        "proxyAdditionalData",
        factory=dict,
        by_plugin=True,
        repr=False,
        empty=None,
        help="Merged into bodies of POST, PUT and PATCH. Nothing if null.",
    )
    additional_data_strict: bool = published(
        "proxyAdditionalDataStrict",
        default=False,
        by_plugin=True,
        help="Refuse multipart bodies, which additional data cannot be merged into, with 415.",
    )
    max_response_bytes: int | None = published(
        "proxyMaxResponseBytes",
        default=None,
        check=size,
        by_plugin=True,
        help="Bound on a response, head included; 6 MiB if null.",
    )
    max_request_bytes: int | None = published(
        "proxyMaxRequestBytes",
        default=None,
        check=size,
        by_plugin=True,
        help="Bound on a request's body; 100 MiB if null.",
    )
    max_requests_per_minute: int | None = published(
        "proxyMaxRequestsPerMinute",
        default=None,
        check=between(1, MOST_REQUESTS),
        by_plugin=True,
        help="Requests a minute; any number if null. Left out at the start: what the client's limit is then.",
    )
    max_requests_per_day: int | None = published(
        "proxyMaxRequestsPerDay",
        default=None,
        check=between(1, MOST_REQUESTS),
        by_plugin=True,
        help="The same for a day.",
    )
    streaming: str = published(
        "proxyStreaming",
        default="auto",
        check=one_of("auto", "always", "never"),
        by_plugin=True,
        help="`auto`, `always` or `never`: when a response of unknown size streams.",
    )
    cookies: str = published(
        "proxyCookies",
        default="drop",
        check=one_of("drop", "pass"),
        help="`drop` or `pass`: whether cookies cross, in both directions.",
    )
    cors: CorsPolicy | None = published(
        "proxyCors",
        default=None,
        by_plugin=True,
        help="Which pages of other origins may call it from a browser; none if null.",
    )
    pass_headers: tuple[str, ...] = published(
        "proxyPassHeaders",
        factory=tuple,
        check=header_names,
        help="Names that a credential could be read from and that still pass.",
    )
    allowed_networks: tuple[str, ...] = published(
        "proxyAllowedNetworks",
        factory=tuple,
        check=networks,
        by_plugin=True,
        help="Networks that callers may come from. Empty: any, but only loopback where callers show no credential.",
    )
    log_path_template: str | None = published(
        "logPathTemplate",
        default=None,
        check=path_template,
        help="A pattern on RE2. In place of what its groups match in a path, or of all it matches if it has none, the "
        "request log has `[REDACTED]`.",
    )
    retry_policy: RetryPolicy | None = published(
        "proxyRetryPolicy",
        default=None,
        check=retry_policy,
        by_plugin=True,
        help="When an asynchronous request is tried again; the defaults if null.",
    )
    auto_idempotency_key: bool = published(
        "proxyAutoIdempotencyKey",
        default=True,
        help="Attempts of an asynchronous request carry its id as `Idempotency-Key` where the caller sent none.",
    )
    attempt_header: bool = published(
        "proxyAttemptHeader",
        default=False,
        by_plugin=True,
        help="Attempts of an asynchronous request carry their number in `requestrocket-attempt`.",
    )
    callback_hosts: tuple[str, ...] = published(
        "proxyCallbackHosts",
        factory=tuple,
        check=callback_hosts,
        help="Hosts that callers of the Async API may have called back over https: `host[:port]`, or `*.name` for one "
        "label. None if empty.",
        example=["hooks.example.com"],
    )
    callback_body: bool = published(
        "proxyCallbackBody", default=False, help="Callbacks carry the body of the final answer."
    )
    plugins: tuple[ProxyPlugin, ...] = published(
        "proxyPlugins",
        factory=tuple,
        check=proxy_plugins,
        help="Plugins of its own, in their order, each once: of those that `GET /proxy-plugins` tells.",
    )
    callback_secret_fingerprint: str | None = published(
        "proxyCallbackSecretFingerprint",
        default=None,
        writable=Writable.NEVER,
        help="Tells two secrets that sign callbacks apart; null without one.",
    )
    previous_callback_secret_expires_at: Milliseconds | None = published(
        "proxyCallbackPreviousSecretExpiresAt",
        default=None,
        writable=Writable.NEVER,
        help="Until when the one before it signs, too.",
    )
    created_at: Milliseconds = published("proxyCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("proxyUpdatedAt", writable=Writable.NEVER)
    sealed_callback_secret: bytes | None = field(default=None, repr=False)
    previous_sealed_callback_secret: bytes | None = field(default=None, repr=False)
    sealed_plugins: bytes | None = field(default=None, repr=False)
    """The configurations of its plugins that hold secrets, each sealed whole (store/sealed_parts.py)."""
    plugins_host: str | None = None
    """The target's host for which those secrets were given, as `credentialAllowedHosts` names one."""
