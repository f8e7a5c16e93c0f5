"""SQL on rows of the request log that tells whether a request is over: asynchronous ones have a row before they are.

Belongs here: these conditions. Does not: the rows (request_log.py), what else a row says (rrgate/record.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Ended = Literal["well", "badly", "not yet"]

ATTEMPT: Final = 9
PROCESSED: Final = 20
"""The places of what says, among the facts, how often a request was tried and whether it is over (rrgate/record.py)."""
_UNTRIED: Final = f"json_extract(excluded.facts, '$[{ATTEMPT}]', '$[{PROCESSED}]') IS '[0,false]'"
# What is told of a replay may come behind its end.
_NO_OLDER: Final = (
    f"coalesce(json_extract(excluded.facts, '$[{ATTEMPT}]') >= json_extract(requests.facts, '$[{ATTEMPT}]'), 1)"
)
TELLS_MORE: Final = f"excluded.status <> 202 OR (NOT {_UNTRIED} AND {_NO_OLDER})"
"""Whether a row that comes for a request that has one is to take its place."""

ENDED_AMONG: Final = f"""
    SELECT request_id FROM json_each(?) AS wanted CROSS JOIN requests ON request_id = json_extract(wanted.value, '$[0]')
    WHERE json_extract(facts, '$[{PROCESSED}]') IS NOT 0
        AND json_extract(facts, '$[{ATTEMPT}]') >= json_extract(wanted.value, '$[1]')
"""
"""Of a JSON array of `[request_id, attempts]`, the requests whose row is of their end, after that many attempts."""

KNOWN_AMONG: Final = "SELECT request_id FROM requests WHERE request_id IN (SELECT value FROM json_each(?))"
"""Of a JSON array of ids, the requests that have a row, whatever it tells."""

# Only such a one is answered 202 and not over: what else is answered that pays one comparison for it.
_UNDER_WAY: Final = (
    f"(looked.status = 202 AND (SELECT json_extract(facts, '$[{PROCESSED}]') FROM requests "
    "WHERE requests.id = looked.id) IS 0)"
)
HOW: Final[Mapping[Ended, str]] = {
    "well": f"status < 400 AND NOT {_UNDER_WAY}",
    "badly": "status >= 400",
    "not yet": _UNDER_WAY,
}
"""Of `looked`, rows that were looked at: how they ended."""
