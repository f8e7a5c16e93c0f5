"""What the Core API answers: success and error documents, and `Refused`, by which any handler ends with an error.

Belongs here: the forms of core-api.md 1. Does not: writing them to a connection (site.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from attrs import field, frozen

from rrgate.answers import reason_phrase
from rrgate.api import ConfigError, Problem
from rrgate.json_text import json_text


@frozen
class Answer:
    """A status, a JSON document and further header fields. `content` takes the document's place, as it is."""

    status: int
    document: Mapping[str, Any] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = field(default=None, repr=False)

    def body(self) -> bytes:
        """The content, or the document's bytes."""
        if self.content is not None:
            return self.content
        return json_text(self.document).encode()


def shown(plural: str, *documents: Mapping[str, Any]) -> Answer:
    """Success: the objects in an array under their plural, even if it is one."""
    return Answer(200, {plural: list(documents), "message": "Success"})


def ready(content: bytes) -> Answer:
    """Success: a document that is JSON already."""
    return Answer(200, {}, (("Content-Type", "application/json"),), content)


def written(document: Mapping[str, Any], plural: str, number: int, objects: Iterator[Any]) -> Answer:
    """Success: `document`, and at its end so many objects. On any thread.

    Each is made when it is its turn to be written, into the one text that is answered: a thousand at once, or their
    texts before they are joined, take memory anew from the kernel, which takes longer than writing them.
    """
    # What gives the objects stands where each is to be, and orjson asks it for the next. Whatever else JSON has no form
    # for is asked, too, and gives none: that raises TypeError.
    return ready(orjson.dumps({**document, plural: [objects] * number}, default=next))


def joined(document: Mapping[str, Any], plural: str, texts: Iterable[bytes | memoryview]) -> Answer:
    """Success: `document`, and at its end objects whose JSON is there already, in pieces, with the commas between them.
    On any thread.

    Each piece is copied once: 3 MB take a millisecond each time.
    """
    whole = orjson.dumps({**document, plural: []})
    return ready(b"".join([whole[:-2], *texts, whole[-2:]]))


def listed(plural: str, documents: Iterable[Mapping[str, Any]], next_cursor: str | None) -> Answer:
    """Success: a page of a list."""
    document: dict[str, Any] = {plural: list(documents), "message": "Success"}
    if next_cursor is not None:
        document["nextCursor"] = next_cursor
    return Answer(200, document)


def deleted(what: str) -> Answer:
    """Success of a DELETE: `Proxy deleted successfully`."""
    return Answer(200, {"message": f"{what} deleted successfully"})


class Refused(Exception):
    """Ends a request with an error. `message` is a sentence that holds nothing secret."""

    def __init__(
        self,
        status: int,
        message: str,
        details: Sequence[Problem] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details
        self.headers = headers

    def answer(self) -> Answer:
        """The error's document: reason phrase, sentence, and what is wrong with which field."""
        document: dict[str, Any] = {"error": reason_phrase(self.status), "message": self.message}
        if self.details:
            document["details"] = [{"field": each.field, "problem": each.problem} for each in self.details]
        return Answer(self.status, document, self.headers)


def not_right(problems: Sequence[Problem] | ConfigError) -> Refused:
    """400 for these problems."""
    if isinstance(problems, ConfigError):
        problems = problems.problems
    if len(problems) == 1:
        message = f"{problems[0].field} {problems[0].problem}"
        message += "" if message.endswith("?") else "."
    else:
        message = f"{len(problems)} things are not right; see details."
    return Refused(400, message, problems)


def missing() -> Refused:
    """404, the same for what does not exist and for what belongs to somebody else."""
    return Refused(404, "There is nothing here, or it is not yours.")


def conflict(field: str, problem: str) -> Refused:
    """409 with the field at fault."""
    return Refused(409, f"{field}: {problem}.", (Problem(field, problem),))


def some_of(ids: Sequence[str]) -> str:
    """The first of them, for a sentence."""
    return ", ".join(ids[:3]) + (" and others" if len(ids) > 3 else "")


def disk_full() -> Refused:
    """503: what was to be written down has no room."""
    text = "The disk of the gateway is full; nothing was changed. Changes are taken again as soon as there is room."
    return Refused(503, text, headers=(("Retry-After", "5"),))


def internal_error() -> Refused:
    """500; what happened is in the gateway's log and nowhere else."""
    return Refused(500, "Something went wrong here. The gateway's log says what; nothing is known to be changed.")
