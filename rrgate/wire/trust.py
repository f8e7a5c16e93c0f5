"""`Trust`: what a target must show over TLS, and what it is shown: contexts of the standard library's `ssl`, kept.

Belongs here: certificates, names and ciphers. Does not: the bytes of a connection (tls.py), dialling (dialer.py).
"""

from __future__ import annotations

import binascii
import os
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import idna
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool

from rrgate.model.client_certificate import ClientCertificate
from rrgate.route import Endpoint

CIPHERS: Final = (
    "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:DH+AESGCM:DH+CHACHA20:ECDH+AES256:DH+AES256:ECDH+AES128:DH+AES:RSA+AESGCM:"
    "RSA+AES:!aNULL:!eNULL:!MD5:!DSS:!PSK:!SRP"
)
"""Of TLS 1.2, in our order: those that Twisted takes, of which old targets need the last."""

SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)
"""Where systems keep whom they trust, for an interpreter that was built for another system."""

_END = "-----END CERTIFICATE-----"
MOST_CONTEXTS: Final = 1000
"""Those used last. One that trusts as the system does takes 0.8 MB, and 29 ms to be made."""


class NotTrusted(Exception):
    """A target cannot be verified, or not be shown what it is to be shown; the text tells why, and no value."""


_Key = tuple[str | None, ClientCertificate | None]


class Trust:
    """Contexts by what they trust and show: targets that need nothing of their own share one."""

    def __init__(self, reactor: Any) -> None:
        """`reactor`: whose threads contexts are made in."""
        self._reactor = reactor
        self._contexts: dict[_Key, ssl.SSLContext] = {}
        self._making = DeferredLock()

    def kept(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        """The context for connections to `endpoint`, if there is one."""
        key = endpoint.ca_bundle, endpoint.client_certificate
        context = self._contexts.pop(key, None)
        return None if context is None else self._keep(key, context)

    async def context_for(self, endpoint: Endpoint) -> ssl.SSLContext:
        """The same, made if it is not there: in a thread, and one after the other, so that many of them hold nobody up.

        Raises NotTrusted. Cancelling ends the waiting; what was begun ends in its thread.
        """
        await self._making.acquire()
        try:
            context = self.kept(endpoint)
            if context is None:
                key = endpoint.ca_bundle, endpoint.client_certificate
                made = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), new_context, *key)
                context = self._keep(key, await made)
            return context
        finally:
            self._making.release()

    def _keep(self, key: _Key, context: ssl.SSLContext) -> ssl.SSLContext:
        if len(self._contexts) >= MOST_CONTEXTS:
            del self._contexts[next(iter(self._contexts))]
        self._contexts[key] = context
        return context


def name_to_verify(host: str) -> str:
    """What the certificate of `host` must be for: an address, or a name in ASCII (RFC 5890). Raises NotTrusted."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return idna.encode(host).decode("ascii")
    except UnicodeError as error:
        raise NotTrusted("the target's host cannot be verified by TLS") from error


def new_context(ca_bundle: str | None, shown: ClientCertificate | None) -> ssl.SSLContext:
    """A context that verifies the certificate, and the name by its subject alternative names alone (RFC 9525 6.3).

    `ca_bundle`: PEM of who is trusted, and nobody else; None: whom the system trusts. Raises NotTrusted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    context.hostname_checks_common_name = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.set_ciphers(CIPHERS)
    if ca_bundle is None:
        _trust_as_the_system(context)
    else:
        _trust_alone(context, ca_bundle)
    if shown is not None:
        _show(context, shown)
    return context


def _trust_as_the_system(context: ssl.SSLContext) -> None:
    context.set_default_verify_paths()
    found = ssl.get_default_verify_paths()
    if found.cafile is None and found.capath is None:
        for bundle in SYSTEM_BUNDLES:
            if Path(bundle).exists():
                context.load_verify_locations(bundle)
                return


def _trust_alone(context: ssl.SSLContext, bundle: str) -> None:
    # One by one: text between them may be anything, and a bundle without any trusts nobody.
    for part in bundle.split(_END)[:-1]:
        if "-----BEGIN" in part:
            try:
                der = ssl.PEM_cert_to_DER_cert(part[part.index("-----BEGIN") :] + _END)
                context.load_verify_locations(cadata=der)
            except (ssl.SSLError, binascii.Error, ValueError) as error:
                raise NotTrusted("the target's CA bundle does not parse") from error


def _show(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """`ssl` reads certificates from files alone: here one that is in memory only, has no name, and is gone after."""
    key = certificate.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(each.public_bytes(Encoding.PEM) for each in certificate.chain)
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(chain + key)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        except OSError as error:  # an SSLError is one
            raise NotTrusted("the target's client certificate cannot be shown") from error
