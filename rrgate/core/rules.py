"""…/rules under /clients/{clientId}/credentials, targets and proxies: which requests each of them allows or denies.

Belongs here: that a rule can be carried out by a plugin, and what plugins say of it. Does not: judging requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from rrgate.core.answers import Answer, conflict, deleted, missing, shown
from rrgate.core.belonging import check_by_plugins, routes_below
from rrgate.core.changes import changed
from rrgate.core.checking import check_room, owned
from rrgate.core.house import CoreHouse
from rrgate.core.queries import listed_by_size, page_of
from rrgate.core.routes import Call, Route
from rrgate.ids import new_id
from rrgate.model import Credential, Proxy, Rule, RuleScope, Target
from rrgate.model.documents import Extra, publish, read_changes, read_new
from rrgate.model.rule import MOST_RULES
from rrgate.model.rule_documents import third_spelling

WARNINGS = "warnings"
_HELP = "Why it can never decide anything, if that can be seen."
EXTRAS = (Extra(WARNINGS, "an array of strings", help=_HELP, example=[]),)


def check_rule(house: CoreHouse, rule: Rule) -> None:
    """Raises ConfigError unless the patterns of `rule` are well formed, and a plugin carries out all that it checks."""
    check_by_plugins(
        rule.misformed(),
        rule.checks,
        house.registry.plugins,
        lambda plugin: plugin.judges,
        "no installed plugin judges by rules",
        lambda plugin: plugin.check_rule(rule),
    )


def warnings_of(house: CoreHouse, scope: RuleScope) -> Mapping[str, Sequence[str]]:
    """What plugins say of the rules of a scope, by id."""
    said: dict[str, list[str]] = {}
    for plugin in house.registry.plugins:
        if plugin.judges:
            for rule_id, sentences in plugin.lint_rules(scope).items():
                said.setdefault(rule_id, []).extend(sentences)
    return said


@frozen
class RulesOf:
    """The rules of the nouns of one kind. `parameter`: the name of their id in paths."""

    plural: str
    singular: str
    parameter: str

    def parent(self, call: Call) -> Credential | Target | Proxy:
        """Whose rules the path names. Raises Refused with 404 unless it belongs to the call's client."""
        directory = call.house.directory
        match self.plural:
            case "credentials":
                return owned(directory.credentials, call, self.parameter)
            case "targets":
                return owned(directory.targets, call, self.parameter)
            case _:
                return owned(directory.proxies, call, self.parameter)

    def rule(self, call: Call) -> tuple[Credential | Target | Proxy, Rule]:
        """The rule that the path names, and whose it is. Raises Refused with 404 unless the two belong together."""
        parent = self.parent(call)
        rule = call.house.directory.rules.get(call.ids["ruleId"])
        if rule is None or rule.parent_id != parent.id:
            raise missing()
        return parent, rule

    def documents(
        self, call: Call, parent: Credential | Target | Proxy, rules: Iterable[Rule]
    ) -> Iterable[dict[str, Any]]:
        """Rules as published, with what is to be said of each."""
        said = warnings_of(call.house, call.house.directory.rule_scope(parent))
        return (publish(rule, warnings=list(said.get(rule.id, ()))) for rule in rules)

    async def list(self, call: Call) -> Answer:
        """GET …/rules."""
        parent = self.parent(call)
        rules, cursor = page_of(call.house.directory.rules, parent.id, call.query)
        return listed_by_size("rules", rules, self.documents(call, parent, rules), cursor)

    async def create(self, call: Call) -> Answer:
        """POST …/rules."""
        house = call.house
        parent = self.parent(call)
        values = read_new(Rule, third_spelling(call.document))
        now = house.now()
        rule = Rule(
            id=new_id(),
            client_id=parent.client_id,
            user_id=call.user.id,
            parent_id=parent.id,
            created_at=now,
            updated_at=now,
            **values,
        )
        check_rule(house, rule)
        check_room(call, "rules")
        if len(house.directory.rules_of(parent.id)) >= MOST_RULES:
            raise conflict("rules", f"this {self.singular} has {MOST_RULES} rules, which is the most that it can have")
        await call.save(rule)
        return shown("rules", *self.documents(call, parent, [rule]))

    async def show(self, call: Call) -> Answer:
        """GET …/rules/{ruleId}."""
        parent, rule = self.rule(call)
        return shown("rules", *self.documents(call, parent, [rule]))

    async def update(self, call: Call) -> Answer:
        """PUT …/rules/{ruleId}."""
        house = call.house
        parent, rule = self.rule(call)
        # Warnings come and go with other rules: what was read a while ago may be written back.
        document = {name: value for name, value in call.document.items() if name != WARNINGS}
        changes = read_changes(rule, publish(rule), third_spelling(document))
        rule = changed(house, rule, changes)
        check_rule(house, rule)
        await call.save(rule)
        return shown("rules", *self.documents(call, parent, [rule]))

    async def delete(self, call: Call) -> Answer:
        """DELETE …/rules/{ruleId}."""
        _, rule = self.rule(call)
        await call.delete(rule)
        return deleted("Rule")

    def routes(self) -> tuple[Route, ...]:
        """The routes of these rules."""
        return routes_below(self.plural, self.parameter, self.singular, Rule, MOST_RULES, self)


CREDENTIALS = RulesOf("credentials", "credential", "credentialId")
TARGETS = RulesOf("targets", "target", "targetId")
PROXIES = RulesOf("proxies", "proxy", "proxyId")
ROUTES = (*CREDENTIALS.routes(), *TARGETS.routes(), *PROXIES.routes())
