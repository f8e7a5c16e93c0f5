"""The three spellings in which the Core API takes a rule's checks, and the one in which it answers them.

Belongs here: from the first two spellings to the third, and from classes to the third. Does not: what values may be
(rule.py).

    {"pathPattern": "^/a", "pathPresence": "present"}
    {"path": {"pattern": "^/a", "presence": "present"}}
    {"path": {"path": {"pattern": "^/a"}, "presence": "must_exist"}}      the third
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from rrgate.api import ConfigError, Problem
from rrgate.complaints import published_name
from rrgate.model.rule import BodyCheck, NamedCheck, PathCheck, Pattern, TokenCheck
from rrgate.structuring import CONVERTER

_PRESENCE: Final[Mapping[object, str]] = {"present": "must_exist", "absent": "must_not_exist"}

_OTHER_NAMES: Final[Mapping[str, str]] = {"headerChecks": "headers", "queryChecks": "query"}

_PATTERNS: Final[Mapping[str, tuple[str, ...]]] = {
    "headers": ("name", "matchValue"),
    "query": ("name", "matchValue"),
    "body": ("jsonPath", "matchValue"),
    "token": ("claim", "matchValue"),
}


def third_spelling(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` with every check in the third spelling. What is of no known form stays as it is, to be complained of.

    Raises ConfigError where one check is spelled in two ways at once.
    """
    problems: list[Problem] = []
    renamed: dict[str, Any] = {}
    for name, value in document.items():
        known = _OTHER_NAMES.get(name, name)
        if known in renamed:
            problems.append(Problem(name, f"is {known} in another spelling: give one of the two"))
        renamed[known] = value
    if "pathPattern" in renamed:
        if "path" in renamed:
            problems.append(Problem("pathPattern", "is path in another spelling: give one of the two"))
        pattern, presence = renamed.pop("pathPattern"), renamed.pop("pathPresence", "present")
        renamed["path"] = None if pattern is None else {"path": pattern, "presence": presence}
    elif "pathPresence" in renamed:
        problems.append(Problem("pathPresence", "needs pathPattern beside it"))
    if problems:
        raise ConfigError(*problems)
    if "path" in renamed:
        renamed["path"] = _path(renamed["path"])
    for kind, names in _PATTERNS.items():
        if isinstance(renamed.get(kind), list):
            renamed[kind] = [_check(each, names) for each in renamed[kind]]
    return renamed


def _path(value: Any) -> Any:
    if isinstance(value, str):
        return {"path": {"pattern": value}}
    if isinstance(value, dict) and "path" not in value and "pattern" in value:
        # The second spelling, in which flags stand beside the pattern.
        outer = {name: each for name, each in value.items() if name not in ("pattern", "flags")}
        inner = {name: value[name] for name in ("pattern", "flags") if name in value}
        value = {**outer, "path": inner}
    return _check(value, ("path",))


def _check(value: Any, patterns: tuple[str, ...]) -> Any:
    if not isinstance(value, dict):
        return value
    check = dict(value)
    for name in patterns:
        if isinstance(check.get(name), str):
            check[name] = {"pattern": check[name]}
    presence = check.get("presence")
    if isinstance(presence, str):
        check["presence"] = _PRESENCE.get(presence, presence)
    return check


def _answered(value: Any) -> dict[str, Any]:
    fields = ((published_name(each), getattr(value, each.name)) for each in attrs.fields(type(value)))
    return {name: _answered(each) if attrs.has(type(each)) else each for name, each in fields if each is not None}


for _class in (Pattern, PathCheck, NamedCheck, BodyCheck, TokenCheck):
    CONVERTER.register_unstructure_hook(_class, _answered)
