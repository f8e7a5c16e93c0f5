"""`CallerAnswer`: the answer to the request that is under way on a caller's connection, or the WebSocket in its place.

Belongs here: what the pipeline answers by (`Door`, `Switches`). Does not: requests (server.py), an answer's bytes
(response.py), what is answered (pipeline.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from rrgate.websocket.stream import Stream
from rrgate.wire.caller_body import CallerBody
from rrgate.wire.caller_connections import CallerConnections
from rrgate.wire.request_head import RequestHead
from rrgate.wire.response import AnswerWriter


class CallerAnswer(CallerBody):
    """`_head` is that of the request, and `_answer` there as long as it is under way."""

    def __init__(self, listener: CallerConnections) -> None:
        super().__init__(listener)
        self._head: RequestHead | None = None
        self._answer: AnswerWriter | None = None
        self._stream: Stream | None = None
        self._stream_of = ""

    @property
    def _answers(self) -> bool:
        return self._answer is not None and self._answer.begun

    def begin(
        self,
        status: int,
        reason: bytes,
        fields: list[tuple[bytes, bytes]],
        length: int | None,
        first: bytes,
        last: bool,
        close: bool,
    ) -> None:
        answer, head = self._answer, self._head
        assert answer is not None
        assert head is not None
        keep = head.keep_alive and not close and self._framer is None and not self.listener.draining
        self._expecting = False
        if not self._gone:
            self.transport.write(answer.head(status, reason, fields, length, first, last, keep))

    async def write(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or self._gone:
            return
        framed = answer.chunk(data)
        if framed:
            self.transport.write(framed)
        if self._gate.blocked:
            await self._gate.opened()

    def end(self) -> None:
        answer = self._answer
        if answer is not None and not self._gone:
            closing = answer.last_chunk()
            if closing:
                self.transport.write(closing)

    def abort(self) -> None:
        if self._answer is not None:
            self._answer.ended = True
        self._abort()

    # A WebSocket (`Switches`).

    def full(self, proxy_id: str) -> str:
        listener = self.listener
        if listener.draining and not listener.lingering:
            return "The gateway is draining; it opens no new WebSockets"
        return listener.websockets.full(proxy_id)

    @property
    def ping_interval(self) -> float:
        return self.listener.settings.websocket_ping_interval

    def switch(self, fields: Sequence[tuple[bytes, bytes]], proxy_id: str) -> Stream:
        answer = self._answer
        assert answer is not None
        self.transport.write(answer.switching(fields))
        stream = self._framer = self._stream = Stream(
            self.transport,
            self._gate,
            pause=self._pause_reading,
            resume=self._resume_reading,
            end=self._end_stream,
            abort=self._abort,
        )
        self._stream_of = proxy_id
        self.listener.switched(proxy_id)
        data, self._buffer = self._buffer, b""
        stream.feed(data)
        if not stream.held:
            self._resume_reading()
        return stream

    def _end_stream(self, clean: bool) -> None:
        """The server closes first (RFC 6455 7.1.1), and where more may come reads on, so that what it said arrives."""
        self._close(linger=not clean)
