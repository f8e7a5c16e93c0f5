"""Whether a credential needs somebody's authorization, as its auth type finds out while it is used.

Belongs here: showing it, and removing those that nobody ever authorizes. Does not: finding it out (plugins, through
rrgate/credential_state.py), authorizing (authorize.py).
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from rrgate.careful_log import CarefulLogger
from rrgate.core.changes import Actor, deleting, saving
from rrgate.core.house import CoreHouse
from rrgate.model import Credential

TEMPORARY_HOURS: Final = 24

log = CarefulLogger("rrgate.core")

_ENDED: Final = Actor("", "", "credentialTemporary")
_FOUND_OUT: Final = Actor("", "", "credentialNeedsAuthorization")


async def show_authorization(house: CoreHouse, credential: Credential, needed: bool) -> None:
    """Put into force that `credential` needs authorization, or no longer does. Raises what the store raises.

    Not of one that is no more, or has another secret by now.
    """
    await house.writing.acquire()
    try:
        present = house.directory.credentials.get(credential.id)
        if (
            present is None
            or present.secret_version != credential.secret_version
            or present.needs_authorization == needed
        ):
            return
        changed = evolve(present, needs_authorization=needed, temporary=present.temporary and needed)
        await house.save(changed, audit=[saving(house, _FOUND_OUT, changed, {})])
    finally:
        house.writing.release()


async def end_temporary(house: CoreHouse) -> None:
    """Remove every credential that nobody has authorized in `TEMPORARY_HOURS`. Raises nothing: what could not be
    removed is tried again."""
    directory = house.directory
    for credential_id in [each.id for each in directory.passing() if _is_over(house, each)]:
        await house.writing.acquire()
        try:
            credential = directory.credentials.get(credential_id)
            if credential is not None and _is_over(house, credential):
                gone = directory.belonging_to(credential_id)
                await house.delete(*gone, credential, audit=[deleting(house, _ENDED, credential, gone)])
        except Exception:  # noqa: BLE001 - it shows nobody anything, whether it is removed or not
            log.failure("credential {id}, which nobody authorized, could not be removed", id=credential_id)
        finally:
            house.writing.release()


def _is_over(house: CoreHouse, credential: Credential) -> bool:
    return credential.temporary and credential.created_at + TEMPORARY_HOURS * 3_600_000 <= house.now()
