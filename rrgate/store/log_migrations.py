"""The tables of log.db, as numbered steps; a step that was released is never changed, only followed by another.

Belongs here: what was observed and may be shed (the request log). Does not: configuration (migrations.py).
No step may commit or call `executescript`: each runs in one transaction, which that would end.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("rrgate-log")


@migrations()
def step_0001_requests(database: Database) -> None:
    """One row a request. `facts`: JSON, what is kept beside the other columns (rrgate/record.py).

    `id` follows the order of writing: purges take the lowest. Requests without a proxy have proxy_id ''.
    """
    columns = {
        "id": int,
        "proxy_id": str,
        "request_id": str,
        "client_id": str,
        "processed_at": int,
        "method": str,
        "status": int,
        "facts": str,
    }
    requests = database.table("requests")
    requests.create(columns, pk="id", not_null=columns.keys() - {"id"}, strict=True)
    requests.create_index(["proxy_id", "processed_at", "id"])
    # Not under proxy_id: request ids are in order of time, so that this index grows at one place only, its end.
    requests.create_index(["request_id"], unique=True)
