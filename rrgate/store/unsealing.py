"""`Unsealer`: opens the sealed secrets of credentials, targets and proxies.

Belongs here: under which row a credential's secrets are sealed, for whoever compiles. Does not: the ciphers
(secrets.py), or who may open anything (the composition root decides).
"""

from __future__ import annotations

from attrs import frozen

from rrgate.model import Credential, Proxy, Target
from rrgate.store.errors import BrokenSecret
from rrgate.store.sealed_parts import unpack
from rrgate.store.secrets import (
    Secrets,
    callback_row,
    client_certificate_row,
    credential_row,
    plugin_row,
    previous_callback_row,
    previous_row,
)


@frozen
class Unsealer:
    """See `rrgate.compiling.Unsealer`. Raises SecretError for what cannot be opened."""

    secrets: Secrets

    def unseal_credential(self, credential: Credential) -> bytes:
        """The secret as JSON bytes."""
        return self.secrets.unseal(credential.client_id, credential_row(credential.id), credential.sealed_secret)

    def unseal_previous(self, credential: Credential) -> bytes:
        """The same of a `Credential.before`."""
        return self.secrets.unseal(credential.client_id, previous_row(credential.id), credential.sealed_secret)

    def unseal_client_certificate(self, target: Target) -> bytes:
        """The certificate and the key of a target that has one, in PEM."""
        sealed = target.sealed_client_certificate
        assert sealed is not None
        return self.secrets.unseal(target.client_id, client_certificate_row(target.id), sealed)

    def unseal_plugin(self, proxy: Proxy, name: str) -> bytes:
        """The whole configuration of the plugin that a proxy lists by `name`, as JSON bytes."""
        sealed = unpack(proxy.sealed_plugins).get(name)
        if sealed is None:
            raise BrokenSecret(f"the secret of {plugin_row(proxy.id, name)} is not there; set it again")
        return self.secrets.unseal(proxy.client_id, plugin_row(proxy.id, name), sealed)

    def unseal_callback_secrets(self, proxy: Proxy, now: int) -> list[bytes]:
        """What signs the callbacks of a proxy at `now` (milliseconds since the epoch), the present one first."""
        secrets = []
        if proxy.sealed_callback_secret is not None:
            row = callback_row(proxy.id)
            secrets.append(self.secrets.unseal(proxy.client_id, row, proxy.sealed_callback_secret))
        until = proxy.previous_callback_secret_expires_at
        if proxy.previous_sealed_callback_secret is not None and until is not None and now < until:
            row = previous_callback_row(proxy.id)
            secrets.append(self.secrets.unseal(proxy.client_id, row, proxy.previous_sealed_callback_secret))
        return secrets
