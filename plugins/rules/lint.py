"""Rules that can never decide anything, told without a request: what people write by mistake.

Belongs here: the sentences. Does not: refusing anything. That nothing is said of a rule proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from rrgate.api import NEVER_TO_TARGET, NamedCheck, Rule, RuleScope, fold
from rrgate_plugins.rules.matching import MUST_EXIST
from rrgate_plugins.rules.patterns import compiled


def warnings(scope: RuleScope) -> dict[str, list[str]]:
    """By id of rule; those without are left out."""
    found = {rule.id: list(_alone(rule)) for rule in scope.rules}
    deciding = [rule for rule in scope.rules if not rule.report]
    denying = [rule for rule in deciding if rule.effect == "deny"]
    allowing = [rule for rule in deciding if rule.effect == "allow"]
    denies_all = next((rule for rule in denying if not rule.checks), None)
    allows_all = next((rule for rule in allowing if not rule.checks), None)
    denied = {_asked(rule): rule for rule in reversed(denying)}
    allowed = {_asked(rule): rule for rule in reversed(allowing)}
    for rule in denying:
        say = found[rule.id].append
        if denies_all is not None and rule is not denies_all:
            say(f"rule {denies_all.id} denies every request, this one's too")
        elif denied[_asked(rule)] is not rule:
            say(f"rule {denied[_asked(rule)].id} denies the same")
        elif scope.default_effect == "deny" and not allowing:
            say("the default denies, and no rule allows anything")
    for rule in allowing:
        say = found[rule.id].append
        if scope.default_effect == "allow":
            say("the default allows, so that only deny rules decide; set the default to deny, or this rule's effect")
        elif denies_all is not None:
            say(f"rule {denies_all.id} denies every request, and deny wins")
        elif _asked(rule) in denied:
            say(f"rule {denied[_asked(rule)].id} denies the same, and deny wins")
        elif allows_all is not None and rule is not allows_all:
            say(f"rule {allows_all.id} allows every request, this one's too")
        elif allowed[_asked(rule)] is not rule:
            say(f"rule {allowed[_asked(rule)].id} allows the same")
    return {rule_id: said for rule_id, said in found.items() if said}


def _asked(rule: Rule) -> object:
    """Equal for two rules that match the same requests, if they have the same effect."""
    methods = None if rule.methods is None else frozenset(rule.methods)
    leaves = frozenset(rule.body), frozenset(rule.token)
    return methods, rule.path, frozenset(rule.headers), frozenset(rule.query), leaves, rule.regex_flags or ""


def _alone(rule: Rule) -> Iterator[str]:
    """What can be said without the other rules."""
    if rule.path is not None and rule.path.presence == MUST_EXIST:
        pattern = rule.path.path
        if _begins_otherwise(rule):
            yield "the path begins with /, and its pattern with something else"
        elif r"\?" in pattern.pattern and rule.effect == "allow":
            yield "the path ends before the ?; check the query with `query`"
    for check in rule.headers:
        if check.presence == MUST_EXIST and _never_crosses(check):
            yield f"the header {check.name.pattern} is not forwarded, and rules see what is forwarded"
    for leaf in rule.body:
        if leaf.presence == MUST_EXIST and leaf.json_path.pattern.startswith(("$.", "$[")):
            yield f"no path matches {leaf.json_path.pattern}: they are dotted, such as messages.0.content, without $"
    for place, each in rule.patterns():
        if not each.pattern.isascii():
            yield (
                f"{place} has characters beyond ASCII, which are matched as Latin-1, while most clients send UTF-8"
            )


def _begins_otherwise(rule: Rule) -> bool:
    """Whether the path's pattern is bound to the beginning and can match nothing that begins with `/`."""
    assert rule.path is not None
    text = rule.path.path.pattern
    if not text.startswith("^") or "|" in text:
        return False
    try:
        pattern = compiled(rule.path.path, rule.regex_flags)
        if pattern.search(b""):
            return False  # It asks for nothing, and RE2 tells too narrow a range then.
        least, most = pattern.possiblematchrange(1)
    except Exception:  # noqa: BLE001 - RE2 cannot tell
        return False
    return "m" not in (rule.path.path.flags or rule.regex_flags or "") and not least[:1] <= b"/" <= most[:1]


def _never_crosses(check: NamedCheck) -> bool:
    """Whether its name is written out, and the name of a field that never reaches a target."""
    text = check.name.pattern
    name = text.removeprefix("^").removesuffix("$")
    return text.startswith("^") and text.endswith("$") and fold(name.encode("latin-1")) in NEVER_TO_TARGET
