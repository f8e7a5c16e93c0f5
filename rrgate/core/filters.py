"""The filters of credentials, targets and proxies: what each of them keeps back of targets' answers.

Belongs here: that a filter can be carried out by a plugin. Does not: filtering.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from rrgate.core.answers import Answer, conflict, deleted, listed, missing, shown
from rrgate.core.belonging import check_by_plugins, routes_below
from rrgate.core.changes import changed
from rrgate.core.checking import check_room
from rrgate.core.house import CoreHouse
from rrgate.core.queries import page_of
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
    check_by_plugins(
        rule.misformed(),
        rule.checks,
        house.registry.plugins,
        lambda plugin: plugin.filters,
        "no installed plugin filters answers",
        lambda plugin: plugin.check_filter(filter_),
    )


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
        check_room(call, "filters")
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
        return routes_below(parents.plural, parents.parameter, parents.singular, Filter, MOST_FILTERS, self)


ROUTES = tuple(route for parents in (CREDENTIALS, TARGETS, PROXIES) for route in FiltersOf(parents).routes())
