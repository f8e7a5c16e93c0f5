"""Settings of the two listeners: where they are, whom they serve, and what a caller may send and how slowly.

Belongs here: rows of the table. Does not: kinds of values (values.py), connections to targets (targets.py).
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from attrs import frozen

from rrgate.settings import values
from rrgate.settings.networks import Network, network_in_front
from rrgate.settings.row import setting


@frozen(kw_only=True, slots=False)
class ListenerSettings:
    """What callers and users meet first."""

    listen: str = setting(
        values.text_of("a Twisted endpoint string", values.endpoint, optional=True),
        "tcp:8080:interface=127.0.0.1",
        where="gateway listener",
        help="Where callers connect: a Twisted endpoint string. Empty, in an embedding service only: nowhere.",
    )
    core_listen: str = setting(
        values.text_of("a Twisted endpoint string", values.endpoint, optional=True),
        "tcp:8081:interface=127.0.0.1",
        where="Core API listener",
        help="Where the Core API is served: a Twisted endpoint string. Empty, in an embedding service only: nowhere.",
    )
    metrics_listen: str = setting(
        values.text_of("a Twisted endpoint string", values.endpoint, optional=True),
        "",
        where="metrics listener",
        help="Where `/metrics` is served to whoever connects: a Twisted endpoint string. Empty: on the Core API's "
        "listener alone, for operators.",
    )
    public_url: str = setting(
        values.text_of("an absolute URL", values.base_url, optional=True),
        "",
        where="answers",
        help="The gateway's address as callers see it, for `proxyURL` and `Location`. Empty: from the bound address; "
        "without a listener `proxyURL` is then `/api/…` alone.",
    )
    core_public_url: str = setting(
        values.text_of("an absolute URL", values.base_url, optional=True),
        "",
        where="answers",
        help="The Core API's address as users see it, for `redirect_uri`. Empty: from the bound address, "
        "and nobody can authorize a credential.",
    )
    hosts: tuple[str, ...] = setting(
        values.list_of("a host without scheme and port", values.host_name),
        (),
        where="both listeners",
        help="Names that a `Host` header may carry; others get 421. Empty: the bound address, `localhost` and the "
        "hosts of the two public URLs.",
    )
    regions: tuple[str, ...] = setting(
        values.list_of("a region such as us-east-1", values.region),
        (),
        where="gateway listener",
        help="Regions that this node serves; a proxy of another one answers 404. Empty: all.",
    )
    trusted_proxies: tuple[Network | str, ...] = setting(
        values.list_of("a network, or unix:", network_in_front, made=(IPv4Network, IPv6Network)),
        (),
        where="both listeners",
        help="Networks whose `X-Forwarded-For`, or PROXY protocol at a `haproxy:` endpoint, tells the "
        "caller's address; `unix:` for whoever connects over a UNIX socket. Empty: nobody's.",
    )
    default_client: str = setting(
        values.text_of("the id of a client", values.uuid, optional=True),
        "",
        where="gateway listener",
        help="Client whose aliases `/api/{alias}/…` finds, by id. Empty: aliases need a client's id before them.",
    )
    query_credentials: bool = setting(
        values.switch(),
        True,
        where="gateway listener",
        help="Whether callers may present a credential in the query; of one credential `credentialInQuery` says it.",
    )
    allow_anonymous_proxies: bool = setting(
        values.switch(),
        False,
        where="gateway listener",
        help="Whether a proxy may let in callers who show no credential. Where it is off, those that would answer 401.",
    )
    open_clients: bool = setting(
        values.switch(),
        False,
        where="Core API listener",
        help="Whether every user may create clients, and not only operators.",
    )
    header_prefix: str = setting(
        values.text_of("a header name's beginning that ends in '-'", values.header_prefix),
        "requestrocket-",
        where="answers and requests to targets",
        help="What the names of the gateway's own headers begin with.",
    )
    max_target_bytes: int = setting(
        values.whole(256, 1 << 20),
        16384,
        unit="bytes",
        where="gateway listener",
        help="Longest request target; 414 beyond.",
    )
    max_head_bytes: int = setting(
        values.whole(1024, 1 << 22),
        65536,
        unit="bytes",
        where="both sides",
        help="Largest head, first line included; 431 beyond, and 502 for a target's.",
    )
    max_head_fields: int = setting(
        values.whole(10, 10_000),
        100,
        unit="fields",
        where="both sides",
        help="Most header fields in a head; 431 beyond, and 502 for a target's.",
    )
    head_timeout: float = setting(
        values.seconds(0.1, 3600),
        10.0,
        unit="seconds",
        where="gateway listener",
        help="Until a request's head is whole, from its first byte or the connection's start; 408 beyond.",
    )
    body_timeout: float = setting(
        values.seconds(0.1, 3600),
        30.0,
        unit="seconds",
        where="gateway listener",
        help="Between two bytes of a request's body; 408 beyond.",
    )
    keep_alive_timeout: float = setting(
        values.seconds(0.1, 3600),
        75.0,
        unit="seconds",
        where="gateway listener",
        help="How long a caller's idle connection stays open.",
    )
    max_connections: int = setting(
        values.whole(1, 1_000_000),
        20_000,
        unit="connections",
        where="gateway listener",
        help="Connections of callers at one time. Who comes beyond has an idle one closed for it, or is answered 503.",
    )
    max_websockets: int = setting(
        values.whole(0, 1_000_000),
        10_000,
        unit="WebSockets",
        where="gateway listener",
        help="WebSockets open at one time; 503 beyond. A proxy may have as many as could still be opened, and so alone "
        "half of them. They do not count for `max_in_flight`.",
    )
    websocket_ping_interval: float = setting(
        values.seconds(0, 3600),
        30.0,
        unit="seconds",
        where="WebSockets, both sides",
        help="Who sends nothing for so long is sent a Ping, and closed if nothing comes for as long again. 0: nobody "
        "is.",
    )
    send_timeout: float = setting(
        values.seconds(0.1, 3600),
        60.0,
        unit="seconds",
        where="gateway listener",
        help="How long a caller may read nothing of its answer; then its connection is dropped.",
    )
