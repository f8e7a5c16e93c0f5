"""A private authority and the certificate that it signs for the target of rows with TLS, made anew for each run.

Belongs here: making them. Does not: who shows or trusts them (parts.py, peers/starting.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "localhost"


@frozen
class Certificate:
    """PEM files: a certificate for `HOST`, its key, and who signed it."""

    certificate: Path
    key: Path
    authority: Path


def make_certificate(folder: Path) -> Certificate:
    """A P-256 key and certificate, as most sites have now, valid for a day."""
    above, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority, server = _named("bench authority"), _named(HOST)
    now = datetime.now(UTC)

    def begun(subject: x509.Name, of: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=authority, subject_name=subject, public_key=of.public_key(),
            serial_number=x509.random_serial_number(), not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=1),
        )  # fmt: skip

    made = Certificate(folder / "target.crt", folder / "target.key", folder / "authority.crt")
    constraint = x509.BasicConstraints(ca=True, path_length=None)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    for file, builder in (
        (made.authority, begun(authority, above).add_extension(constraint, critical=True)),
        (made.certificate, begun(server, key).add_extension(names, critical=False)),
    ):
        file.write_bytes(builder.sign(above, SHA256()).public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
