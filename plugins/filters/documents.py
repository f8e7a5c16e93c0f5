"""`filtered`: an answer's body in, what the filters leave of it out, or the reason why there is none; in any thread.

Belongs here: decoding, reading and writing within bounds. Does not: what is left (pruning.py), heads, waiting.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import orjson
from attrs import frozen

from rrgate.api import json_text, without_strings
from rrgate_plugins.filters.comparing import Run, TooMuchWork
from rrgate_plugins.filters.pruning import Stage
from rrgate_plugins.gzip_bodies import decoded


@frozen
class Bounds:
    """`size`: bytes of a body, decoded. `values`: in a document. `work`: values that all filters may look at."""

    size: int
    values: int
    work: int


AT_ONCE: Final = Bounds(64 * 1024, 10_000, 50_000)
"""What is filtered on the reactor's thread: some 20 ms."""
AT_MOST: Final = Bounds(8 * 1024 * 1024, 500_000, 2_000_000)
"""What is filtered at all."""


class NotFilterable(ValueError):
    """A body that cannot be filtered. The text says why, without any of its content."""

    holds_no_values = True


class TooMuch(NotFilterable):
    """One that is over the bounds."""


def filtered(body: bytes, coding: bytes, stages: Sequence[Stage], bounds: Bounds) -> bytes:
    """`body`, in a content coding (nothing, or gzip), as JSON in UTF-8 without what `stages` keep back.

    Raises NotFilterable; of what is over `bounds`, TooMuch.
    """
    try:
        run = Run(_read(_decoded(body, coding, bounds), bounds), bounds.work)
        for stage in stages:
            stage.leave(run)
        return _written(run.document)
    except NotFilterable:
        raise
    except TooMuchWork:
        raise TooMuch("its filters would have to look at too many values") from None
    except RecursionError:
        raise NotFilterable("it is nested too deeply") from None
    except ValueError:
        # From None: the reader's error holds the text.
        raise NotFilterable("it is no JSON in UTF-8 (RFC 8259)") from None


def _decoded(body: bytes, coding: bytes, bounds: Bounds) -> bytes:
    if coding:
        try:
            body = decoded(body, bounds.size)
        except ValueError as error:
            raise NotFilterable(str(error)) from None
    if len(body) > bounds.size:
        raise TooMuch(f"it is over {bounds.size} bytes")
    return body


_BOM: Final = b"\xef\xbb\xbf"


def _read(body: bytes, bounds: Bounds) -> Any:
    """Of a name that an object has twice the last value counts: what it was written for is not known, and what is
    answered has it once."""
    if body.count(b",") >= bounds.values and without_strings(body).count(b",") >= bounds.values:
        raise TooMuch(f"it has more than {bounds.values} values")
    text = body.removeprefix(_BOM).decode("utf-8")
    return json.loads(text, parse_float=_fraction, parse_int=_whole, parse_constant=_no_constant)


class _Fraction(float):
    """A number as it was written."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> _Fraction:
        number = super().__new__(cls, text)
        number.text = text
        return number


class _Whole(int):
    """One of more digits than 64 bits hold."""


def _fraction(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else _Fraction(text)


def _whole(text: str) -> float:
    return int(text) if len(text) < 19 and text != "-0" else _Fraction(text) if text == "-0" else _Whole(text)


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _written(document: Any) -> bytes:
    try:
        return orjson.dumps(document, default=_as_written, option=orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError:
        # Halves of surrogate pairs, which only escapes can write, and documents nested deeper than 254 levels.
        return _slowly(document).encode()


def _as_written(number: Any) -> orjson.Fragment:
    return orjson.Fragment(number.text if isinstance(number, _Fraction) else str(number))


def _slowly(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_slowly(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_slowly, value)) + "]"
    return value.text if isinstance(value, _Fraction) else json_text(value, ascii=True)
