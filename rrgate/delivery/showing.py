"""A request that was taken as it is shown: to its caller, and by the Core API.

Belongs here: the published form. Does not: who may see it (accept.py, core/), reading it (queue.py).
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from rrgate.delivery.kept import Shown
from rrgate.delivery.table import Row
from rrgate.model.times import format_milliseconds


def status_document(shown: Shown) -> dict[str, Any]:
    """A request's state, attempts and final answer, as its caller is told."""
    return {
        "requestId": shown.row.request_id,
        "status": shown.row.progress.state.value,
        **_progress(shown),
        "answer": _answer(shown),
    }


def delivery_document(shown: Shown) -> dict[str, Any]:
    """The same as the Core API has it: the answer is for its caller alone."""
    return {
        "state": shown.row.progress.state.value,
        **_progress(shown),
        "callback": None if shown.callback is None else _callback(shown.callback),
    }


def _callback(row: Row) -> dict[str, Any]:
    return {
        "state": row.progress.state.value,
        "message": row.problem,
        "attempts": row.progress.attempts,
        "endedAt": _moment(row.ended_at),
        "nextAttemptAt": _moment(row.progress.due_at),
    }


def _progress(shown: Shown) -> dict[str, Any]:
    row = shown.row
    return {
        "message": row.problem,
        "removedEarly": shown.removed_early,
        "acceptedAt": format_milliseconds(row.accepted_at),
        "endedAt": _moment(row.ended_at),
        "nextAttemptAt": _moment(row.progress.due_at),
        "attempts": [
            {
                "number": attempt.number,
                "startedAt": format_milliseconds(attempt.started_at),
                "endedAt": _moment(attempt.ended_at),
                "status": attempt.status,
                "error": attempt.problem,
                "wait": None if attempt.wait is None else attempt.wait / 1000,
            }
            for attempt in shown.attempts
        ],
    }


def _answer(shown: Shown) -> dict[str, Any] | None:
    answer = shown.answer
    if answer is None:
        return None
    document: dict[str, Any] = {"status": answer.status, "headers": [list(pair) for pair in answer.fields]}
    try:
        document["body"] = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        document["bodyBase64"] = b64encode(answer.body).decode()
    return document


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else format_milliseconds(milliseconds)
