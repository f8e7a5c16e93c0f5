"""A page in a browser, as far as the Fetch standard's CORS protocol goes: what it may send, and what it may read.

Belongs here: "CORS-preflight fetch", "CORS check" and the filtering of answers, written after https://fetch.spec.whatwg.org
and nothing of rrgate's. Does not: caches, cookies, redirects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from tests.callers import Answer

SAFE_METHODS = ("GET", "HEAD", "POST")
SAFE_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
SAFE_REQUEST_HEADERS = ("accept", "accept-language", "content-language", "range")
SAFE_ANSWER_HEADERS = (
    "cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma",
)  # fmt: skip
NEVER_WILD = ("authorization",)
"""CORS non-wildcard request-header names."""

Ask = Callable[[str, Sequence[tuple[str, str]], bytes | None], Answer]
"""Sends a method, headers and a body."""


class NetworkError(Exception):
    """All that a page is told; the text is for tests."""


@frozen
class Read:
    """What a page may read of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@frozen
class Page:
    """A page of `origin`. `credentials`: its requests are made with `credentials: "include"`."""

    origin: str
    credentials: bool = False

    def fetch(
        self, ask: Ask, method: str = "GET", headers: Sequence[tuple[str, str]] = (), body: bytes | None = None
    ) -> Read:
        """What `fetch(url, {mode: "cors"})` gives the page. Raises NetworkError."""
        unsafe = sorted(name.lower() for name, value in headers if not _safe(name.lower(), value))
        if method not in SAFE_METHODS or unsafe:
            self._preflight(ask, method, unsafe)
        answer = ask(method, [("Origin", self.origin), *headers], body)
        self._check(answer)
        exposed = _values(answer, "Access-Control-Expose-Headers")
        if "*" in exposed and not self.credentials:
            exposed = [name.lower() for name, _ in answer.headers]
        readable = {*SAFE_ANSWER_HEADERS, *(name.lower() for name in exposed)}
        return Read(
            answer.status,
            {name.lower(): value for name, value in answer.headers if name.lower() in readable},
            answer.body,
        )

    def _preflight(self, ask: Ask, method: str, unsafe: list[str]) -> None:
        fields = [("Accept", "*/*"), ("Access-Control-Request-Method", method), ("Origin", self.origin)]
        if unsafe:
            fields.append(("Access-Control-Request-Headers", ",".join(unsafe)))
        answer = ask("OPTIONS", fields, None)
        self._check(answer)
        if not 200 <= answer.status <= 299:
            raise NetworkError(f"the preflight was answered {answer.status}")
        methods = _values(answer, "Access-Control-Allow-Methods")
        allowed = [name.lower() for name in _values(answer, "Access-Control-Allow-Headers")]
        wild = not self.credentials
        if method not in methods and method not in SAFE_METHODS and not (wild and "*" in methods):
            raise NetworkError(f"the method {method} is not allowed")
        for name in unsafe:
            if name not in allowed and not (wild and "*" in allowed and name not in NEVER_WILD):
                raise NetworkError(f"the header {name} is not allowed")

    def _check(self, answer: Answer) -> None:
        """The CORS check."""
        origins = answer.every("Access-Control-Allow-Origin")
        if not self.credentials and origins == ["*"]:
            return
        if origins != [self.origin]:
            raise NetworkError(f"allowed is {origins}")
        if self.credentials and answer.every("Access-Control-Allow-Credentials") != ["true"]:
            raise NetworkError("credentials are not allowed")


def _safe(name: str, value: str) -> bool:
    if name == "content-type":
        return value.split(";")[0].strip().lower() in SAFE_TYPES
    return name in SAFE_REQUEST_HEADERS


def _values(answer: Answer, name: str) -> list[str]:
    return [each.strip() for value in answer.every(name) for each in value.split(",") if each.strip()]
