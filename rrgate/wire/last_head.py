"""The head that came last on a connection, and what it was judged to be: what is said again is not judged again.

Belongs here: that memory, for either side. Does not: judging (request_head.py, answer_head.py).

Who uses a connection again mostly says the same: callers the same fields, with the same or another URL, targets the
same head, until `Date` changes. A head of three lines costs 1 µs then in place of 4. One head a connection and no
dictionary for all, so that heads that never come again cost nothing but the look, and nobody's memory is another's.
"""

from __future__ import annotations

from typing import Final

from rrgate.wire.answer_head import AnswerHead, judge_answer_head
from rrgate.wire.request_head import RequestHead, judge_head, judge_request_line, origin_form

LONGEST_KEPT: Final = 2048
"""Bytes of a head that is remembered; longer ones seldom are for little, and there may be many connections."""
MOST_KEPT: Final = 32
"""Fields of one. A field takes more than its bytes."""


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


class LastAnswer:
    """Judges the heads of a target's connection."""

    __slots__ = ("_bytes", "_head", "_to_head_request")

    def __init__(self) -> None:
        self._bytes = b""
        self._to_head_request = False
        self._head: AnswerHead | None = None

    def judge(self, head: bytes, to_head_request: bool, max_fields: int) -> AnswerHead:
        """As `judge_answer_head`, whose answer for these bytes it is, perhaps the same object. Raises AnswerBroken."""
        last = self._head
        if last is not None and head == self._bytes and to_head_request == self._to_head_request:
            return last
        judged = judge_answer_head(head, to_head_request, max_fields)
        if len(head) <= LONGEST_KEPT and len(judged.fields) <= MOST_KEPT:
            self._bytes, self._to_head_request, self._head = head, to_head_request, judged
        return judged
