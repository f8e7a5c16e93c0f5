"""`Message`: what rules see of a request, each part made when a rule first asks for it.

Belongs here: the caller's message as it crosses, taken apart. Does not: patterns.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from rrgate.api import Exchange
from rrgate_plugins.json_bodies import says_json
from rrgate_plugins.rules.leaves import LARGEST_BODY, NONE, Leaves, leaves_of_body, leaves_of_claims
from rrgate_plugins.rules.patterns import Spent

Pairs = list[tuple[bytes, bytes]]
"""Names and values, in order, repeated ones too."""


MOST_PARAMETERS: Final = 1000
"""Parameters that rules look at; where there are more, all is in doubt. Many targets take no more either, and to look
at one costs each check of the query 2 µs."""


MOST_LOOKS: Final = 50_000
"""Leaves that all checks of a request together are compared with; what is asked beyond is in doubt. Each costs up to
3 µs."""


MOST_SECONDS: Final = 0.1
"""Of the processor's time that all searches of a request may take; what is asked beyond is in doubt. A pattern can be
made so that RE2 takes 0.2 s for a long path, and a proxy may have 800 rules: everybody else would wait."""


class Named(NamedTuple):
    """Fields or parameters. `pairs`: those that are there. `begun`: those that are only where `;` separates parameters
    too; `ended`: those that are shorter there."""

    pairs: Pairs
    begun: Pairs
    ended: Pairs

    @property
    def names(self) -> list[bytes]:
        """All that may be one."""
        return [name for pairs in self for name, _ in pairs]


TOO_MANY: Final = Named([], [], [])
"""There may be anything."""
NO_PARAMETERS: Final = Named([], [], [])


class Message:
    """One request. `readings`: the path in every form that a target may take it for; `raw` and `decoded` are two."""

    __slots__ = (
        "_body",
        "_claims",
        "_claims_are_read",
        "_exchange",
        "_headers",
        "_looks",
        "_query",
        "_spent_before",
        "decoded",
        "method",
        "raw",
        "readings",
    )

    def __init__(self, ex: Exchange) -> None:
        forms = ex.forms
        if forms is None:
            # The core judges every path before it asks anyone: without forms, nothing may be allowed.
            raise ValueError("the path has not been judged")
        self._exchange = ex
        self.method = ex.method
        # A path that is not there is asked for as `/`.
        self.raw = forms.raw or b"/"
        self.decoded = forms.decoded or b"/"
        self.readings = forms.readings if forms.raw else (b"/",)
        self._headers: Named | None = None
        self._query: Named | None = None
        self._looks = MOST_LOOKS
        self._spent_before = Spent.seconds
        self._body: Leaves | None = None
        self._claims: Leaves | None = None
        self._claims_are_read = False

    @property
    def headers(self) -> Named:
        """The caller's fields that reach the target, in lower case."""
        if self._headers is None:
            fields = self._exchange.crossing_fields()
            self._headers = Named([(name.lower(), value) for _, name, value in fields], [], [])
        return self._headers

    @property
    def header_names(self) -> list[bytes]:
        """The names of those fields, as they came."""
        return [name for _, name, _ in self._exchange.crossing_fields()]

    @property
    def query(self) -> Named:
        """The caller's parameters that reach the target, percent-decoded once, `+` as space."""
        if self._query is None:
            query = self._exchange.crossing_query()
            if not query:
                self._query = NO_PARAMETERS
                return NO_PARAMETERS
            if query.count(b"&") + query.count(b";") >= MOST_PARAMETERS:
                self._query = TOO_MANY
                return TOO_MANY
            parts = [part for part in query.split(b"&") if part]
            self._query = Named([_pair(part) for part in parts], begun := [], ended := [])
            for part in parts:
                if b";" in part:
                    first, *further = part.split(b";")
                    ended.append(_pair(first))
                    begun += [_pair(each) for each in further]
        return self._query

    @property
    def claims(self) -> Leaves | None:
        """What the caller's token says; None if that is in doubt."""
        if not self._claims_are_read:
            identity = self._exchange.identity
            self._claims = NONE if identity is None else leaves_of_claims(identity.claims)
            self._claims_are_read = True
        return self._claims

    @property
    def body(self) -> Leaves | None:
        """What is in the caller's body, once `read_body` has it; None if that is in doubt."""
        return self._body

    async def read_body(self) -> None:
        """Wait for the body if it can be one that rules can look into. Raises what keeps it from coming."""
        ex = self._exchange
        self._body = None
        if ex.content_length == 0:
            self._body = NONE
        elif says_json(self._crossing(b"content-type"), self._crossing(b"content-encoding"), or_nothing=True):
            held = await ex.body_within(LARGEST_BODY)
            self._body = None if held is None else leaves_of_body(held)
        self._spent_before = Spent.seconds  # others had theirs meanwhile

    def _crossing(self, name: bytes) -> list[bytes]:
        # In either spelling of a name, for many targets cannot tell those apart.
        return [value for known, _, value in self._exchange.crossing_fields() if known == name]

    def is_late(self) -> bool:
        """Whether the time for all searches is used up."""
        return Spent.seconds - self._spent_before > MOST_SECONDS

    def may_look_at(self, leaves: int) -> bool:
        """Whether so many leaves may still be compared."""
        self._looks -= leaves
        return self._looks >= 0


def _pair(part: bytes) -> tuple[bytes, bytes]:
    name, _, value = part.partition(b"=")
    return _decoded(name), _decoded(value)


def _decoded(raw: bytes) -> bytes:
    if b"%" in raw or b"+" in raw:
        return unquote_to_bytes(raw.replace(b"+", b" "))
    return raw
