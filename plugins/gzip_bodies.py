"""Bodies in gzip, decoded within a bound.

Belongs here: that. Does not: which coding a body is in (json_bodies.py), what becomes of what cannot be decoded.
"""

from __future__ import annotations

import zlib
from typing import Final

CODINGS: Final = (b"gzip", b"x-gzip")
"""What it is called (RFC 9110 8.4.1.3)."""


def decoded(body: bytes, most: int) -> bytes:
    """What is in `body`; of what has more than `most` bytes, the first `most + 1`. Raises ValueError unless it is one
    whole gzip, and nothing else."""
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = unzip.decompress(body, most + 1)
    except zlib.error:
        raise ValueError("it is not the gzip that it says it is") from None
    if len(content) <= most and (not unzip.eof or unzip.unused_data):
        raise ValueError("it is not the gzip that it says it is")
    return content
