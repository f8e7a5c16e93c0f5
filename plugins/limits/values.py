"""`Reading`: the number in an answer that a meter counts.

Belongs here: finding and reading it. Does not: counting it.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from attrs import frozen

from rrgate.api import Body, BodyBroken, Meter, Reply, TargetResponse
from rrgate_plugins.gzip_bodies import CODINGS, decoded
from rrgate_plugins.json_bodies import codings, says_json
from rrgate_plugins.json_path import JsonPath

LARGEST_BODY: Final = 1024 * 1024
"""Bytes of a body that is read."""
_LONGEST_NUMBER: Final = 40
"""Characters of one in a header."""


@frozen
class Document:
    """A JSON value, which may be null."""

    value: Any


class Reading:
    """Where a meter's value stands."""

    def __init__(self, meter: Meter) -> None:
        """Of a meter that has an extraction. Raises ValueError for a path that is none."""
        extraction = meter.extraction
        assert extraction is not None
        self.of_body = extraction.location == "body"
        self._name = (extraction.name or "").encode()
        self._path = JsonPath(extraction.path or "") if self.of_body else None

    def in_head(self, response: TargetResponse) -> float | None:
        """The value in the answer's header; None if there is none, or no number that can be counted."""
        found = response.header(self._name)
        if found is None or len(found) > _LONGEST_NUMBER:
            return None
        try:
            return _countable(float(found))
        except ValueError:
            return None

    def in_body(self, document: Any) -> float | None:
        """The same for a JSON body."""
        assert self._path is not None
        found = self._path.of(document)
        if isinstance(found, bool) or not isinstance(found, int | float):
            return None
        try:
            return _countable(float(found))
        except OverflowError:
            return None

    @staticmethod
    async def document(response: TargetResponse) -> Document | Reply | None:
        """The JSON body of an answer, which can be read afterwards as if nobody had; None if it has none, or one that
        is encoded otherwise than in gzip or has, as it is or decoded, more than `LARGEST_BODY` bytes. A Reply if it
        breaks off."""
        types = [value for name, _, value in response.fields if name == b"content-type"]
        encodings = codings(value for name, _, value in response.fields if name == b"content-encoding")
        zipped = len(encodings) == 1 and encodings[0] in CODINGS
        if not says_json(types, () if zipped else encodings) or (response.length or 0) > LARGEST_BODY:
            return None
        try:
            content = await response.body.whole_within(LARGEST_BODY)
        except BodyBroken as error:
            return Reply(502, f"Bad gateway: {error}", "target-unreachable")
        if content is None:
            return None
        response.body = Body.of(content)
        response.length = len(content)
        try:
            if zipped:  # nobody has asked for that
                content = decoded(content, LARGEST_BODY)
            return Document(json.loads(content)) if len(content) <= LARGEST_BODY else None
        except (ValueError, RecursionError):
            return None


def _countable(value: float) -> float | None:
    return value if math.isfinite(value) and value >= 0 else None
