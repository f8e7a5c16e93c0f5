"""Patterns on RE2, in linear time over Latin-1 bytes; and `Shortlist`, which says quickly which of many may match.

Belongs here: everything that knows RE2. Does not: what is matched with what.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from os.path import commonprefix
from time import thread_time
from typing import Any, Final, TypeVar

import re2

from rrgate.api import Pattern

Search = Callable[[bytes], Any]
"""Truthy where the pattern matches anywhere in a text."""

MOST_MEMORY: Final = 1 << 20
"""Bytes that RE2 may use for one pattern; beyond, it goes on with a slower way, and never with another result."""
LARGEST_PROGRAM: Final = 3000
"""RE2's instructions: with 1 KiB of literal text a pattern has a third of it."""
SIZE_OF_CLASS: Final = 300
"""What a class of characters by its Unicode name adds to that: to compile one takes as long as so many instructions."""
LARGEST_RULE: Final = 5000
"""Of all patterns of a rule together. RE2 compiles some 4,000 in a millisecond, and 800 rules may be compiled in one
go."""


class TooLarge(ValueError):
    """A pattern that takes RE2 long to find that it is too large: up to 10 ms."""


_HINTS: Final = (
    ("(?=", "there is no look-ahead"),
    ("(?!", "there is no look-ahead"),
    ("(?<=", "there is no look-behind"),
    ("(?<!", "there is no look-behind"),
    ("(?>", "there are no atomic groups"),
    ("(?x", "there is no flag x"),
    ("\\u", r"a character is written as itself or as \xHH"),
    ("\\Z", r"the end of the text is \z"),
    ("[^]", "any character is [^\\x00], or . with the flag s"),
)


def compiled(pattern: Pattern, flags: str | None, *, ignoring_case: bool = False) -> Any:
    """The compiled expression. `flags`: those of a pattern that has none of its own.

    Raises ValueError with what RE2 does not take, and where that stands; TooLarge of what it would have to write out.
    """
    text = spelled(pattern, flags, ignoring_case=ignoring_case)
    classes = _classes_in(text)
    if classes and _IGNORES_CASE.search(text):
        # RE2 looks for the other case of all their characters, each time: 340 of them in one pattern take 4 seconds.
        raise ValueError(r"has a class such as \pL where case is ignored; name the characters, as in [a-z\xE0-\xFE]")
    if classes * SIZE_OF_CLASS > LARGEST_PROGRAM:
        most = LARGEST_PROGRAM // SIZE_OF_CLASS
        raise ValueError(rf"has more than {most} classes such as \pL; name the characters, as in [a-z\xE0-\xFE]")
    try:
        found = re2.compile(text, _options())
    except re2.error as error:
        complaint = _complaint(error, pattern.pattern)
        raise (TooLarge if "too large" in complaint else ValueError)(complaint) from None
    if found.programsize > LARGEST_PROGRAM:
        raise TooLarge("is too large once its repetitions are written out; use smaller counts, or *")
    return found


def size(pattern: Pattern, flags: str | None, *, ignoring_case: bool = False) -> int:
    """How much of `LARGEST_RULE` it takes. Raises as `compiled`."""
    instructions: int = compiled(pattern, flags, ignoring_case=ignoring_case).programsize
    return instructions + SIZE_OF_CLASS * _classes_in(pattern.pattern.encode("latin-1"))


_IGNORES_CASE: Final = re.compile(rb"\(\?[a-zA-Z]*i")
"""The flag i, for all or for a part; also where it is text, which is rare."""
_ESCAPES: Final = re.compile(rb"\\(.)", re.DOTALL)


def _classes_in(text: bytes) -> int:
    """How many classes by their Unicode names are in an expression, such as `\\pL` and `\\P{Greek}`; never too few."""
    if b"\\p" not in text and b"\\P" not in text:
        return 0
    return sum(after in b"pP" for after in _ESCAPES.findall(text))


MOST_WORK: Final = 64 * 1024 * 1024
"""Instructions × bytes of one search: 0.7 s where RE2 goes its slow way, as it does where the quick one does not fit
into `MOST_MEMORY`; else a thousandth of that."""
_LITTLE_WORK: Final = 20_000
"""At most 0.2 ms, which is not measured."""


class TooMuchWork(Exception):
    """A text is too long to be searched for a pattern: it is in doubt whether it matches."""


class Spent:
    """Of this thread, the processor's time that searches have taken which could take long."""

    seconds = 0.0


def search_of(pattern: Pattern, flags: str | None, *, ignoring_case: bool = False) -> Search:
    """What searches a text. Raises what `compiled` raises; when it is called, TooMuchWork for more than `MOST_WORK`."""
    found = compiled(pattern, flags, ignoring_case=ignoring_case)
    search: Search = found.search
    program = max(found.programsize, 1)
    short, longest = _LITTLE_WORK // program, MOST_WORK // program

    def measured(text: bytes) -> Any:
        size = len(text)
        if size <= short:
            return search(text)
        if size > longest:
            raise TooMuchWork
        began = thread_time()
        try:
            return search(text)
        finally:
            Spent.seconds += thread_time() - began

    return measured


def compiled_for_lines(pattern: Pattern, flags: str | None) -> Search | None:
    """Truthy for lines of which one matches, and perhaps for others; None where that cannot be told of the pattern."""
    if _NOT_FOR_LINES.search(pattern.pattern):
        return None
    letters = flags if pattern.flags is None else pattern.flags
    return search_of(Pattern(pattern.pattern, (letters or "") + "m"), None)


_NOT_FOR_LINES: Final = re.compile(r"\\[Az]|\(\?(?!:)")
"""The beginning and the end of the text, which a line has elsewhere, and flags of parts."""


