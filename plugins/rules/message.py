"""`Message`: what rules see of a request, each part made when a rule first asks for it.

Belongs here: the caller's message as it crosses, taken apart. Does not: patterns.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from rrgate.api import Exchange

Pairs = list[tuple[bytes, bytes]]
"""Names and values, in order, repeated ones too."""


class Message:
    """One request. `readings`: the path in every form that a target may take it for; `raw` and `decoded` are two."""

    __slots__ = ("_exchange", "_headers", "_query", "decoded", "raw", "readings")

    def __init__(self, ex: Exchange) -> None:
        forms = ex.forms
        if forms is None:
            # The core judges every path before it asks anyone: without forms, nothing may be allowed.
            raise ValueError("the path has not been judged")
        self._exchange = ex
        # A path that is not there is asked for as `/`.
        self.raw = forms.raw or b"/"
        self.decoded = forms.decoded or b"/"
        self.readings = forms.readings if forms.raw else (b"/",)
        self._headers: Pairs | None = None
        self._query: Pairs | None = None

    @property
    def headers(self) -> Pairs:
        """The caller's fields that reach the target, in lower case."""
        if self._headers is None:
            self._headers = [(name.lower(), value) for _, name, value in self._exchange.crossing_fields()]
        return self._headers

    @property
    def query(self) -> Pairs:
        """The caller's parameters that reach the target, percent-decoded once, `+` as space."""
        if self._query is None:
            parts = (part.partition(b"=") for part in self._exchange.crossing_query().split(b"&") if part)
            self._query = [(_decoded(name), _decoded(value)) for name, _, value in parts]
        return self._query


def _decoded(raw: bytes) -> bytes:
    if b"%" in raw or b"+" in raw:
        return unquote_to_bytes(raw.replace(b"+", b" "))
    return raw
