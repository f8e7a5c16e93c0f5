"""`ClientCertificate`: what the gateway shows a target that asks for a certificate in the TLS handshake.

Belongs here: reading one, and what is wrong with it. Does not: keeping it (store/), showing it (wire/dialer.py).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256

from rrgate.private_keys import PrivateKey, private_key_of_pem

LARGEST: Final = 64 * 1024
"""Characters of PEM."""
MOST_CERTIFICATES: Final = 10
_MOST_BLOCKS: Final = 20
"""Of any kind: each that has no end is looked for to the end of the text."""

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)


class ClientCertificate:
    """A certificate, what leads from it to its authority, and its key. Two are equal if their certificates are."""

    # No attrs class: what takes those apart would show the key.
    __slots__ = ("_identity", "chain", "key")

    def __init__(self, chain: tuple[x509.Certificate, ...], key: PrivateKey) -> None:
        """`chain`: the certificate of `key` first, each issued by the next."""
        self.chain = chain
        self.key = key
        digest = sha256()
        for each in chain:
            digest.update(each.tbs_certificate_bytes + each.signature)
        self._identity = digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientCertificate) and other._identity == self._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"<ClientCertificate {self._identity}>"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, in hex, as other tools show it."""
        return self.chain[0].fingerprint(SHA256()).hex()

    @property
    def subject(self) -> str:
        """Whose it is (RFC 4514)."""
        return self.chain[0].subject.rfc4514_string()

    @property
    def expires_at(self) -> int:
        """When the first of the chain ends, in milliseconds since the epoch."""
        return min(int(each.not_valid_after_utc.timestamp()) for each in self.chain) * 1000


def read_client_certificate(pem: str) -> ClientCertificate:
    """One private key and its certificate, in any order, with those that lead to its authority behind it.

    Raises ValueError, with a text that tells what would be right and holds no value.
    """
    if len(pem) > LARGEST:
        raise ValueError(f"must have at most {LARGEST} characters")
    if pem.count("-----BEGIN ") > _MOST_BLOCKS:
        raise ValueError(f"must have at most {MOST_CERTIFICATES} certificates, their key, and little else")
    blocks = [(match[1], match[0].encode("ascii", "replace")) for match in _BLOCK.finditer(pem)]
    keys = [block for kind, block in blocks if kind.endswith("PRIVATE KEY")]
    certificates = [block for kind, block in blocks if kind == "CERTIFICATE"]
    if len(keys) != 1 or not certificates:
        raise ValueError("must be a certificate and its private key in PEM, one behind the other")
    if len(certificates) > MOST_CERTIFICATES:
        raise ValueError(f"must have at most {MOST_CERTIFICATES} certificates")
    try:
        chain = tuple(x509.load_pem_x509_certificate(block) for block in certificates)
        subjects = [each.subject for each in chain]
        issuers = [each.issuer for each in chain]
        public_key = chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        # From None: the library's text may quote the input.
        raise ValueError("has a certificate that cannot be read") from None
    key = private_key_of_pem(keys[0].decode())
    if public_key != key.public_key():
        raise ValueError("has a key that is not that of the first certificate")
    if issuers[:-1] != subjects[1:]:
        raise ValueError("must have its certificates in order, each issued by the next")
    return ClientCertificate(chain, key)
