"""Replacing a credential's secret: what becomes of the old one, and when it is gone.

Belongs here: `credentialSecret` and `credentialPreviousSecretExpiresAt` of a PUT. Does not: trying the two on a request
(rrgate/overlap.py), the ciphers (store/secrets.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from rrgate.api import ConfigError, Problem
from rrgate.careful_log import CarefulLogger
from rrgate.core.answers import conflict
from rrgate.core.changes import Actor, saving
from rrgate.core.house import CoreHouse
from rrgate.json_text import json_text
from rrgate.model import NO_PREVIOUS_SECRET, Credential, Side
from rrgate.store.errors import SecretError
from rrgate.store.secrets import credential_row, previous_row

SECRET: Final = "credentialSecret"
UNTIL: Final = "credentialPreviousSecretExpiresAt"

LONGEST_OVERLAP_DAYS: Final = 30

_OVERLAP_ENDS: Final = Actor("", "", UNTIL)

log = CarefulLogger("rrgate.core")


def plaintext_of(secret: Any) -> bytes:
    """What is sealed. Sorted, so that the same secret written another way is the same."""
    return json_text(secret, sort=True).encode()


def sealed(house: CoreHouse, client_id: str, credential_id: str, plaintext: bytes) -> dict[str, Any]:
    """The attributes that hold `plaintext`: sealed, and its fingerprint."""
    row = credential_row(credential_id)
    return {
        "sealed_secret": house.store.secrets.seal(client_id, row, plaintext),
        "fingerprint": house.store.secrets.fingerprint(row, plaintext),
    }


def check_overlap(house: CoreHouse, credential: Credential, document: Mapping[str, Any], until: int | None) -> None:
    """Whether a PUT may say that the previous secret works until `until`. Raises ConfigError naming what is wrong."""
    if until is None:
        return
    if SECRET not in document and until == credential.previous_secret_expires_at:
        # Read, changed elsewhere, written back.
        return
    if credential.side is not Side.PROXY:
        problem = "is for credentials that callers show; towards targets the new secret is used at once"
    elif SECRET not in document and not _overlaps(house, credential):
        problem = "takes a new credentialSecret in the same request: there is no previous secret that still works"
    elif not house.now() < until <= house.now() + LONGEST_OVERLAP_DAYS * 86_400_000:
        problem = f"must lie ahead, by at most {LONGEST_OVERLAP_DAYS} days"
    else:
        return
    raise ConfigError(Problem(UNTIL, problem))


def rotated(house: CoreHouse, credential: Credential, secret: Any | None, until: int | None) -> dict[str, Any]:
    """What changes about the secrets of `credential`: a new `secret`, if it is not None, takes the place of the
    present one, which works until `until`, if that is not None.

    Writing the present secret once more replaces nothing: a PUT that is repeated does not end the overlap that it
    began. Raises Refused with 409 if the present secret cannot be kept, ConfigError if there is none to be kept.
    """
    keeps = until is not None and _overlaps(house, credential)
    if secret is None:
        return {"previous_secret_expires_at": until} if keeps else dict(NO_PREVIOUS_SECRET)
    secrets, plaintext, row = house.store.secrets, plaintext_of(secret), credential_row(credential.id)
    changes = {
        **NO_PREVIOUS_SECRET,
        **sealed(house, credential.client_id, credential.id, plaintext),
        "secret_version": credential.secret_version + 1,
    }
    is_present = secrets.holds(credential.client_id, row, credential.sealed_secret, plaintext)
    if until is None:
        # Of one that does not work any more the same secret is a new beginning.
        return dict(NO_PREVIOUS_SECRET) if is_present and not credential.needs_authorization else changes
    if is_present:
        if not keeps:
            raise ConfigError(Problem(UNTIL, "has nothing to keep: this credentialSecret is the present one"))
        previous, version = credential.previous_sealed_secret, credential.previous_secret_version
    else:
        try:
            previous = secrets.reseal(
                credential.client_id, row, credential.sealed_secret, previous_row(credential.id)
            )
        except SecretError:
            raise conflict(
                UNTIL, "the present secret cannot be read any more; leave this field out, and the new one replaces it"
            ) from None
        version = credential.secret_version
    changes.update(
        previous_sealed_secret=previous, previous_secret_version=version, previous_secret_expires_at=until
    )
    return changes


async def end_overlaps(house: CoreHouse) -> None:
    """Remove every previous secret whose time is over. Raises nothing: what could not be removed is tried again."""
    over = [each.id for each in house.directory.passing() if _is_over(house, each)]
    for credential_id in over:
        await house.writing.acquire()
        try:
            credential = house.directory.credentials.get(credential_id)
            if credential is not None and _is_over(house, credential):
                ended = evolve(credential, **NO_PREVIOUS_SECRET)
                await house.save(ended, audit=[saving(house, _OVERLAP_ENDS, ended, {})])
        except Exception:  # noqa: BLE001 - the secret does not work any more, whether it is removed or not
            log.failure("the previous secret of credential {id} could not be removed", id=credential_id)
        finally:
            house.writing.release()


def _overlaps(house: CoreHouse, credential: Credential) -> bool:
    return credential.before is not None and not _is_over(house, credential)


def _is_over(house: CoreHouse, credential: Credential) -> bool:
    until = credential.previous_secret_expires_at
    return until is not None and until <= house.now()