def spelled(pattern: Pattern, flags: str | None, *, ignoring_case: bool = False) -> bytes:
    """The expression as RE2 reads it, its flags in front."""
    letters = {*(flags or "")} if pattern.flags is None else {*pattern.flags}
    if ignoring_case:
        letters.add("i")
    in_front = "".join(sorted(letters & {"i", "m", "s"}))
    return (f"(?{in_front})" if in_front else "").encode() + pattern.pattern.encode("latin-1")


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    return options


def _complaint(error: Exception, pattern: str) -> str:
    said = error.args[0] if error.args else b""
    text = said.decode("latin-1") if isinstance(said, bytes) else str(said)
    what, _, at = text.partition(": ")
    place = pattern.find(at) if at else -1
    hint = next((hint for start, hint in _HINTS if at.startswith(start)), "")
    if not hint and (re.fullmatch(r"\\[1-9]", at) or "(?P=" in pattern):
        hint = "there are no back-references"
    if not hint and what == "bad repetition operator":
        hint = "there are no possessive or repeated quantifiers"
    where = f" at character {place + 1}" if place >= 0 else ""
    return f"is not taken by RE2: {what}{where}" + (f"; {hint}" if hint else "")


# What RE2 can tell a needed text of, and tell it rightly: it compares those in UTF-8, so that no other bytes may be
# meant. Escapes of classes and of punctuation mean none.
_ASCII: Final = re.compile(rb"(?:[^\\\x80-\xff]|\\[dDsSwWbBAznrtfv]|\\[^0-9A-Za-z\x80-\xff])*\Z")

_KNOWN: Final = b"\x01rrgate\x01"
"""Stands in front of every text, and a pattern asks for it: where that is not found, RE2 has failed, and all may match.
No path, name or query holds these bytes together by chance; if one does, nothing is lost."""


_BEGINNING: Final = re.compile(rb"\^([/0-9A-Za-z_~%=:,-]+)(?![*+?{])")
_MOST_BEGINNINGS: Final = 16


def beginning(pattern: bytes) -> bytes | None:
    """What a text begins with if `pattern`, as `spelled`, matches it; None if that is not seen at once."""
    # Without alternatives and flags all that is matched stands behind the first character, which is ^.
    found = None if b"|" in pattern or b"(?" in pattern else _BEGINNING.match(pattern)
    return None if found is None else found[1]


T = TypeVar("T")


@lru_cache(maxsize=1024)
def same(value: T) -> T:
    """One that is equal, the same for most proxies: read for one, it is at hand for the next."""
    return value


class Shortlist:
    """Which of many patterns may match a text, in one pass: those of whose needed texts one is in it (RE2's Filter).

    Where patterns all tell how a text must begin, most texts are not even shown to RE2: that costs 0.2 µs in place of
    2. Where they are few it never is; else a Filter, which has 5 KB in memory, is made when a text first begins so.
    """

    __slots__ = ("_always", "_beginnings", "_common", "_everything", "_few", "_parts", "_patterns")

    def __init__(self, patterns: Sequence[bytes]) -> None:
        """`patterns`: as `spelled`; they compile."""
        each = [found for pattern in patterns if (found := beginning(pattern)) is not None]
        known = set(each)
        all_known = len(each) == len(patterns)
        self._beginnings = tuple(sorted(known)) if all_known and len(known) <= _MOST_BEGINNINGS else None
        self._common = same(commonprefix(self._beginnings)) if self._beginnings else b""  # noqa: RUF071 - bytes, no paths of files
        self._few = each if self._beginnings is not None and len(each) <= _MOST_BEGINNINGS else None
        self._patterns: Sequence[bytes] | None = patterns
        self._everything = range(len(patterns))
        self._always: list[int] = []
        self._parts: list[tuple[Any, list[int]]] = []
        if self._beginnings is None:
            self._compile(patterns)

    def _compile(self, patterns: Sequence[bytes]) -> None:
        needing = [place for place, pattern in enumerate(patterns) if _ASCII.match(pattern)]
        self._always = sorted(set(self._everything).difference(needing))
        self._split(patterns, needing)
        self._patterns = None

    def _split(self, patterns: Sequence[bytes], places: list[int]) -> None:
        if not places:
            return
        made = re2.Filter()
        made.Add(_KNOWN, _options())
        for place in places:
            made.Add(patterns[place], _options())
        try:
            made.Compile()
            works = (made.Match(_KNOWN, True) or [])[:1] == [0]
        except re2.error:
            works = False
        if works:
            self._parts.append((made, places))
        elif len(places) == 1:
            self._always += places
        else:
            # Too much for the memory that a Filter has.
            half = len(places) // 2
            self._split(patterns, places[:half])
            self._split(patterns, places[half:])

    def may_match(self, texts: Sequence[bytes]) -> list[int]:
        """The places of all patterns that match one of `texts`, and perhaps of others, in no particular order."""
        if not texts:
            return []
        beginnings = self._beginnings
        if beginnings is not None:
            common = self._common
            for each in texts:
                if each.startswith(common) and each.startswith(beginnings):
                    break
            else:
                return []
            if self._few is not None:
                return [place for place, begun in enumerate(self._few) if any(each.startswith(begun) for each in texts)]
        if self._patterns is not None:
            self._compile(self._patterns)
        text = b"\n".join((_KNOWN, *texts))
        found = list(self._always)
        for part, places in self._parts:
            matched = part.Match(text, True)
            if not matched or matched[0] != 0:
                return list(self._everything)
            found += [places[place - 1] for place in matched[1:]]
        return found
