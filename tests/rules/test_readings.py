"""What a deny rule names never reaches a target that decodes paths as Tomcat, nginx or Flask does, in any spelling.

Belongs here: the three reference decoders, and any path against them. Does not: single paths (test_tables.py).

Each decoder is as lenient as its server can be set to be, because a target's settings are not ours to know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from urllib.parse import unquote_to_bytes, urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rrgate.paths import PathRefused, judge_path
from tests.rules.judged import KEY, Judged, allow, deny


def without_dots(path: bytes) -> bytes:
    """RFC 3986 5.2.4, as all three resolve `.` and `..` once they have decoded."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        if segment == b"..":
            kept = kept[:-1]
        elif segment != b".":
            kept.append(segment)
        if last and segment in (b".", b".."):
            kept.append(b"")
    return b"/" + b"/".join(kept)


def as_nginx(raw: bytes) -> bytes:
    """`location` and `$uri`: ngx_http_parse_complex_uri decodes every escape once, `%2F` too; a `/` that comes of it
    separates; runs of `/` are one, as `merge_slashes` is on; `;` is a character like others."""
    return without_dots(re.sub(rb"/{2,}", b"/", unquote_to_bytes(raw)))


def as_tomcat(raw: bytes) -> bytes:
    """`getServletPath`: CoyoteAdapter takes `;parameters` out of each raw segment first, up to the next raw `/`, then
    decodes (with `encodedSolidusHandling="decode"` `%2F` too), then normalizes: `\\` is `/` where
    `encodedReverseSolidusHandling` lets it through, runs of `/` are one."""
    decoded = unquote_to_bytes(re.sub(rb";[^/]*", b"", raw))
    return without_dots(re.sub(rb"/{2,}", b"/", decoded.replace(b"\\", b"/")))


def as_tomcat_passing_slashes(raw: bytes) -> bytes:
    """The same with `encodedSolidusHandling="passthrough"`: `%2F` stays as it is."""
    cut = re.sub(rb";[^/]*", b"", raw)
    decoded = re.sub(rb"%(?!2[fF])[0-9A-Fa-f]{2}", lambda escape: unquote_to_bytes(escape[0]), cut)
    return without_dots(re.sub(rb"/{2,}", b"/", decoded))


def as_servlets_may(raw: bytes) -> bytes:
    """Parameters out of what is decoded already, where `\\` is `/`: behind a proxy that has decoded the path."""
    decoded = unquote_to_bytes(raw).replace(b"\\", b"/")
    return without_dots(re.sub(rb"/{2,}", b"/", re.sub(rb";[^/]*", b"", decoded)))


def as_wsgi(raw: bytes) -> bytes:
    """PATH_INFO: WSGI servers put the whole path there, decoded once (PEP 3333), so that `%2F` and `/` are the same.
    Nothing resolves `..` there."""
    return unquote_to_bytes(raw)


def as_wsgi_behind_urlsplit(raw: bytes) -> bytes:
    """The same by a server that takes the request target for a URL: what is behind `//` is a host's name to it."""
    return unquote_to_bytes(urlsplit(raw).path) or b"/"


def as_flask(raw: bytes) -> bytes:
    """What werkzeug's router looks for: PATH_INFO with one `/` in front (`MapAdapter.match`)."""
    return b"/" + unquote_to_bytes(raw).lstrip(b"/")


def as_flask_merging(raw: bytes) -> bytes:
    """The same with `merge_slashes` on, which leads on to the merged path."""
    return re.sub(rb"/{2,}", b"/", unquote_to_bytes(raw))


SERVLETS = (as_tomcat, as_tomcat_passing_slashes, as_servlets_may)
DECODERS = (as_nginx, *SERVLETS, as_wsgi, as_flask, as_flask_merging)
LENIENT = (*DECODERS, as_wsgi_behind_urlsplit)
"""For targets whose paths may begin with `//`."""

PIECES = st.sampled_from(
    b"/ // a b admin users %61 %41 %2f %2F %2F%2F %3b %3B ; ;x=1 ;%2F .. . %2e %2E%2e %25 %2561 %2525 %20 + , = : @ ~ -"
    b" %5c %5C.. ;%5C %09 %0A %7F %C3%A9 %c3 %C0%AF ( ) ' %28 * ! $ & .a a. ...".split()
)
SPELLINGS = st.lists(PIECES, max_size=8).map(lambda pieces: b"/" + b"".join(pieces))


