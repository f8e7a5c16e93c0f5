"""How a target is reached, worked out of what was saved.

Belongs here: that. Does not: compiling the rest of a Route (compiling.py), dialling (wire/).
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from rrgate.model import Target
from rrgate.model.client_certificate import read_client_certificate
from rrgate.model.hosts import address_of
from rrgate.route import Endpoint


class OpensCertificates(Protocol):
    """Whoever can open sealed client certificates."""

    def unseal_client_certificate(self, target: Target) -> bytes:
        """The PEM of a target that has one. Raises what says that it cannot be opened."""


def address_of_target(target: Target, unsealer: OpensCertificates) -> tuple[Endpoint, bytes, bytes]:
    """Where `target` is dialled, its base path without a trailing `/`, its `Host`. All was judged when it was saved.

    What `unsealer` raises is passed on; it is asked for nothing where there is no certificate.
    """
    address = address_of(target.base_url)
    shown = None
    if target.sealed_client_certificate is not None:
        shown = read_client_certificate(unsealer.unseal_client_certificate(target).decode("ascii"))
    endpoint = Endpoint(address.tls, address.host, address.port, target.ca_bundle, shown)
    return endpoint, urlsplit(target.base_url).path.rstrip("/").encode("ascii"), address.authority.encode()
