"""Names and values of fields: what would end a line, or is no name.

Belongs here: names.py by itself. Does not: which names cross (plugins/test_compiled_route.py).
"""

from __future__ import annotations

import pytest

from rrgate.names import breaks_a_line, is_token


@pytest.mark.parametrize("sign", [b"\r", b"\n", b"\0"])
@pytest.mark.parametrize("value", [b"%b", b"a%b", b"%ba", b"a%bb"])
def test_a_value_with_one_of_these_is_none(sign: bytes, value: bytes) -> None:
    assert breaks_a_line(value % sign)
    assert not is_token(value % sign)


def test_all_other_values_are() -> None:
    assert not any(breaks_a_line(bytes([sign])) for sign in range(256) if sign not in b"\r\n\0")
    assert not breaks_a_line(b"")
    assert not is_token(b"")
