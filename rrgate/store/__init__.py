"""What the gateway keeps on disk: configuration and tokens in rrgate.db, the request log in log.db, the master key.

Belongs here: SQLite, encryption at rest, the data directory. Does not: what the nouns mean (model/) or who may
change them (core/). Nothing above rrgate.model is imported.
"""

from rrgate.store.async_store import AsyncStore
from rrgate.store.audit import AuditEntry, AuditPage
from rrgate.store.errors import (
    BrokenSecret,
    Conflict,
    KeyFileError,
    MissingKey,
    NewerDatabase,
    NoState,
    SecretError,
    StateExists,
    StoreError,
    WrongKey,
)
from rrgate.store.inventory import Inventory, Member, Noun
from rrgate.store.key_source import GivenKeys, given_keys
from rrgate.store.log_rows import LogRow, RequestPage
from rrgate.store.plugin_steps import PluginSteps
from rrgate.store.request_log import RequestLog
from rrgate.store.secrets import Secrets, credential_row, previous_row
from rrgate.store.store import Store

__all__ = [
    "AsyncStore",
    "AuditEntry",
    "AuditPage",
    "BrokenSecret",
    "Conflict",
    "GivenKeys",
    "Inventory",
    "KeyFileError",
    "LogRow",
    "Member",
    "MissingKey",
    "NewerDatabase",
    "NoState",
    "Noun",
    "PluginSteps",
    "RequestLog",
    "RequestPage",
    "SecretError",
    "Secrets",
    "StateExists",
    "Store",
    "StoreError",
    "WrongKey",
    "credential_row",
    "given_keys",
    "previous_row",
]
