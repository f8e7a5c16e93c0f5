"""`targetClientCertificate`: sealed like a credential's secret, and what is said of it.

Belongs here: the field, checking and sealing it, warnings. Does not: reading PEM (model/client_certificate.py).
"""

from __future__ import annotations

from typing import Any, Final

from rrgate.api import ConfigError, Problem
from rrgate.core.house import CoreHouse
from rrgate.model import Target
from rrgate.model.client_certificate import read_client_certificate
from rrgate.model.documents import Extra
from rrgate.model.hosts import address_of
from rrgate.model.times import format_milliseconds
from rrgate.store.secrets import client_certificate_row

FIELD: Final = "targetClientCertificate"
WARNINGS: Final = "warnings"
EXTRAS: Final = (
    Extra(
        FIELD,
        "a string or null",
        written=True,
        help="A certificate and its private key in PEM, shown to the target over TLS. Write only: never answered.",
    ),
    Extra(
        WARNINGS,
        "an array of strings",
        help="That its client certificate has expired, or does so soon.",
        example=[],
    ),
)

_SOON: Final = 30 * 86_400_000
_NONE: Final = {
    "sealed_client_certificate": None,
    "client_certificate_fingerprint": None,
    "client_certificate_subject": None,
    "client_certificate_expires_at": None,
}


def sealed(house: CoreHouse, client_id: str, target_id: str, pem: Any) -> dict[str, Any]:
    """The attributes of a target that hold `pem`, as the field has it; None for no certificate. Raises ConfigError."""
    if pem is None:
        return dict(_NONE)
    try:
        if not isinstance(pem, str):
            raise ValueError("must be a string or null")
        certificate = read_client_certificate(pem)
    except ValueError as error:
        problem = Problem(FIELD, str(error))
    else:
        return {
            "sealed_client_certificate": house.store.secrets.seal(
                client_id, client_certificate_row(target_id), pem.encode("ascii", "replace")
            ),
            "client_certificate_fingerprint": certificate.fingerprint,
            "client_certificate_subject": certificate.subject,
            "client_certificate_expires_at": certificate.expires_at,
        }
    # Out here, so that nothing of what was read hangs on it.
    raise ConfigError(problem)


def resealed(house: CoreHouse, target: Target, pem: Any) -> dict[str, Any]:
    """The same for a target that is there; nothing where it has this one already. Raises ConfigError."""
    changes, row = sealed(house, target.client_id, target.id, pem), client_certificate_row(target.id)
    present = target.sealed_client_certificate
    if pem is None or present is None:
        return changes
    plaintext = pem.encode("ascii", "replace")
    return {} if house.store.secrets.holds(target.client_id, row, present, plaintext) else changes


def check_tls(target: Target) -> None:
    """Raises ConfigError if `target` has a certificate that nothing would ask for."""
    if target.sealed_client_certificate is not None and not address_of(target.base_url).tls:
        raise ConfigError(Problem(FIELD, "is for targets over https; null removes it"))


def warnings_of(house: CoreHouse, target: Target) -> list[str]:
    """What is to be said of the certificate of `target`."""
    ends = target.client_certificate_expires_at
    if ends is None or ends > house.now() + _SOON:
        return []
    verb = "expires" if ends > house.now() else "has expired"
    return [f"{FIELD} {verb}: {format_milliseconds(ends)}"]
