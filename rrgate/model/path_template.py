"""`logPathTemplate`: which parts of a path the request log does not show, as a pattern on RE2.

Belongs here: checking one, and masking by it. Does not: what else is left out of the log (redaction.py).
"""

from __future__ import annotations

import re
from typing import Any, Final

import re2

LONGEST: Final = 1024
"""Characters."""
MOST_MEMORY: Final = 1 << 20
"""Bytes that RE2 may use for one."""
MASK: Final = b"[REDACTED]"
_IGNORES_CASE: Final = re.compile(r"\(\?[a-zA-Z]*i")
_CLASS: Final = re.compile(r"\\[pP]")


def path_template(value: str) -> str:
    """A pattern that RE2 takes. Raises ValueError with a text that does not hold it."""
    compiled_template(value)
    return value


def compiled_template(pattern: str) -> Any:
    """What `masked` works with. Raises ValueError as `path_template`."""
    if not 1 <= len(pattern) <= LONGEST:
        raise ValueError(f"must have 1 to {LONGEST} characters")
    if _IGNORES_CASE.search(pattern) and _CLASS.search(pattern):
        # In 1,024 characters there is room for so many that RE2 takes seconds for them, for which everybody waits.
        raise ValueError(r"must not have a class such as \pL where case is ignored; name the characters, as in [a-z]")
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    try:
        compiled = re2.compile(pattern.encode("latin-1"), options)
        empty = compiled.search(b"") is not None
    except UnicodeEncodeError:
        raise ValueError("must be Latin-1: paths have other characters percent-encoded") from None
    except re2.error:
        raise ValueError("must be a pattern that RE2 takes; it has no look-around and no back-references") from None
    if empty:
        raise ValueError("must match nothing in an empty path: it would match between any two characters")
    return compiled


def masked(text: bytes, template: Any) -> bytes:
    """`text` without what the groups of `template` match in it, or without all it matches if it has no groups."""
    parts: list[bytes] = []
    end = 0
    for match in template.finditer(text):
        groups = [match.span(number) for number in range(1, template.groups + 1)]
        for start, stop in sorted(groups, key=lambda span: (span[0], -span[1])) or [match.span()]:
            # One that lies in another is masked with it; one that took no part begins at -1.
            if start >= end and stop > start:
                parts += (text[end:start], MASK)
                end = stop
    return b"".join(parts) + text[end:] if parts else text
