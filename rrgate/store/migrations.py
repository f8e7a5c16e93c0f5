"""The tables of rrgate.db, as numbered steps; a step that was released is never changed, only followed by another.

Belongs here: what was promised and must survive (configuration, tokens, keys). Does not: the request log.
No step may commit or call `executescript`: each runs in one transaction, which that would end.
"""

from __future__ import annotations

import json

from sqlite_utils import Database, Migrations
from sqlite_utils.db import ForeignKey

from rrgate.model.hosts import address_of

migrations = Migrations("rrgate")


def _table(
    database: Database,
    name: str,
    columns: dict[str, type],
    pk: str | tuple[str, ...],
    *foreign_keys: ForeignKey,
    nullable: frozenset[str] = frozenset(),
) -> None:
    database.table(name).create(
        columns, pk=pk, foreign_keys=foreign_keys, not_null=columns.keys() - nullable, strict=True
    )


@migrations()
def step_0001_people_and_clients(database: Database) -> None:
    """Users, their tokens (hashes only), clients, and who is a member of which with what roles.

    `document` holds a noun's other fields as JSON: a new field with a default needs no migration.
    """
    common = {"created_at": int, "updated_at": int, "document": str}
    _table(database, "users", {"id": str, **common}, "id")
    _table(database, "clients", {"id": str, "user_id": str, **common}, "id")
    _table(
        database,
        "tokens",
        {"id": str, "user_id": str, "token_hash": bytes, "created_at": int, "document": str},
        "id",
        ForeignKey("tokens", "user_id", "users", "id", on_delete="CASCADE"),
    )
    database.table("tokens").create_index(["token_hash"], unique=True)
    database.table("tokens").create_index(["user_id"])
    _table(
        database,
        "members",
        {"user_id": str, "client_id": str, "document": str},
        ("user_id", "client_id"),
        ForeignKey("members", "user_id", "users", "id", on_delete="CASCADE"),
        ForeignKey("members", "client_id", "clients", "id", on_delete="CASCADE"),
    )
    database.table("members").create_index(["client_id"])


@migrations()
def step_0002_resources(database: Database) -> None:
    """Credentials, targets and proxies. What a proxy names may be gone: its requests are then refused, not its row."""
    common = {"id": str, "client_id": str, "user_id": str, "created_at": int, "updated_at": int, "document": str}
    further: dict[str, dict[str, type]] = {
        "credentials": {"sealed_secret": bytes},
        "targets": {},
        "proxies": {"alias": str},
    }
    for name, columns in further.items():
        _table(
            database,
            name,
            {**common, **columns},
            "id",
            ForeignKey(name, "client_id", "clients", "id"),
            nullable=frozenset({"alias"}),
        )
    database.table("credentials").create_index(["client_id"])
    database.table("targets").create_index(["client_id"])
    # Nulls are distinct to SQLite: any number of proxies of a client may have no alias.
    database.table("proxies").create_index(["client_id", "alias"], unique=True)


@migrations()
def step_0003_keys(database: Database) -> None:
    """Data keys, one a client, and the instance key, each wrapped by the master key that `master_key_id` names."""
    wrapped = {"wrapped": bytes, "master_key_id": str}
    _table(database, "data_keys", {"client_id": str, **wrapped}, "client_id")
    _table(database, "instance_keys", {"name": str, **wrapped}, "name")


@migrations()
def step_0004_previous_secrets(database: Database) -> None:
    """The sealed secret of a credential that was replaced and still works for a while."""
    database.table("credentials").add_column("previous_sealed_secret", bytes)


@migrations()
def step_0005_audit(database: Database) -> None:
    """Who changed what. No foreign keys: an entry outlives what it tells of, and who did it. `number` is the order."""
    texts = ("id", "client_id", "user_id", "token_id", "via", "action", "kind", "noun_id", "before", "after")
    columns: dict[str, type] = {"number": int, "at": int, **dict.fromkeys(texts, str)}
    _table(database, "audit", columns, "number", nullable=frozenset({"number", "before", "after"}))
    database.table("audit").create_index(["client_id", "number"])
    database.table("audit").create_index(["client_id", "noun_id", "number"])


@migrations()
def step_0006_allowed_hosts(database: Database) -> None:
    """Credentials that targets are shown are bound to the hosts that they are used with.

    One that is used nowhere is bound when it first is, and one that holds nothing (`{}`, sealed in 31 bytes) never.
    """
    hosts: dict[str, set[str]] = {}
    targets = {row["id"]: json.loads(row["document"]) for row in database.query("SELECT id, document FROM targets")}
    for row in database.query("SELECT document FROM proxies"):
        proxy = json.loads(row["document"])
        target = targets.get(proxy["target_id"])
        if target is not None:
            hosts.setdefault(proxy["target_credential_id"], set()).add(address_of(target["base_url"]).entry)
    query = "SELECT id, document FROM credentials WHERE length(sealed_secret) > 31"
    for row in list(database.query(query)):
        credential = json.loads(row["document"])
        if credential["side"] == "target" and row["id"] in hosts and credential.get("allowed_hosts") is None:
            credential["allowed_hosts"] = sorted(hosts[row["id"]])
            document = json.dumps(credential, separators=(",", ":"))
            database.execute("UPDATE credentials SET document = ? WHERE id = ?", (document, row["id"]))


