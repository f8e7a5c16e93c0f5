"""What can go wrong with the state on disk, one class each; texts name files, rows and key ids, never content.

Belongs here: the exceptions of store/. Does not: where they are raised, or how they are shown (cli/, core/).
"""

from __future__ import annotations


class StoreError(Exception):
    """Something about the state on disk; the text says what, and what would be right."""


class NoState(StoreError):
    """The directory holds no gateway's state."""


class StateExists(StoreError):
    """The directory holds something already."""


class NewerDatabase(StoreError):
    """A newer version of rrgate has changed this database."""


class Conflict(StoreError):
    """What was to be saved contradicts what is there; nothing was saved.

    `field` is the published name of the field at fault (`proxyAlias`).
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class SecretError(StoreError):
    """Something encrypted cannot be read, or a key is not there."""


class KeyFileError(SecretError):
    """The master key is not to be had: its file is missing, readable for others, or damaged; its command fails."""


class MissingKey(SecretError):
    """The key that something was encrypted with is not among those at hand."""


class WrongKey(SecretError):
    """A wrapped key does not open with the master key that it names: one of the two was changed."""


class BrokenSecret(SecretError):
    """A sealed value was changed, cut, or belongs to another row."""
