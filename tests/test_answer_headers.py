"""The fields that an answer goes out with: none of a target's under our names, none that splits it.

Belongs here: answer_headers.py by itself. Does not: what is cut from URLs (test_injected_urls.py), whole answers
(gateway/).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rrgate.answer_headers import AnswerHeaders
from rrgate.body import Body
from rrgate.messages import Reply, TargetResponse
from tests.test_record import exchange, fields

HEADERS = AnswerHeaders("requestrocket-", lambda: 0.0)


def answered(*of_target: tuple[bytes, bytes], injected: dict[bytes, Any] | None = None) -> dict[bytes, bytes]:
    ex = exchange()
    ex.target_request = SimpleNamespace(injected_query=injected or {})  # type: ignore[assignment]
    response = TargetResponse(200, b"OK", fields(*of_target), 0, Body.of(b""), 10)
    return dict(HEADERS.of_response(ex, response, frozenset({b"alt-svc"}), b"requestrocket-"))


def test_a_target_does_not_speak_in_our_name() -> None:
    shown = answered(
        (b"X-Own", b"1"),
        (b"Alt-Svc", b"h3"),
        (b"RequestRocket-Proxy-Code", b"its"),
        (b"requestrocket_request_id", b"its"),
        (b"RequestRocket-Anything", b"its"),
    )
    assert sorted(shown) == [
        b"Date",
        b"X-Own",
        b"requestrocket-proxy-code",
        b"requestrocket-proxy-message",
        b"requestrocket-request-id",
    ]
    assert b"its" not in shown.values()


def test_what_was_put_into_the_query_is_not_in_its_urls() -> None:
    injected = {b"key": (b"SECRET", "api-key")}
    assert answered((b"Location", b"/a?key=SECRET&b=1"), injected=injected)[b"Location"] == b"/a?b=1"
    # Percent signs in either case.
    assert answered((b"Location", b"/in?to=/a%3fkey=SECRET"), injected=injected)[b"Location"] == b"/in?to=%2Fa"


@pytest.mark.parametrize("sign", ["\r", "\n", "\0"])
def test_no_text_splits_an_answer(sign: str) -> None:
    found, _ = HEADERS.of_reply("r1", Reply(403, f"no{sign}Set-Cookie: a=b", "denied"), (f"so{sign}X: y",))
    shown = dict(found)
    assert shown[b"requestrocket-proxy-message"] == b"no Set-Cookie: a=b"
    assert shown[b"requestrocket-proxy-warning"] == b"so X: y"
