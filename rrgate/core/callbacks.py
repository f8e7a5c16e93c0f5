"""/…/callback-secret: the secret that signs the callbacks of a proxy's asynchronous requests.

Belongs here: making one, and what becomes of the one before. Does not: signing (delivery/callbacks.py), which hosts may
be called (model/proxy.py).
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from typing import Any, Final

from attrs import frozen

from rrgate.core.answers import Answer
from rrgate.core.changes import changed
from rrgate.core.checking import owned
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import CallbackSecret, Success
from rrgate.model.times import format_milliseconds
from rrgate.store.errors import SecretError
from rrgate.store.secrets import callback_row, previous_callback_row
from rrgate.structuring import structure

OVERLAP: Final = 24 * 3_600_000
"""Milliseconds for which the secret that was replaced signs too."""
_BYTES: Final = 32
"""Standard Webhooks asks for 24 to 64."""


@frozen
class Nothing:
    """The body of the route, if it has one."""


async def new_secret(call: Call) -> Answer:
    """A new secret, shown this once; the one before signs beside it for a day, and one before that no more."""
    house = call.house
    proxy = owned(house.directory.proxies, call, "proxyId")
    structure(call.document, Nothing, "")
    secret = "whsec_" + b64encode(secrets.token_bytes(_BYTES)).decode()
    row, sealing = callback_row(proxy.id), house.store.secrets
    changes: dict[str, Any] = {
        "sealed_callback_secret": sealing.seal(proxy.client_id, row, secret.encode()),
        "callback_secret_fingerprint": sealing.fingerprint(row, secret.encode()),
        "previous_sealed_callback_secret": None,
        "previous_callback_secret_expires_at": None,
    }
    if proxy.sealed_callback_secret is not None:
        try:
            previous = sealing.reseal(
                proxy.client_id, row, proxy.sealed_callback_secret, previous_callback_row(proxy.id)
            )
        except SecretError:
            pass  # it signs nothing any more
        else:
            changes["previous_sealed_callback_secret"] = previous
            changes["previous_callback_secret_expires_at"] = house.now() + OVERLAP
    proxy = changed(house, proxy, changes)
    await call.save(proxy)
    until = proxy.previous_callback_secret_expires_at
    document = {
        "secret": secret,
        "fingerprint": proxy.callback_secret_fingerprint,
        "previousSecretExpiresAt": None if until is None else format_milliseconds(until),
    }
    return Answer(200, {"callbackSecret": document, "message": "Success"})


ROUTES = (
    Route(
        method="POST",
        template="/clients/{clientId}/proxies/{proxyId}/callback-secret",
        handler=new_secret,
        success=Success(name="callbackSecret", of=CallbackSecret, listed=False),
        bodiless=True,
        help="A new secret for signing callbacks, shown this once.",
    ),
)
