"""What a `logPathTemplate` may be, and what it leaves of a path.

Belongs here: model/path_template.py. Does not: where a path is logged (test_record.py).
"""

from __future__ import annotations

import pytest

from rrgate.model.path_template import LONGEST, compiled_template, masked, path_template


@pytest.mark.parametrize(
    ("template", "path", "left"),
    [
        ("/users/([^/]+)", "/users/ann", "/users/[REDACTED]"),
        ("/users/([^/]+)", "/v1/users/ann/users/bob/x", "/v1/users/[REDACTED]/users/[REDACTED]/x"),
        ("/users/([^/]+)", "/customers/ann", "/customers/ann"),
        ("[0-9]{4,}", "/a/12345/678/9876", "/a/[REDACTED]/678/[REDACTED]"),
        ("/(a+)/(b+)", "/aa/bb/c", "/[REDACTED]/[REDACTED]/c"),
        ("/((a+)b)/", "/aab/c", "/[REDACTED]/c"),
        ("/(?:card/([^/]+)|x)", "/x/card/4111", "/x/card/[REDACTED]"),
        ("(?i)/USERS/([^/]*)", "/users/", "/users/"),
        ("/users/(.*)", "/users/a/b%2Fc", "/users/[REDACTED]"),
        ("(\xe9)", "/caf\xe9", "/caf[REDACTED]"),
        ("^(/.*)$", "/" + "a" * 100_000, "[REDACTED]"),
        ("(a*)*b", "/" + "a" * 50_000, "/" + "a" * 50_000),
    ],
)
def test_what_is_left_of_a_path(template: str, path: str, left: str) -> None:
    assert masked(path.encode("latin-1"), compiled_template(template)).decode("latin-1") == left


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("", f"1 to {LONGEST} characters"),
        ("a" * (LONGEST + 1), f"1 to {LONGEST} characters"),
        ("(", "RE2"),
        ("(?=a)", "RE2"),
        (r"(a)\1", "RE2"),
        ("(a{1000}){1000}", "RE2"),
        ("a*", "empty path"),
        (r"(?i)(\PL)" * 100, "where case is ignored"),
        ("€", "Latin-1"),
    ],
)
def test_what_may_be_none(template: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        path_template(template)
    assert not template or template not in str(raised.value)
