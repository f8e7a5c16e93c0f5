"""The path behind the proxy's own: the three forms that rules see, and what is refused (gateway-api.md 2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrgate.paths import PathRefused, judge_path

FORMS = [
    # raw, decoded, segments
    (b"", b"", b""),
    (b"/", b"/", b"/"),
    (b"/a", b"/a", b"/a"),
    (b"/a/", b"/a/", b"/a/"),
    (b"/v1/users/42", b"/v1/users/42", b"/v1/users/42"),
    (b"/a.b/c..d/.e/...", b"/a.b/c..d/.e/...", b"/a.b/c..d/.e/..."),
    (b"/%61dmin", b"/admin", b"/admin"),
    (b"/%41%2d%7E", b"/A-~", b"/A-~"),
    (b"/caf%C3%A9", b"/caf\xc3\xa9", b"/caf\xc3\xa9"),
    (b"/a%20b", b"/a b", b"/a b"),
    (b"/a%3Fb%23c", b"/a?b#c", b"/a?b#c"),
    (b"/group%2Fproject", b"/group%2Fproject", b"/group/project"),
    (b"/group%2fproject", b"/group%2fproject", b"/group/project"),
    (b"/@scope%2fname/-/x.tgz", b"/@scope%2fname/-/x.tgz", b"/@scope/name/-/x.tgz"),
    (b"/a%252Fb", b"/a%252Fb", b"/a%252Fb"),
    (b"/a%252e%252e/b", b"/a%252e%252e/b", b"/a%252e%252e/b"),
    (b"/a%0Ab", b"/a%0Ab", b"/a%0Ab"),
    (b"/a%09%7f", b"/a%09%7f", b"/a%09%7f"),
    (b"/a//b", b"/a//b", b"/a/b"),
    (b"/a///b//", b"/a///b//", b"/a/b/"),
    (b"/a%2F%2Fb", b"/a%2F%2Fb", b"/a/b"),
    (b"/a/%2Fb", b"/a/%2Fb", b"/a/b"),
    (b"/a;v=1/b", b"/a;v=1/b", b"/a/b"),
    (b"/a;/;x/b;y;z", b"/a;/;x/b;y;z", b"/a/b"),
    (b"/a%3Bv=1/b", b"/a;v=1/b", b"/a/b"),
    (b"/a;v%2F1/b", b"/a;v%2F1/b", b"/a/1/b"),
    (b"/a+b&c=d,e:f$g!h'i(j)k*l", b"/a+b&c=d,e:f$g!h'i(j)k*l", b"/a+b&c=d,e:f$g!h'i(j)k*l"),
    (b'/"<>[]^`{|}', b'/"<>[]^`{|}', b'/"<>[]^`{|}'),
]

REFUSED = {
    "dot segments": [
        b"/.",
        b"/..",
        b"/./a",
        b"/../a",
        b"/a/.",
        b"/a/..",
        b"/a/./b",
        b"/a/../b",
        b"/a/../",
        b"/a//../b",
        b"/%2e",
        b"/%2E%2E",
        b"/.%2e/a",
        b"/%2e./a",
        b"/a/%2e%2e/b",
        b"/a%2f..",
        b"/a%2F..%2fb",
        b"/a/..%2f",
        b"/..%2Fa",
        b"/%2e%2e%2fa",
        b"/a/..;/b",
        b"/a/..;x=y/b",
        b"/a/.;/b",
        b"/a/..%3b/b",
        b"/a/%2e%2e%3Bx/b",
        b"/a/..;%2f/b",
    ],
    "raw bytes": [b"/a b", b"/a\\b", b"/a#b", b"/a\tb", b"/a\nb", b"/a\0b", b"/a\x7fb", b"/a\x80b", b"/\xff", b"/ "],
    "escapes": [b"/%", b"/a%2", b"/a%g0", b"/a%0g", b"/a%%41", b"/a%u0041", b"/% 41", b"/%+1", b"/a%2%46"],
    "NUL": [b"/a%00", b"/%00", b"/a%00/b"],
    "backslash": [b"/a%5cb", b"/a%5Cb", b"/%5C", b"/..%5c.."],
    "slashes first": [b"//", b"//a", b"///a", b"//other.test/a"],
}


@pytest.mark.parametrize(("raw", "decoded", "segments"), FORMS)
def test_a_path_has_three_forms(raw: bytes, decoded: bytes, segments: bytes) -> None:
    forms = judge_path(raw)
    assert (forms.raw, forms.decoded, forms.segments) == (raw, decoded, segments)


@pytest.mark.parametrize("raw", [pytest.param(p, id=f"{kind}: {p!r}") for kind, row in REFUSED.items() for p in row])
def test_it_is_refused(raw: bytes) -> None:
    with pytest.raises(PathRefused) as refused:
        judge_path(raw)
    assert "RFC" in str(refused.value) or "path" in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        (b"/a%5cb", b"/a%5cb"),
        (b"/a%5C..b", b"/a%5C..b"),
        (b"//", b"/"),
        (b"//a", b"/a"),
        (b"///a//b", b"/a/b"),
        (b"//other.test/a", b"/other.test/a"),
    ],
)
def test_a_target_of_raw_paths_takes_backslashes_and_slashes_first(raw: bytes, segments: bytes) -> None:
    forms = judge_path(raw, raw_paths=True)
    assert (forms.raw, forms.segments) == (raw, segments)


@pytest.mark.parametrize(
    "raw",
    [b"/..%5ca", b"/a%5c..", b"/a%5C..%5Cb", b"/a%5c%2e%2e/b", b"/a%2f..%5cb", b"//..", b"/a\\b", b"/%00", b"/a/.."],
)
def test_a_target_of_raw_paths_is_not_walked_upwards(raw: bytes) -> None:
    with pytest.raises(PathRefused):
        judge_path(raw, raw_paths=True)


@pytest.mark.parametrize("raw", [b"/a%2Fb", b"/a%2fb", b"/%2F", b"/a/b%2f"])
def test_a_strict_target_takes_no_encoded_slash(raw: bytes) -> None:
    with pytest.raises(PathRefused):
        judge_path(raw, strict=True)
    assert judge_path(raw).raw == raw


def test_a_strict_target_takes_an_escaped_escape() -> None:
    assert judge_path(b"/a%252Fb", strict=True).decoded == b"/a%252Fb"


PIECES = st.sampled_from(
    [b"/", b"a", b".", b"..", b"%2e", b"%2E", b"%2f", b"%2F", b"%5c", b";", b"%3b", b"x=1", b"%25", b"//", b"-", b"%41"]
)


@given(st.lists(PIECES, max_size=12))
def test_what_passes_has_no_dot_segment_in_any_reading(pieces: list[bytes]) -> None:
    raw = b"/" + b"".join(pieces)
    try:
        forms = judge_path(raw)
    except PathRefused:
        return
    assert forms.raw == raw
    read = forms.raw
    for spelled, meant in ((b"%2e", b"."), (b"%2f", b"/"), (b"%3b", b";"), (b"%5c", b"/")):
        read = read.replace(spelled, meant).replace(spelled.upper(), meant)
    for segment in read.split(b"/"):
        assert segment.partition(b";")[0] not in (b".", b"..")
    assert b"//" not in forms.segments
    assert b"%2f" not in forms.segments.lower()


@given(st.text("abcXYZ019-_~.!$&'()*+,=:@/", max_size=30))
def test_a_plain_path_is_the_same_in_all_forms(text: str) -> None:
    raw = b"/" + text.encode()
    try:
        forms = judge_path(raw)
    except PathRefused:
        assert raw.startswith(b"//") or any(segment in (b".", b"..") for segment in raw.split(b"/"))
        return
    assert forms.decoded == raw
    assert forms.segments == raw or b"//" in raw
