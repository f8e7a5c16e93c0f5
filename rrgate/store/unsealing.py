"""`Unsealer`: opens the sealed secrets of credentials and targets.

Belongs here: under which row a credential's secrets are sealed, for whoever compiles. Does not: the ciphers
(secrets.py), or who may open anything (the composition root decides).
"""

from __future__ import annotations

from attrs import frozen

from rrgate.model import Credential, Target
from rrgate.store.secrets import Secrets, client_certificate_row, credential_row, previous_row


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
