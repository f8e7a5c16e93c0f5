"""The filters of credentials, targets and proxies: what each of them keeps back of targets' answers.

Belongs here: that a filter can be carried out by a plugin. Does not: filtering.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from rrgate.api import ConfigError, Problem
from rrgate.core.answers import Answer, conflict, deleted, listed, missing, shown
from rrgate.core.changes import changed
from rrgate.core.checking import gathered
from rrgate.core.house import CoreHouse
from rrgate.core.queries import PAGING, page_of
from rrgate.core.routes import Call, Route
from rrgate.core.rules import CREDENTIALS, PROXIES, TARGETS, RulesOf
from rrgate.ids import new_id
from rrgate.model import Credential, Filter, Proxy, Target
from rrgate.model.documents import publish, read_changes, read_new
from rrgate.model.filter import MOST_FILTERS
from rrgate.model.rule_documents import third_spelling


def check_filter(house: CoreHouse, filter_: Filter) -> None:
    """Raises ConfigError unless its patterns are well formed, and a plugin carries out all that it says."""
    rule = filter_.as_rule
    problems = rule.misformed()
    filtering = [plugin for plugin in house.registry.plugins if plugin.filters]
    able = [plugin for plugin in filtering if plugin.filters >= rule.checks]
    if not filtering:
        problems.append(Problem("effect", "cannot be carried out: no installed plugin filters answers"))
    elif not able:
        known = frozenset[str]().union(*(plugin.filters for plugin in filtering))
        problems += [
            Problem(kind, "is carried out by no installed plugin: leave it out, or install one that does")
            for kind in sorted(rule.checks - known or rule.checks)
        ]
    if not problems:
        for plugin in able:
            with gathered(problems):
                plugin.check_filter(filter_)
    if problems:
        raise ConfigError(*problems)


@frozen
class FiltersOf:
    """The filters of the nouns of one kind."""

    parents: RulesOf

    def filter(self, call: Call) -> tuple[Credential | Target | Proxy, Filter]:
        """The filter that the path names, and whose it is. Raises Refused with 404 unless the two belong together."""
        parent = self.parents.parent(call)
        found = call.house.directory.filters.get(call.ids["filterId"])
        if found is None or found.parent_id != parent.id:
            raise missing()
        return parent, found

    async def list(self, call: Call) -> Answer:
        """GET …/filters."""
        parent = self.parents.parent(call)
        filters, cursor = page_of(call.house.directory.filters, parent.id, call.query)
        return listed("filters", map(publish, filters), cursor)

    async def create(self, call: Call) -> Answer:
        """POST …/filters."""
        house = call.house
        parent = self.parents.parent(call)
        values: dict[str, Any] = read_new(Filter, third_spelling(call.document))
        now = house.now()
        made = Filter(
            id=new_id(),
            client_id=parent.client_id,
            user_id=call.user.id,
            parent_id=parent.id,
            created_at=now,
            updated_at=now,
            **values,
        )
        check_filter(house, made)
        if len(house.directory.filters_of(parent.id)) >= MOST_FILTERS:
            whose = self.parents.singular
            raise conflict("filters", f"this {whose} has {MOST_FILTERS} filters, which is the most that it can have")
        await call.save(made)
        return shown("filters", publish(made))

    async def show(self, call: Call) -> Answer:
        """GET …/filters/{filterId}."""
        _, found = self.filter(call)
        return shown("filters", publish(found))

    async def update(self, call: Call) -> Answer:
        """PUT …/filters/{filterId}."""
        house = call.house
        _, found = self.filter(call)
        changes = read_changes(found, publish(found), third_spelling(call.document))
        found = changed(house, found, changes)
        check_filter(house, found)
        await call.save(found)
        return shown("filters", publish(found))

    async def delete(self, call: Call) -> Answer:
        """DELETE …/filters/{filterId}."""
        _, found = self.filter(call)
        await call.delete(found)
        return deleted("Filter")

    def routes(self) -> tuple[Route, ...]:
        """The routes of these filters."""
        parents = self.parents
        all_of_them = f"/clients/{{clientId}}/{parents.plural}/{{{parents.parameter}}}/filters"
        one = f"{all_of_them}/{{filterId}}"
        whose = f"of a {parents.singular}"
        return (
            Route(
                method="GET",
                template=all_of_them,
                handler=self.list,
                parameters=PAGING,
                help=f"The filters {whose}.",
            ),
            Route(
                method="POST",
                template=all_of_them,
                handler=self.create,
                noun=Filter,
                help=f"Create a filter {whose}; it can have {MOST_FILTERS}.",
            ),
            Route(method="GET", template=one, handler=self.show, help=f"One filter {whose}."),
            Route(
                method="PUT",
                template=one,
                handler=self.update,
                noun=Filter,
                help=f"Change a filter {whose}.",
            ),
            Route(method="DELETE", template=one, handler=self.delete, help=f"Delete a filter {whose}."),
        )


ROUTES = tuple(route for parents in (CREDENTIALS, TARGETS, PROXIES) for route in FiltersOf(parents).routes())