def literally(path: bytes) -> str:
    """A pattern that matches this path and no other."""
    return "^" + "".join(rf"\x{{{byte:02x}}}" for byte in path) + "$"


def meant(raw: bytes, decoders: Iterable[Callable[[bytes], bytes]] = DECODERS) -> set[bytes]:
    """What targets take `raw` for."""
    return {decode(raw) for decode in decoders}


def forwarded(raw: bytes, *, raw_paths: bool = False) -> bool:
    """Whether a path passes where no rule speaks."""
    try:
        judge_path(raw, raw_paths=raw_paths)
    except PathRefused:
        return False
    return True


@cache
def judged(**target: bool) -> Judged:
    """One gateway for all examples."""
    return Judged(**target)


@settings(max_examples=400, deadline=None)
@given(raw=SPELLINGS)
@example(raw=b"/admin;x%2Fy/users")
@example(raw=b"/%61dmin%2F%2fusers;v=1//")
@example(raw=b"/admin%3Bx/users")
@example(raw=b"/admin/100%25")
@example(raw=b"/a;b%3Bc/d%2Fe")
def test_what_a_deny_rule_names_does_not_arrive(raw: bytes) -> None:
    if not forwarded(raw):
        return
    for path in meant(raw):
        assert not judged().ask([deny(literally(path))], f"GET {raw.decode()}").passed, path


@settings(max_examples=200, deadline=None)
@given(raw=SPELLINGS)
def test_what_must_be_absent_for_an_allow_rule_does_not_arrive(raw: bytes) -> None:
    """An allow rule for all but one path is a way to deny that path."""
    if not forwarded(raw):
        return
    for path in meant(raw):
        rule = allow({"path": literally(path), "presence": "absent"})
        assert not judged().ask([rule], f"GET {raw.decode()}", default="deny").passed, path


PATTERNS = st.sampled_from(["^/admin", "^/a(/|$)", "users$", "^/[a-z]*$", "%2F", "b", "^/admin/users$"])


@settings(max_examples=100, deadline=None)
@given(raw=SPELLINGS, pattern=PATTERNS)
def test_the_same_pattern_in_a_proxy_with_many_rules(raw: bytes, pattern: str) -> None:
    """What one rule says alone it says among hundreds, in an index with them."""
    if not forwarded(raw):
        return
    request = f"GET {raw.decode()}"
    others = [deny(f"^/never{number}/x$") for number in range(5)] + [deny(query=[{"name": "^never$"}])]
    assert judged().ask([deny(pattern)], request).passed == judged().ask([*others, deny(pattern)], request).passed


def test_paths_are_forwarded_as_they_came() -> None:
    """Rules look at readings; the target gets the bytes."""
    gateway = judged().gateway
    for raw in ("/a%2Fb", "/%61", "/a;x=1/b", "/a//b"):
        proxy = judged().proxy([deny("^/never/x$")])
        assert gateway.call("GET", proxy, raw, {"X-Api-Key": KEY}).answer.status == 200
        assert gateway.target.last.path == raw


@settings(max_examples=300, deadline=None)
@given(raw=SPELLINGS)
@example(raw=b"/admin%5Cusers")
@example(raw=b"//admin/users")
@example(raw=b"//host/admin")
@example(raw=b"//host")
@example(raw=b"/admin%5cusers;x")
@example(raw=b"/a;x%5Cadmin/y")
def test_a_target_that_takes_backslashes_and_leading_slashes(raw: bytes) -> None:
    if not forwarded(raw, raw_paths=True):
        return
    for path in meant(raw, LENIENT):
        assert not judged(targetRawPaths=True).ask([deny(literally(path))], f"GET {raw.decode()}").passed, path


@settings(max_examples=300, deadline=None)
@given(raw=SPELLINGS, raw_paths=st.booleans())
def test_no_reading_leads_upwards(raw: bytes, raw_paths: bool) -> None:
    """So that targets which resolve `.` and `..` have nothing to resolve, whatever they do before."""
    if forwarded(raw, raw_paths=raw_paths):
        for reading in judge_path(raw, raw_paths=raw_paths).readings:
            assert not {b".", b".."} & set(reading.split(b"/"))
