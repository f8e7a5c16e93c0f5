"""Reason phrases, which are also the `error` of our answers: the same on every Python.

Belongs here: the phrases of those that Python has renamed. Does not: which status is answered when.
"""

from __future__ import annotations

import pytest

from rrgate.answers import reason_phrase
from rrgate.core.answers import Refused


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (413, "Payload Too Large"),  # as published; RFC 9110 15.5.14 has "Content Too Large"
        (414, "URI Too Long"),  # RFC 9110 15.5.15
        (416, "Range Not Satisfiable"),  # RFC 9110 15.5.17
        (422, "Unprocessable Content"),  # RFC 9110 15.5.21
        (421, "Misdirected Request"),  # RFC 9110 15.5.20
        (599, "Error"),
    ],
)
def test_they_are_those_of_the_rfc(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase
    assert Refused(status, "no").answer().document == {"error": phrase, "message": "no"}
