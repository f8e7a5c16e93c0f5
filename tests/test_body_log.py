"""Bodies on their way into the log and out of it: bounded, sealed, and shown as what they are.

Belongs here: body_log.py and kept_bodies.py by themselves. Does not: real requests (gateway/test_kept_bodies.py).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rrgate.body import KEPT_BYTES, NO_BODY, Body
from rrgate.body_log import BodyLog, bodies_shown
from rrgate.json_text import json_text
from rrgate.kept_bodies import keep_bodies
from rrgate.messages import Identity
from rrgate.store import LogRow
from tests.test_record import exchange

ROW = LogRow("p", "r1", "c", 0, "POST", 200, "{}")


class Nowhere:
    """A Door that is told, and tells nobody."""

    def begin(self, *told: Any) -> None:
        pass

    async def write(self, data: bytes) -> None:
        pass


def clear(client_id: str, request_id: str, plain: bytes) -> bytes:
    return plain


def kept(request: bytes = b"", answer: bytes = b"", **changes: Any) -> Any:
    ex = exchange(identity=Identity("s", "k"), door=Nowhere(), request_body=Body.of(request), **changes)
    ex.kept, ex.door = keep_bodies(ex.request_body, ex.door, ex.method == b"HEAD")
    ex.door.begin(200, b"OK", [], None, answer[:10], False, False)
    ex.door.write(answer[10:]).close()  # type: ignore[attr-defined]
    return ex


def shown(ex: Any) -> Any:
    log = BodyLog(clear)
    log.admit(ex)
    log.add(ROW, ex.kept)
    (row,) = log.take()
    return bodies_shown(row.sealed)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", None),
        (b'{"a": [1, 1.10, null, "\xc3\xa9"]}', {"a": [1, 1.10, None, "é"]}),
        (b"0", 0),
        (b"NaN", "NaN"),
        (b'{"a": Infinity}', '{"a": Infinity}'),
        (b'"\\ud800"', '"\\ud800"'),
        (b'{"a": 1', '{"a": 1'),
        (b"[" * 60 + b"]" * 60, None),
        (b"[" * 70 + b"]" * 70, "[" * 70 + "]" * 70),
        (b"[" * 30_000, "[" * 30_000),
        ("ein Text mit ß".encode(), "ein Text mit ß"),
        (b"\x89PNG\r\n", {"base64": "iVBORw0K"}),
        (b"caf\xc3", {"base64": "Y2Fmww=="}),
    ],
)
def test_a_body_is_json_or_text_or_base64(body: bytes, told: Any) -> None:
    found = shown(kept(body, body))
    assert found["requestBodyCut"] is found["responseBodyCut"] is False
    assert found["requestBody"] == found["responseBody"]
    if told is not None:
        assert found["requestBody"] == told
    json_text(found).encode()  # it can be answered


def test_what_is_cut_is_text_without_half_a_character() -> None:
    found = shown(kept(b"a" + "é".encode() * KEPT_BYTES, b'"' + "€".encode() * KEPT_BYTES))
    assert found["requestBody"] == "a" + "é" * (KEPT_BYTES // 2 - 1)
    assert found["responseBody"] == '"' + "€" * (KEPT_BYTES // 3)
    assert found["requestBodyCut"] is found["responseBodyCut"] is True
    assert "base64" in shown(kept(b"\xff" * (KEPT_BYTES + 1)))["requestBody"]


def test_a_body_is_kept_whoever_reads_it_and_when() -> None:
    body = Body(None)
    body.feed(b"early ")
    body.keep()
    body.feed(b"late")
    assert body.take() == b"early late"
    body.feed(b"x" * KEPT_BYTES)
    assert bytes(body.kept or b"") == b"early late" + b"x" * (KEPT_BYTES - 10)
    NO_BODY.keep()
    assert NO_BODY.kept is None


def test_too_many_waiting_bodies_are_shed() -> None:
    log = BodyLog(clear, most=25)
    exchanges = [kept(b"1234567890") for _ in range(3)]
    for ex in exchanges:
        log.admit(ex)
    assert [ex.kept is not None for ex in exchanges] == [True, True, False]
    assert log.shed == 1
    log.left(exchanges[0].kept)
    later = kept(b"1234567890")
    log.admit(later)
    assert later.kept is not None


def test_bodies_of_nobody_are_not_logged() -> None:
    ex = kept(b"{}")
    ex.identity = None
    BodyLog(clear).admit(ex)
    assert ex.kept is None


def test_what_cannot_be_sealed_is_left_out() -> None:
    log = BodyLog(lambda *told: 1 / 0)  # type: ignore[arg-type, return-value]
    ex = kept(b"{}")
    log.admit(ex)
    log.add(ROW, ex.kept)
    assert log.take() == []


def test_without_a_sealer_nothing_is_logged() -> None:
    from rrgate.body_log import seals_nothing

    log = BodyLog(seals_nothing)
    log.add(ROW, SimpleNamespace(request=b"", requested=0, answer=bytearray(), answered=0, size=0))  # type: ignore[arg-type]
    assert log.take() == []
