"""`JsonPath`: one place in a JSON document, as the part of RFC 9535 that always means at most one value.

Belongs here: names (`.a`, `['a b']`) and indexes (`[0]`) behind `$`. Does not: wildcards, slices, filters, descendants.
"""

from __future__ import annotations

import re
from typing import Any, Final

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(?:'([^'\"\\]+)'|\"([^'\"\\]+)\"|(0|[1-9][0-9]{0,5}))\]")
_MOST_STEPS: Final = 32
_LONGEST: Final = 512

MISSING: Final = object()
"""There is nothing at that place."""


class JsonPath:
    """A path, read once."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, which tells where it cannot be read."""
        if not text.startswith("$") or len(text) > _LONGEST:
            raise ValueError(f"must be a JSONPath such as $.data.token or $['a b'][0], at most {_LONGEST} characters")
        self._steps: list[str | int] = []
        place = 1
        while place < len(text):
            step = _STEP.match(text, place)
            if step is None:
                raise ValueError(f"cannot be read at character {place + 1}: there may be .name, ['name'] and [0]")
            name = step[1] or step[2] or step[3]
            self._steps.append(int(step[4]) if name is None else name)
            place = step.end()
        if not 0 < len(self._steps) <= _MOST_STEPS:
            raise ValueError(f"must have 1 to {_MOST_STEPS} steps behind the $")

    def of(self, document: Any) -> Any:
        """The value at that place, or MISSING."""
        for step in self._steps:
            if isinstance(step, str):
                if not isinstance(document, dict) or step not in document:
                    return MISSING
            elif not isinstance(document, list) or step >= len(document):
                return MISSING
            document = document[step]
        return document
