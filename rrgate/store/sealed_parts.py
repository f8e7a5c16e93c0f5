"""Several sealed things in one column, by name: so that one of them can be replaced without opening the others.

Belongs here: the form of such a column. Does not: sealing (secrets.py), which columns are like that (encrypted.py).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping

import orjson

from rrgate.store.errors import BrokenSecret


def pack(parts: Mapping[str, bytes]) -> bytes | None:
    """`parts`, each sealed, as one value; None for none. The same parts in another order are the same value."""
    if not parts:
        return None
    return orjson.dumps({name: b64encode(parts[name]).decode() for name in sorted(parts)})


def unpack(packed: bytes | None) -> dict[str, bytes]:
    """What `pack` was given. Raises BrokenSecret for what it did not make."""
    if packed is None:
        return {}
    try:
        return {name: b64decode(each, validate=True) for name, each in orjson.loads(packed).items()}
    except (ValueError, TypeError, AttributeError):
        pass
    raise BrokenSecret("sealed configurations are not in a form that this version writes; restore a backup")
