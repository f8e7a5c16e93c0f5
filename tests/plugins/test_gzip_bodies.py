"""Bodies in gzip are decoded whole, or not at all, and never beyond the bound."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from rrgate_plugins.gzip_bodies import decoded

ONE = gzip.compress(b"{}")


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_what_fits_is_whole(size: int) -> None:
    assert decoded(gzip.compress(b"x" * size), 100) == b"x" * size


def test_of_what_is_longer_no_more_is_made_than_tells_so() -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    tracemalloc.start()
    try:
        assert decoded(bomb, 100) == b"x" * 101
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", ONE[:-1], ONE + b"x", ONE * 2, zlib.compress(b"{}")],
    ids=["nothing", "none", "half of one", "something behind", "two", "zlib"],
)
def test_what_is_not_one_whole_gzip_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="it is not the gzip that it says it is"):
        decoded(body, 100)
