"""…/revisions: what was configured when, and putting it back.

Belongs here: which entries of the audit log are revisions of what, and what a restored one asks for. Does not: keeping
them (store/audit.py), judging and saving what is put back (the nouns' own PUT).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from rrgate.api import Problem
from rrgate.complaints import unknown_fields
from rrgate.core import credentials, filters, meters, proxies, rules, targets
from rrgate.core.answers import Answer, listed, missing, not_right
from rrgate.core.binding import HOSTS
from rrgate.core.changes import CONFIGURATION
from rrgate.core.changes import KINDS as RESOURCES
from rrgate.core.checking import owned
from rrgate.core.listing_plugins import FIELD as PLUGINS
from rrgate.core.listing_plugins import put_back as plugins_put_back
from rrgate.core.queries import PAGING
from rrgate.core.rotation import UNTIL
from rrgate.core.routes import Call, Handler, Route
from rrgate.core.shapes import Revision, Success
from rrgate.model import Credential, Filter, Meter, Proxy, Rule, Target
from rrgate.model.published import Writable, published_fields
from rrgate.model.times import format_milliseconds
from rrgate.store import AuditEntry
from rrgate.store.audit import place
from rrgate.structuring import CONVERTER

Noun = Credential | Target | Proxy | Rule | Filter | Meter

KINDS: Final = ("clients", CONFIGURATION, "credentials", "targets", "proxies", "rules", "filters", "meters")
"""What has revisions, as the audit log calls it."""

_SUCCESS: Final = Success(name="revisions", of=Revision)


def document_of(entry: AuditEntry) -> dict[str, Any]:
    """A revision as it is published."""
    return {
        "pKey": entry.client_id,
        "sKey": entry.id,
        "userId": entry.user_id or None,
        "clientId": entry.client_id,
        "parentId": entry.noun_id,
        "revision": entry.revision,
        "revisionCreatedAt": format_milliseconds(entry.at),
        "revisionVia": entry.via,
        "revisionAction": entry.action,
        "revisionResource": entry.kind,
        "revisionResourceId": entry.noun_id,
        "revisionBefore": entry.before,
        "revisionAfter": entry.after,
    }


async def _list(call: Call, noun_id: str | None, kinds: Collection[str]) -> Answer:
    cursor = call.query.text("cursor")
    try:
        if cursor is not None:
            place(cursor)
    except ValueError:
        raise not_right([Problem("cursor", "must be the nextCursor of an earlier answer")]) from None
    page = await call.house.store.audit(
        client_id=call.client.id,
        noun_id=noun_id,
        kinds=kinds,
        revisions=True,
        limit=call.query.limit(),
        cursor=cursor,
    )
    return listed("revisions", map(document_of, page.entries), page.next_cursor)


async def list_all(call: Call) -> Answer:
    """Those of a client and of all that belongs, or belonged, to it."""
    kind = call.query.text("resource")
    if kind is not None and kind not in KINDS:
        raise not_right([Problem("resource", f"must be one of {', '.join(KINDS)}")])
    return await _list(call, call.query.text("resourceId"), KINDS if kind is None else (kind,))


def put_back(noun: Noun, after: Mapping[str, Any]) -> dict[str, Any]:
    """What a PUT would have to say to make `noun` what `after` shows.

    Left out is all about secrets, which stay: when the previous one ends, that a credential was bound to no host yet,
    and the fingerprints of a proxy's own plugins. What there was no field for had its default. Raises Refused with 409
    for plugins whose secrets are gone.
    """
    document: dict[str, Any] = {}
    for known in published_fields(type(noun)):
        if known.writable is not Writable.ALWAYS or known.name == UNTIL:
            continue
        if known.name in after:
            document[known.name] = after[known.name]
        elif not known.required:
            document[known.name] = CONVERTER.unstructure(known.default, unstructure_as=known.type)
    if document.get(HOSTS, "") is None:
        del document[HOSTS]
    if isinstance(noun, Proxy):
        document[PLUGINS] = plugins_put_back(noun.plugins, document[PLUGINS])
    return document


@frozen
class RevisionsOf:
    """The revisions of nouns of one kind. `template`: the route of one of them; `find`: the one that a path names, or
    raises Refused with 404; `update`: its PUT."""

    kind: str
    whose: str
    template: str
    find: Callable[[Call], Noun]
    update: Handler

    @property
    def noun(self) -> type[Any]:
        """Their class."""
        return next(noun for noun, kind in RESOURCES.items() if kind == self.kind)

    async def list(self, call: Call) -> Answer:
        """GET …/revisions."""
        return await _list(call, self.find(call).id, (self.kind,))

    async def restore(self, call: Call) -> Answer:
        """POST …/revisions/{revision}/restore."""
        noun, number = self.find(call), call.ids["revision"]
        if call.document:
            raise not_right(unknown_fields(call.document, ()))
        if not (number.isascii() and number.isdigit() and len(number) <= 9):
            raise missing()
        page = await call.house.store.audit(
            client_id=call.client.id,
            noun_id=noun.id,
            kinds=(self.kind,),
            revision=int(number),
            limit=1,
        )
        for entry in page.entries:
            if entry.after is not None:
                return await self.update(evolve(call, document=put_back(noun, entry.after)))
        raise missing()

    def routes(self) -> tuple[Route, ...]:
        """The routes of these revisions."""
        all_of_them = f"{self.template}/revisions"
        return (
            Route(
                method="GET",
                template=all_of_them,
                handler=self.list,
                success=_SUCCESS,
                parameters=PAGING,
                help=f"What {self.whose} was and became with each change, newest first.",
            ),
            Route(
                method="POST",
                template=f"{all_of_them}/{{revision}}/restore",
                handler=self.restore,
                success=Success(name=self.kind, of=self.noun),
                bodiless=True,
                help=f"Make {self.whose} what it became with that change, as by PUT.",
            ),
        )


def _rules_of(parents: rules.RulesOf) -> RevisionsOf:
    template = f"/clients/{{clientId}}/{parents.plural}/{{{parents.parameter}}}/rules/{{ruleId}}"
    whose = f"a rule of a {parents.singular}"
    return RevisionsOf("rules", whose, template, lambda call: parents.rule(call)[1], parents.update)


def _filters_of(parents: rules.RulesOf) -> RevisionsOf:
    template = f"/clients/{{clientId}}/{parents.plural}/{{{parents.parameter}}}/filters/{{filterId}}"
    those = filters.FiltersOf(parents)
    whose = f"a filter of a {parents.singular}"
    return RevisionsOf("filters", whose, template, lambda call: those.filter(call)[1], those.update)


ALL: Final = (
    RevisionsOf(
        "credentials",
        "a credential",
        "/clients/{clientId}/credentials/{credentialId}",
        lambda call: owned(call.house.directory.credentials, call, "credentialId"),
        credentials.update_credential,
    ),
    RevisionsOf(
        "targets",
        "a target",
        "/clients/{clientId}/targets/{targetId}",
        lambda call: owned(call.house.directory.targets, call, "targetId"),
        targets.update_target,
    ),
    RevisionsOf(
        "proxies",
        "a proxy",
        "/clients/{clientId}/proxies/{proxyId}",
        lambda call: owned(call.house.directory.proxies, call, "proxyId"),
        proxies.update_proxy,
    ),
    *map(_rules_of, (rules.CREDENTIALS, rules.TARGETS, rules.PROXIES)),
    *map(_filters_of, (rules.CREDENTIALS, rules.TARGETS, rules.PROXIES)),
    RevisionsOf(
        "meters",
        "a meter",
        "/clients/{clientId}/proxies/{proxyId}/meters/{meterId}",
        lambda call: meters.owned_meter(call)[1],
        meters.update_meter,
    ),
)

ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/revisions",
        handler=list_all,
        success=_SUCCESS,
        parameters=(*PAGING, "resource", "resourceId"),
        help="Those of the client, its configuration, and all that belongs or belonged to it, newest first.",
    ),
    *(route for each in ALL for route in each.routes()),
)
