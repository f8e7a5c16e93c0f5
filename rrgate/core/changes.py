"""What the audit log keeps of a change: made of who asked, what was there and what is there now.

Belongs here: from a change to its entry. Does not: writing it (store/), reading it (core/audit.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from attrs import evolve, frozen

from rrgate.core.house import CoreHouse
from rrgate.ids import new_id
from rrgate.json_text import same_json
from rrgate.model import Client, Credential, Filter, Invite, Member, Meter, Proxy, Rule, Target, Token, User
from rrgate.model.documents import publish
from rrgate.store import AuditEntry
from rrgate.store.audit import Action

Resource = User | Token | Client | Member | Invite | Credential | Target | Proxy | Rule | Filter | Meter

R = TypeVar("R", User, Client, Credential, Target, Proxy, Rule, Filter, Meter)

KINDS: Final[Mapping[type[Any], str]] = {
    User: "users",
    Token: "tokens",
    Client: "clients",
    Member: "members",
    Invite: "invites",
    Credential: "credentials",
    Target: "targets",
    Proxy: "proxies",
    Rule: "rules",
    Filter: "filters",
    Meter: "meters",
}
"""What the log calls them: their plural in answers, which is also the name of a mapping in the Directory by id, but for
tokens and members."""

CONFIGURATION: Final = "configuration"
"""What the log calls a client's, whose id is the client's."""


@frozen
class Actor:
    """Who changes something: a user by one of his tokens; `via` is the route, such as `POST /clients`.

    Both ids are `""` where the gateway does it itself; then `via` is the field that told it to.
    """

    user_id: str
    token_id: str
    via: str


def changed(house: CoreHouse, noun: R, changes: Mapping[str, Any]) -> R:
    """`noun` with `changes`, by attribute name, as of now; itself where they leave everything as it is."""
    if all(same_json(getattr(noun, name), value) for name, value in changes.items()):  # not `==`: true is not 1
        return noun
    return evolve(noun, **changes, updated_at=max(house.now(), noun.updated_at))


def is_in_force(house: CoreHouse, noun: Resource) -> bool:
    """Whether nothing would change if `noun` were saved."""
    present = _present(house, noun)
    # Not `==`, to which true in additional data is 1.
    return present is noun or (isinstance(noun, Member) and present == noun)


def _present(house: CoreHouse, noun: Resource) -> Resource | None:
    """What is in force in its place."""
    directory = house.directory
    match noun:
        case Token():
            return directory.token_by_hash.get(noun.token_hash)
        case Member():
            roles = directory.members.get((noun.user_id, noun.client_id))
            return None if roles is None else evolve(noun, roles=roles)
    present: Resource | None = getattr(directory, KINDS[type(noun)]).get(noun.id)
    return present


def saving(house: CoreHouse, actor: Actor, noun: Resource, also: Mapping[str, Any]) -> AuditEntry:
    """The entry of `noun` being saved. `also`: what else is published of it and is saved with it."""
    before = _present(house, noun)
    return _entry(
        house,
        actor,
        "create" if before is None else "change",
        noun,
        before=None if before is None else publish(before),
        after=publish(noun, **also),
    )


def deleting(house: CoreHouse, actor: Actor, noun: Resource, with_it: Iterable[Resource]) -> AuditEntry:
    """The entry of `noun` being deleted; all that goes `with_it` is kept under its plural."""
    gone: dict[str, Any] = {}
    for each in with_it:
        gone.setdefault(KINDS[type(each)], []).append(publish(each))
    return _entry(house, actor, "delete", noun, before=publish(noun, **gone), after=None)


def trying(house: CoreHouse, actor: Actor, noun: Credential | Target, target: Target, path: str) -> AuditEntry:
    """The entry of a test of `noun` by `path` of `target`. Values of a query may be secret, and are left out."""
    path, mark, query = path.partition("?")
    names = "&".join("".join(part.partition("=")[:2]) for part in query.split("&"))
    return _entry(house, actor, "test", noun, before=None, after={"targetId": target.id, "path": path + mark + names})


def authorizing(house: CoreHouse, actor: Actor, noun: Credential) -> AuditEntry:
    """The entry of `noun` that is to be authorized at its provider (by the route that makes a link), or has been."""
    return _entry(house, actor, "authorize", noun, before=None, after=None)


def configuring(
    house: CoreHouse, actor: Actor, client: Client, before: Mapping[str, Any], after: Mapping[str, Any]
) -> AuditEntry:
    """The entry of the configuration of `client` being changed."""
    entry = _entry(house, actor, "change", client, before=before, after=after)
    return evolve(entry, kind=CONFIGURATION)


def steering(
    house: CoreHouse, actor: Actor, action: Action, proxy: Proxy, request_id: str, wanted: Mapping[str, Any]
) -> AuditEntry:
    """The entry of an asynchronous request of `proxy` that is about to be cancelled or replayed; of a range of them,
    without `request_id`, that of the proxy. `wanted`: what was asked for."""
    entry = _entry(house, actor, action, proxy, before=None, after={"proxyId": proxy.id, **wanted})
    return evolve(entry, kind="requests", noun_id=request_id) if request_id else entry


def _entry(
    house: CoreHouse,
    actor: Actor,
    action: Action,
    noun: Resource,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> AuditEntry:
    return AuditEntry(
        id=new_id(),
        at=house.now(),
        client_id=_whose(noun),
        user_id=actor.user_id,
        token_id=actor.token_id,
        via=actor.via,
        action=action,
        kind=KINDS[type(noun)],
        noun_id=noun.id,
        before=before,
        after=after,
    )


def _whose(noun: Resource) -> str:
    """The client that `noun` belongs to, or `""`: people and their tokens belong to none."""
    match noun:
        case User() | Token():
            return ""
        case Client():
            return noun.id
    return noun.client_id
