"""Heads that come again, and what they were judged to be: what is said again is not judged again.

Belongs here: that memory, for either side. Does not: judging (request_head.py, answer_head.py).

A head of three lines costs 1 µs then in place of 4. Callers who use a connection again mostly have the same fields
behind another URL, and each has others: so it is the last of each connection that is remembered. Targets mostly answer
with one of a few heads until their `Date` changes, on all connections, which may be thousands, each used seldom: so
there is one small memory for all. What never comes again costs little more than the look.
"""

from __future__ import annotations

from typing import Final

from rrgate.wire.answer_head import MAX_FIELDS, AnswerHead, judge_answer_head
from rrgate.wire.request_head import RequestHead, judge_head, judge_request_line, origin_form

LONGEST_KEPT: Final = 2048
"""Bytes of a head that is remembered; longer ones seldom are for little, and there may be many connections."""
MOST_KEPT: Final = 32
"""Fields of one. A field takes more than its bytes."""
MOST_ANSWERS: Final = 64
"""Answers' heads that are remembered; then all are forgotten. Where each has an id of its own, they go round in memory
that is at hand."""


class LastRequest:
    """Judges the heads of a caller's connection."""

    __slots__ = ("_fields", "_head", "_line")

    def __init__(self) -> None:
        self._line = b""
        self._fields = b""
        self._head: RequestHead | None = None

    def judge(self, head: bytes, max_target: int, max_fields: int) -> RequestHead:
        """As `judge_head`, whose answer for these bytes it is, perhaps the same object again. Raises HeadRefused."""
        end = head.find(b"\r\n")
        line = head[:end]
        fields = head[end:]
        last = self._head
        if last is not None and fields == self._fields:
            if line == self._line:
                return last
            method, target, http10 = judge_request_line(line, max_target)
            # What the fields mean depends on these two, and on nothing else of the line.
            if method == last.method and http10 == last.http10:
                target = origin_form(target, last.host)
                again = RequestHead(
                    method,
                    target,
                    last.host,
                    last.fields,
                    last.length,
                    http10,
                    last.keep_alive,
                    last.expects_continue,
                )
                self._line, self._head = line, again
                return again
        judged = judge_head(head, max_target, max_fields)
        if judged.handshake is None and len(head) <= LONGEST_KEPT and len(judged.fields) <= MOST_KEPT:
            self._line, self._fields, self._head = line, fields, judged
        return judged


class KnownAnswers:
    """Judges the heads of targets' answers, for all connections of a pool."""

    def __init__(self, max_fields: int = MAX_FIELDS) -> None:
        """`max_fields`: of one head."""
        self._max_fields = max_fields
        self._known: dict[bytes, AnswerHead] = {}

    def judge(self, head: bytes, to_head_request: bool) -> AnswerHead:
        """As `judge_answer_head`, whose answer for these bytes it is, perhaps the same object. Raises AnswerBroken."""
        if to_head_request:
            # The same bytes mean something else then, and few ask for it.
            return judge_answer_head(head, True, self._max_fields)
        known = self._known.get(head)
        if known is None:
            known = judge_answer_head(head, False, self._max_fields)
            if len(head) <= LONGEST_KEPT and len(known.fields) <= MOST_KEPT:
                if len(self._known) >= MOST_ANSWERS:
                    self._known.clear()
                self._known[head] = known
        return known
