"""Encryption at rest: AES-256-GCM under a data key per client, and the keyed hashes of tokens and fingerprints.

Belongs here: every use of a key that protects stored data. Does not: the key file (keyfile.py), tables (store.py).

    master key ── wraps ──► data key of a client ── seals ──► its secrets
               └─ wraps ──► instance key ── derives ──► hash keys of tokens and fingerprints

What the instance key on disk is wrapped under is the state's master key: every new data key is wrapped under it, so
that none is made under a key that a rotation is taking away (key_rotation.py).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from threading import Lock
from typing import Final, Protocol

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rrgate.store.errors import BrokenSecret, MissingKey, SecretError, WrongKey
from rrgate.store.keyfile import KEY_BYTES

_NONCE_BYTES: Final = 12
_NONCES: Final = 256
"""Drawn at once."""
_TAG_BYTES: Final = 16
_FORMAT: Final = b"\x01"


class HasMasterKeys(Protocol):
    """MasterKeys, or a KeyRing that looks again when it misses one."""

    def key(self, key_id: str, /) -> bytes:
        """The master key of that id. Raises MissingKey."""


@frozen
class WrappedKey:
    """A key encrypted with the master key of that id."""

    wrapped: bytes = field(repr=False)
    master_key_id: str


def credential_row(credential_id: str) -> str:
    """The `row` under which a credential's secret is sealed."""
    return f"credentials/{credential_id}"


def previous_row(credential_id: str) -> str:
    """The `row` under which the secret that was replaced is sealed while it still works."""
    return f"credentials/{credential_id}/previous"


def client_certificate_row(target_id: str) -> str:
    """The `row` under which a target's client certificate is sealed, with its key."""
    return f"targets/{target_id}/client-certificate"


def callback_row(proxy_id: str) -> str:
    """The `row` under which the secret that signs a proxy's callbacks is sealed."""
    return f"proxies/{proxy_id}/callback"


def previous_callback_row(proxy_id: str) -> str:
    """The same of the one before it, while that signs too."""
    return f"proxies/{proxy_id}/callback/previous"


def plugin_row(proxy_id: str, name: str) -> str:
    """The `row` under which the configuration of a plugin that a proxy lists by `name` is sealed."""
    return f"proxies/{proxy_id}/plugins/{name}"


def bodies_row(request_id: str) -> str:
    """The `row` under which the bodies of a request are sealed."""
    return f"requests/{request_id}/bodies"


def state_row(credential_id: str) -> str:
    """The `row` under which what its auth type keeps of a credential is sealed."""
    return f"credentials/{credential_id}/state"


