"""Rules of credentials, targets and proxies: which requests may pass (docs/rules.md).

Belongs here: the plugin, which tells what the compiled rules say. Its rooms: patterns.py (RE2), message.py (what rules
see), leaves.py (bodies and claims), matching.py and leaf_checks.py (one rule compiled), indexes.py and glance.py (which
may match), judging.py (all rules of a proxy compiled), lint.py (rules that decide nothing).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from rrgate.api import (
    ConfigError,
    Denied,
    Exchange,
    Explained,
    Kind,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    Rule,
    RuleScope,
)
from rrgate_plugins.rules.judging import Judge, Verdict
from rrgate_plugins.rules.lint import warnings
from rrgate_plugins.rules.matching import CompiledRule
from rrgate_plugins.rules.message import Message
from rrgate_plugins.rules.patterns import LARGEST_RULE, TooLarge, size

__all__ = ["RuleChecks", "RulesConfig"]

MOST_LOOKED_AT: Final = 6 * LARGEST_RULE
"""From where on the other patterns of a rule are not looked at: that takes time, and everybody waits."""
_CASED: Final = re.compile(r"\(\?[a-zA-Z]*-[a-zA-Z]*i")


@frozen
class RulesConfig:
    """The scopes of a proxy."""

    scopes: tuple[RuleScope, ...] = field(default=(), repr=lambda scopes: f"<{len(scopes)} scopes>")


class RuleChecks(Plugin):
    """Lets pass what all four scopes allow."""

    name = "rule-checks"
    kind = Kind.RULES
    Config = RulesConfig
    serves = frozenset({"credentialDefaultRuleEffect", "proxyDefaultRuleEffect", "targetDefaultRuleEffect"})
    judges = frozenset({"methods", "path", "headers", "query", "body", "token"})

    def __init__(self, config: RulesConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._judge = Judge(config.scopes)

    @classmethod
    def for_proxy(cls, parts: Parts) -> RulesConfig | None:
        """None where there is nothing to judge, so that a proxy without rules pays nothing for them."""
        if all(scope.idle for scope in parts.scopes):
            return None
        problems = [
            Problem(f"rules.{rule.id}", f"checks {kind}, which nothing installed carries out any more")
            for scope in parts.scopes
            for rule in scope.rules
            for kind in sorted(rule.checks - cls.judges)
        ]
        if problems:
            raise ConfigError(*problems)
        return RulesConfig(parts.scopes)

    @classmethod
    def check_rule(cls, rule: Rule) -> None:
        """Raises ConfigError naming each pattern that RE2 does not take, and why."""
        problems = [
            Problem(f"headers.{place}.name.pattern", "must not turn the flag i off: names of headers have no case")
            for place, check in enumerate(rule.headers)
            if _CASED.search(check.name.pattern)
        ]
        all_sizes, told = 0, len(problems)
        for where, pattern in rule.patterns():
            is_header = where.startswith("headers.") and where.endswith(".name")
            try:
                all_sizes += size(pattern, rule.regex_flags, ignoring_case=is_header)
            except ValueError as error:
                problems.append(Problem(f"{where}.pattern", str(error)))
                all_sizes += LARGEST_RULE if isinstance(error, TooLarge) else 0
            if all_sizes > LARGEST_RULE and len(problems) == told:
                problems.append(Problem(f"{where}.pattern", "makes the rule too large: make two of it"))
            if all_sizes > MOST_LOOKED_AT:
                break
        if problems:
            raise ConfigError(*problems)

    @classmethod
    def lint_rules(cls, scope: RuleScope) -> Mapping[str, Sequence[str]]:
        """Each rule that can never decide anything, as far as that can be seen without a request."""
        return warnings(scope)

    def authorize(self, ex: Exchange) -> Denied | Awaitable[Denied | None] | None:
        """The verdict of all scopes. The Exchange is told which of them allowed, and the rule that decided.

        The caller's body is waited for only where a rule looks at it that all else does not keep from matching.
        """
        judge = self._judge
        if not judge.looks_at_bodies:
            return self._answer(ex, judge.verdict(ex))
        message = Message(ex)
        rules = judge.candidates(message)
        if any(rule.wants_body(message) for rule in rules):
            return self._with_body(ex, message, rules)
        return self._answer(ex, judge.judge(message, rules))

    async def _with_body(self, ex: Exchange, message: Message, rules: Sequence[CompiledRule]) -> Denied | None:
        await message.read_body()
        return self._answer(ex, self._judge.judge(message, rules))

    async def explain(self, ex: Exchange, phase: str) -> Explained:
        """What every rule says, also those that need no look where nobody asks."""
        message = Message(ex)
        if self._judge.looks_at_bodies:
            await message.read_body()
        verdict, said = self._judge.explained(message)
        notes = tuple(
            {"ruleId": each.rule, "scope": each.scope.value, "effect": each.effect, "matches": each.matches}
            | ({"report": True} if each.report else {})
            for each in said
        )
        return Explained(self._answer(ex, verdict), notes)

    def _answer(self, ex: Exchange, verdict: Verdict) -> Denied | None:
        for reported in verdict.reported:
            self.context.log.debug(
                "rule {rule} would {effect} request {id}; it has matched {count} times since its proxy was compiled",
                rule=reported.id,
                effect=reported.effect,
                id=ex.id,
                count=reported.count,
            )
            ex.timeline.append((f"rule {reported.id} would {reported.effect}", self.context.clock.seconds()))
        for scope in verdict.allowing:
            ex.scope_allows(scope)
        if verdict.deciding is not None:
            ex.deciding_rule = verdict.deciding
        if verdict.denying is None:
            return None
        whose = verdict.denying.value
        if verdict.deciding is None:
            return Denied(f"no rule of the {whose} allows it", 403, f"No rule of the {whose} allows this request")
        rule = verdict.deciding
        return Denied(f"rule {rule} of the {whose}", 403, f"Rule {rule} of the {whose} denies this request")
