"""A private CA and certificates of servers and clients signed by it, made anew for each run.

Belongs here: making them. Does not: who trusts them.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """A CA of its own. `pem` is what those who trust it need."""

    def __init__(self, name: str, above: Authority | None = None) -> None:
        """`above`: who signs its certificate; itself by default."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        signer = above or self
        made = signer._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.pem: str = made.sign(signer._key, SHA256()).public_bytes(Encoding.PEM).decode()

    def client(self, name: str, *, key: Any = None, hours: float = 1) -> str:
        """A certificate of a client and its key, as PEM; it ends in `hours`."""
        private = ec.generate_private_key(ec.SECP256R1()) if key is None else key
        made = self._builder(_named(name), private.public_key(), hours).sign(self._key, SHA256())
        secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return (made.public_bytes(Encoding.PEM) + secret).decode()

    def server(
        self, host: str, place: Path, *, names: Sequence[x509.GeneralName] | None = None, hours: float = 1
    ) -> tuple[Path, Path]:
        """(certificate, key) of a server named `host`, a name or an IPv6 address, as PEM files in `place`.

        `names`: its alternative names, in place of `host`; none of them if empty. It ends in `hours`.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(_named(host), key.public_key(), hours)
        if names is None or names:
            made = made.add_extension(x509.SubjectAlternativeName(names or [_general_name(host)]), critical=False)
        certificate, private = place / f"{host}.crt", place / f"{host}.key"
        certificate.write_bytes(made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private

    def server_context(self, host: str, place: Path, **more: Any) -> ssl.SSLContext:
        """For a socket that serves as `host`. `more`: as for `server`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server(host, place, **more))
        return context

    def _builder(self, subject: x509.Name, key: Any, hours: float = 1) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=max(1, -2 * hours)))
            .not_valid_after(now + timedelta(hours=hours))
        )


def _general_name(host: str) -> x509.GeneralName:
    return x509.IPAddress(IPv6Address(host)) if ":" in host else x509.DNSName(host)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