class Secrets:
    """Seals and unseals without touching the disk. Safe to use from several threads.

    The data key of a client is made when something is first sealed for it, and stored by `Store.save` in the same
    transaction as what was sealed: until then it is among `unsaved()`.
    """

    def __init__(self, master: HasMasterKeys, instance: WrappedKey, data_keys: Mapping[str, WrappedKey]) -> None:
        """`data_keys`: by client id. Raises MissingKey or WrongKey if the instance key does not open."""
        self._master = master
        self._under = instance.master_key_id
        self._lock = Lock()
        self._nonces: list[bytes] = []
        self._process = os.getpid()
        self._wrapped = dict(data_keys)
        self._unsaved: dict[str, WrappedKey] = {}
        self._open: dict[str, AESGCM] = {}
        instance_key = unwrap(master, instance, instance_identity("hash"))
        self._token_key = _derived(instance_key, b"tokens")
        self._fingerprint_key = _derived(instance_key, b"fingerprints")

    def __repr__(self) -> str:
        return f"<Secrets under master key {self._under}>"

    def seal(self, client_id: str, row: str, plaintext: bytes) -> bytes:
        """`plaintext` encrypted with a fresh nonce; opens only for the same client and the same `row`.

        `row` names the place where it is kept (see `credential_row`). Raises MissingKey, WrongKey.
        """
        nonce = self._nonce()
        cipher = self._cipher(client_id, make=True)
        return _FORMAT + nonce + cipher.encrypt(nonce, plaintext, _identity(client_id, row))

    def unseal(self, client_id: str, row: str, sealed: bytes) -> bytes:
        """What `seal` was given. Raises BrokenSecret if `sealed` was changed or belongs to another client or row.

        Raises MissingKey or WrongKey if the client's data key is not there or does not open.
        """
        if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
            raise BrokenSecret(f"the secret of {row} is not in a form that this version writes")
        cipher = self._cipher(client_id, make=False)
        try:
            return cipher.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], _identity(client_id, row))
        except InvalidTag:
            raise BrokenSecret(
                f"the secret of {row} was changed or belongs elsewhere; set it again or restore a backup"
            ) from None

    def reseal(self, client_id: str, row: str, sealed: bytes, new_row: str) -> bytes:
        """What is `sealed` for `row`, sealed for `new_row`; its plaintext is shown to nobody.

        Raises what `unseal` raises.
        """
        return self.seal(client_id, new_row, self.unseal(client_id, row, sealed))

    def holds(self, client_id: str, row: str, sealed: bytes, plaintext: bytes) -> bool:
        """Whether this is what is `sealed` for `row`; false for what does not open."""
        try:
            return hmac.compare_digest(self.unseal(client_id, row, sealed), plaintext)
        except SecretError:
            return False

    def fingerprint(self, row_id: str, plaintext: bytes) -> str:
        """8 hex digits that tell two secrets of one row apart; the same secret elsewhere has another."""
        message = row_id.encode() + b"\0" + plaintext
        return hmac.digest(self._fingerprint_key, message, "sha256")[:4].hex()

    def token_hash(self, token: str) -> bytes:
        """32 bytes by which a user token is looked up. Tokens have 256 bits, so no slow hash is needed."""
        return hmac.digest(self._token_key, token.encode("utf-8", "surrogatepass"), "sha256")

    def has_key(self, client_id: str) -> bool:
        """Whether the client has a data key, on disk or not yet."""
        return client_id in self._wrapped

    # For Store: what goes to disk and comes from it.

    def unsaved(self) -> dict[str, WrappedKey]:
        """Data keys that are not on disk yet, by client id."""
        with self._lock:
            return dict(self._unsaved)

    def unsaved_under(self, master_key_id: str) -> dict[str, WrappedKey]:
        """`unsaved()`, wrapped with this master key, as is every one that is made from now on.

        Raises MissingKey if it is not at hand.
        """
        with self._lock:
            if master_key_id != self._under:
                self._master.key(master_key_id)
                for client_id, wrapped in self._unsaved.items():
                    again = rewrap(self._master, wrapped, data_key_identity(client_id), master_key_id)
                    self._wrapped[client_id] = self._unsaved[client_id] = again
                self._under = master_key_id
            return dict(self._unsaved)

    def saved(self, keys: Mapping[str, WrappedKey]) -> None:
        """These are on disk now."""
        with self._lock:
            for client_id in keys:
                self._unsaved.pop(client_id, None)

    def learn(self, data_keys: Mapping[str, WrappedKey]) -> None:
        """These are on disk, made by this or another process; one of ours that came too late gives way."""
        with self._lock:
            for client_id, wrapped in data_keys.items():
                if self._wrapped.get(client_id) != wrapped:
                    self._wrapped[client_id] = wrapped
                    self._unsaved.pop(client_id, None)
                    self._open.pop(client_id, None)

    def forget(self, client_id: str) -> None:
        """The client is deleted: whatever was sealed for it can never be opened again."""
        with self._lock:
            for keys in (self._wrapped, self._unsaved, self._open):
                keys.pop(client_id, None)

    def _nonce(self) -> bytes:
        # The system is asked for many at once: each time another thread takes the GIL meanwhile. A fork of this process
        # draws its own: the same one under the same key twice gives both plaintexts away (NIST SP 800-38D, 8).
        if self._process != (process := os.getpid()):
            self._nonces, self._process = [], process
        while True:
            try:
                return self._nonces.pop()
            except IndexError:
                drawn = secrets.token_bytes(_NONCE_BYTES * _NONCES)
                self._nonces = [drawn[place : place + _NONCE_BYTES] for place in range(0, len(drawn), _NONCE_BYTES)]

    def _cipher(self, client_id: str, *, make: bool) -> AESGCM:
        cipher = self._open.get(client_id)
        if cipher is not None:
            return cipher
        with self._lock:
            wrapped = self._wrapped.get(client_id)
            if wrapped is not None:
                key = unwrap(self._master, wrapped, data_key_identity(client_id))
            elif make:
                key = secrets.token_bytes(KEY_BYTES)
                wrapped = _wrap(self._master, self._under, key, data_key_identity(client_id))
                self._wrapped[client_id] = self._unsaved[client_id] = wrapped
            else:
                raise MissingKey(f"there is no data key for client {client_id}; restore a backup that has it")
            cipher = self._open[client_id] = AESGCM(key)
            return cipher


def new_instance_key(master: HasMasterKeys, master_key_id: str) -> WrappedKey:
    """A random key from which the hash keys are derived, wrapped. One for the life of the state."""
    return _wrap(master, master_key_id, secrets.token_bytes(KEY_BYTES), instance_identity("hash"))


def instance_identity(name: str) -> bytes:
    """What the instance key `name` is bound to."""
    if name != "hash":
        raise WrongKey(f"there is an instance key {name!r} that this version does not know; run the one that made it")
    return b"rrgate instance key\0"


def data_key_identity(client_id: str) -> bytes:
    """What the data key of a client is bound to."""
    return b"rrgate data key\0" + client_id.encode()


def _identity(client_id: str, row: str) -> bytes:
    return b"rrgate secret\0" + client_id.encode() + b"\0" + row.encode()


def _wrap(master: HasMasterKeys, master_key_id: str, key: bytes, identity: bytes) -> WrappedKey:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    wrapped = nonce + AESGCM(master.key(master_key_id)).encrypt(nonce, key, identity)
    return WrappedKey(wrapped, master_key_id)


def unwrap(master: HasMasterKeys, wrapped: WrappedKey, identity: bytes) -> bytes:
    """The key itself. Raises MissingKey; WrongKey if it was changed or is bound to something else."""
    cipher = AESGCM(master.key(wrapped.master_key_id))
    try:
        return cipher.decrypt(wrapped.wrapped[:_NONCE_BYTES], wrapped.wrapped[_NONCE_BYTES:], identity)
    except (InvalidTag, ValueError):
        raise WrongKey(
            f"a key wrapped with master key {wrapped.master_key_id} does not open with it: the database was changed; "
            "restore a backup"
        ) from None


def rewrap(master: HasMasterKeys, wrapped: WrappedKey, identity: bytes, master_key_id: str) -> WrappedKey:
    """The same key under the master key of that id. Raises MissingKey, WrongKey."""
    return _wrap(master, master_key_id, unwrap(master, wrapped, identity), identity)


def _derived(instance_key: bytes, purpose: bytes) -> bytes:
    # HMAC as a key derivation function (SP 800-108): the instance key is uniformly random.
    return hmac.new(instance_key, b"rrgate " + purpose, hashlib.sha256).digest()
