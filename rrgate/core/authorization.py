"""Whether a credential needs somebody's authorization, as its auth type finds out while it is used.

Belongs here: showing it. Does not: finding it out (plugins, through rrgate/credential_state.py).
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from rrgate.core.changes import Actor, saving
from rrgate.core.house import CoreHouse
from rrgate.model import Credential

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
        changed = evolve(present, needs_authorization=needed)
        await house.save(changed, audit=[saving(house, _FOUND_OUT, changed, {})])
    finally:
        house.writing.release()