@migrations()
def step_0007_rules(database: Database) -> None:
    """Rules of credentials, targets and proxies. `parent_id` is one of the three, so that no foreign key can say so:
    the Store removes them with their parent."""
    columns = {"id": str, "client_id": str, "user_id": str, "parent_id": str, "created_at": int, "updated_at": int}
    _table(
        database,
        "rules",
        {**columns, "document": str},
        "id",
        ForeignKey("rules", "client_id", "clients", "id"),
    )
    database.table("rules").create_index(["client_id"])
    database.table("rules").create_index(["parent_id"])


@migrations()
def step_0008_one_master_key(database: Database) -> None:
    """No data key is made under another master key than the instance key is under.

    `Store.save` sees to it; this stops a process of an older version, which would make one under the key that a
    rotation takes away.
    """
    database.execute(
        "CREATE TRIGGER data_keys_under_one_master_key BEFORE INSERT ON data_keys "
        "WHEN NEW.master_key_id IS NOT (SELECT master_key_id FROM instance_keys WHERE name = 'hash') "
        "BEGIN SELECT RAISE(ABORT, 'the master key was changed'); END"
    )


@migrations()
def step_0009_client_certificates(database: Database) -> None:
    """The sealed certificate and key that a target is shown over TLS."""
    database.table("targets").add_column("sealed_client_certificate", bytes)


@migrations()
def step_0010_credential_states(database: Database) -> None:
    """What an auth type keeps of a credential, sealed: a token, say. `id` is the credential's, with which it goes."""
    _table(
        database,
        "credential_states",
        {"id": str, "client_id": str, "secret_version": int, "revision": int, "sealed": bytes},
        "id",
        ForeignKey("credential_states", "id", "credentials", "id", on_delete="CASCADE"),
    )


@migrations()
def step_0011_invites(database: Database) -> None:
    """Invites to clients: `selector` finds one, `code_hash` is of the code that proves it."""
    columns = {"id": str, "client_id": str, "user_id": str, "selector": str, "code_hash": bytes}
    _table(
        database,
        "invites",
        {**columns, "created_at": int, "updated_at": int, "document": str},
        "id",
        ForeignKey("invites", "client_id", "clients", "id", on_delete="CASCADE"),
    )
    database.table("invites").create_index(["client_id"])
    database.table("invites").create_index(["selector"], unique=True)


@migrations()
def step_0012_meters(database: Database) -> None:
    """Meters of proxies, which are their parents, as rules are kept."""
    columns = {"id": str, "client_id": str, "user_id": str, "parent_id": str, "created_at": int, "updated_at": int}
    _table(database, "meters", {**columns, "document": str}, "id", ForeignKey("meters", "client_id", "clients", "id"))
    database.table("meters").create_index(["client_id"])
    database.table("meters").create_index(["parent_id"])


@migrations()
def step_0013_filters(database: Database) -> None:
    """Filters of credentials, targets and proxies, as rules are kept."""
    columns = {"id": str, "client_id": str, "user_id": str, "parent_id": str, "created_at": int, "updated_at": int}
    _table(database, "filters", {**columns, "document": str}, "id", ForeignKey("filters", "client_id", "clients", "id"))
    database.table("filters").create_index(["client_id"])
    database.table("filters").create_index(["parent_id"])


@migrations()
def step_0014_revisions(database: Database) -> None:
    """What changes something is numbered in the audit log, noun by noun; its entries are the noun's revisions."""
    database.table("audit").add_column("revision", int)
    database.execute(
        "UPDATE audit SET revision = numbered.place FROM (SELECT number, row_number() OVER "
        "(PARTITION BY client_id, kind, noun_id ORDER BY number) AS place FROM audit "
        "WHERE action IN ('create', 'change', 'delete')) AS numbered WHERE numbered.number = audit.number"
    )
    # Nulls are distinct to SQLite.
    database.table("audit").create_index(["client_id", "kind", "noun_id", "revision"], unique=True)


@migrations()
def step_0015_notifications(database: Database) -> None:
    """What operators (neither id), the members of a client, or a user are told; and which user has read what."""
    texts = ("id", "client_id", "user_id", "cause", "title", "message")
    _table(
        database,
        "notifications",
        {"number": int, **dict.fromkeys(texts, str), "created_at": int},
        "number",
        ForeignKey("notifications", "client_id", "clients", "id", on_delete="CASCADE"),
        ForeignKey("notifications", "user_id", "users", "id", on_delete="CASCADE"),
        nullable=frozenset({"number", "client_id", "user_id"}),
    )
    notifications = database.table("notifications")
    notifications.create_index(["id"], unique=True)
    notifications.create_index(["client_id", "user_id", "number"])
    notifications.create_index(["user_id"])
    notifications.create_index(["cause"])
    notifications.create_index(["created_at"])
    _table(
        database,
        "notification_reads",
        {"number": int, "user_id": str},
        ("number", "user_id"),
        ForeignKey("notification_reads", "number", "notifications", "number", on_delete="CASCADE"),
        ForeignKey("notification_reads", "user_id", "users", "id", on_delete="CASCADE"),
    )
    database.table("notification_reads").create_index(["user_id"])


@migrations()
def step_0016_audit_by_kind(database: Database) -> None:
    """Entries of one kind are found without looking at all others."""
    database.table("audit").create_index(["client_id", "kind", "number"])


@migrations()
def step_0017_callback_secrets(database: Database) -> None:
    """The sealed secrets that sign a proxy's callbacks: the present one, and the one before."""
    for name in ("sealed_callback_secret", "previous_sealed_callback_secret"):
        database.table("proxies").add_column(name, bytes)


@migrations()
def step_0018_plugins_of_proxies(database: Database) -> None:
    """The sealed configurations of the plugins that a proxy lists."""
    database.table("proxies").add_column("sealed_plugins", bytes)
