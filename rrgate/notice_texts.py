"""What operators, members of clients and users are told, and of what: fixed texts with ids and names.

Belongs here: from an Event, a change or a time that is near to Notices. Does not: keeping them (notifier.py, store/),
finding out what is to be told.

No text has a word of a provider, a target or whoever invites: of what others wrote there are names, cut short. Users
are told of by their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from rrgate.boot_values import Event, EventKind
from rrgate.model import Client, Credential, Meter, Proxy, Target
from rrgate.model.notification import Notice, shown_name
from rrgate.model.times import format_milliseconds
from rrgate.store import AuditEntry

DAY: Final = 86_400_000
AHEAD: Final = (1, 7)
"""Days before something expires at which that is told."""

SYSTEM: Final[Mapping[EventKind, tuple[str, str]]] = {
    "plugin-fault": ("A plugin failed", "{subject} failed; the gateway's log says how."),
    "reactor-blocked": ("The gateway stood still", "{subject} kept it from working for a while; its log says more."),
    "journal-trouble": ("Requests are not logged", "The request log cannot be written; the gateway's log says why."),
    "tokens-unreadable": (
        "Changed tokens cannot be read",
        "Tokens were changed on disk and cannot be read; those in memory stay in force.",
    ),
    "keys-unreachable": (
        "Keys cannot be fetched",
        "Keys that callers are verified with cannot be fetched from {subject}.",
    ),
    "names-unanswered": (
        "Names cannot be looked up",
        "The name server does not answer; targets are reached at addresses that their names had, for a while.",
    ),
    "overloaded": ("There is too much to do", "Requests were refused; the gateway's log says which bound was reached."),
    "proxy-broken": ("A proxy does not work", "The proxy {subject} cannot be compiled, and answers 500."),
}
"""By event: what operators are told. `{subject}` is the event's, as a name."""

CLIENT: Final[Mapping[EventKind, tuple[str, str]]] = {
    "proxy-broken": ("A proxy does not work", "{noun} cannot be compiled, and answers 500."),
    "credential-failed": (
        "A credential does not work",
        "What targets are shown for {noun} cannot be had; it is tried again.",
    ),
    "credential-needs-authorization": (
        "A credential needs authorization",
        "{noun} works again only once somebody has authorized it, or has given it a new secret.",
    ),
    "limit-approached": ("A limit is near", "{noun} has used 80 % of its limit for {window}."),
    "limit-reached": (
        "A limit is reached",
        "{noun} has used up its limit for {window}; further requests are refused until the next begins.",
    ),
    "budget-approached": ("The budget is nearly spent", "{noun} has used 80 % of its requests of this month."),
    "budget-spent": (
        "The budget is spent",
        "{noun} has used up its requests of this month; further ones are refused until the next.",
    ),
    "delivery-exhausted": (
        "A request was not delivered",
        "{noun} has an asynchronous request that was not delivered, and is not tried again; it can be replayed.",
    ),
    "delivery-unknown": (
        "A request may not have been delivered",
        "{noun} has an asynchronous request during which the gateway stopped; whether it arrived, only its target "
        "knows. It can be replayed.",
    ),
    "callback-failed": (
        "A callback was not delivered",
        "{noun} has an asynchronous request of whose end its caller could not be told.",
    ),
    "overloaded": (
        "Requests are refused",
        "{noun} has as many requests under way as may be its share of a gateway that has much to do.",
    ),
}
"""By event: what the members of a client are told. `{noun}` is what the event's subject is the id of;
`{window}` is the event's, with its article."""


class Known(Protocol):
    """What texts need of rrgate.directory.Directory."""

    clients: dict[str, Client]
    @property
    def credentials(self) -> Mapping[str, Credential]: ...
    @property
    def targets(self) -> Mapping[str, Target]: ...
    @property
    def proxies(self) -> Mapping[str, Proxy]: ...
    @property
    def meters(self) -> Mapping[str, Meter]: ...
    def members_of(self, client_id: str) -> Mapping[str, tuple[str, ...]]: ...


Noun = Client | Credential | Target | Proxy | Meter


def of_event(event: Event, known: Known) -> list[Notice]:
    """What an event tells whom."""
    cause = f"{event.kind} {event.subject} {event.window}".rstrip()
    notices = []
    if event.kind in SYSTEM:
        title, message = SYSTEM[event.kind]
        text = message.format(subject=shown_name(event.subject))
        notices.append(Notice(type="system", receiver_id="", cause=cause, title=title, message=text))
    noun = _find(event.subject, known) if event.kind in CLIENT else None
    if noun is not None:
        title, message = CLIENT[event.kind]
        window = event.window or "window"
        text = message.format(noun=_named(noun), window=f"{'an' if window == 'hour' else 'a'} {window}")
        notices.append(_to_client(noun, cause, title, text))
    return notices


def _find(id: str, known: Known) -> Noun | None:
    return next(
        (
            nouns[id]
            for nouns in (known.proxies, known.targets, known.credentials, known.clients, known.meters)
            if id in nouns
        ),
        None,
    )


def _named(noun: Noun) -> str:
    return f"the {type(noun).__name__.lower()} {shown_name(noun.name)} ({noun.id})"


def _to_client(noun: Noun, cause: str, title: str, message: str, *, once: bool = False) -> Notice:
    client_id = noun.id if isinstance(noun, Client) else noun.client_id
    message = message[:1].upper() + message[1:]
    return Notice(type="client", receiver_id=client_id, cause=cause, title=title, message=message, once=once)


def of_time(nouns: Iterable[Credential | Target], now: int) -> Iterator[Notice]:
    """Which credentials, and certificates of targets, expire soon: told once, seven days ahead and one."""
    for noun in nouns:
        if isinstance(noun, Credential):
            until, what = noun.expires_at if noun.active else None, ""
        else:
            until, what = noun.client_certificate_expires_at, "the client certificate of "
        days = None if until is None else next((each for each in AHEAD if 0 < until - now <= each * DAY), None)
        if until is None or days is None:
            continue
        text = f"{what}{_named(noun)} expires at {format_milliseconds(until)}."
        title = "A client certificate expires soon" if what else "A credential expires soon"
        yield _to_client(noun, f"expires {noun.id} {until} {days}", title, text, once=True)


def of_change(entry: AuditEntry, known: Known) -> list[Notice]:
    """What a change tells whom: of members and invites, and of a client that is deleted. `known`: as it was before."""
    client = known.clients.get(entry.client_id)
    if client is None:
        return []
    match entry.kind, entry.action:
        case "members", "create" | "change" | "delete":
            return _of_member(entry, client)
        case "invites", "create":
            roles = _roles((entry.after or {}).get("inviteRoles"))
            text = f"{_who(entry.user_id)} has invited somebody to {_named(client)} as {roles}."
            return [_to_client(client, f"invited {entry.noun_id}", "Somebody was invited", text)]
        case "invites", "delete":
            return _of_ended_invite(entry, client)
        case "clients", "delete":
            text = f"The client {shown_name(client.name)} ({client.id}), which you were a member of, was deleted."
            users = known.members_of(client.id)
            return [_to_user(each, f"client deleted {client.id}", "A client was deleted", text) for each in users]
    return []


def _of_member(entry: AuditEntry, client: Client) -> list[Notice]:
    document: Mapping[str, Any] = entry.after or entry.before or {}
    user_id, roles = str(document.get("userId")), _roles(document.get("roles"))
    match entry.action:
        case "create":
            titles = ("You are a member", "A new member")
            yours, theirs = f"You have become a member of {{}}: {roles}.", f"has become a member of {{}}: {roles}."
        case "change":
            titles = ("Your roles were changed", "A member's roles were changed")
            yours, theirs = f"In {{}} you are now: {roles}.", f"is now in {{}}: {roles}."
        case _:
            titles = ("You are no member any more", "A member has gone")
            yours, theirs = "You are no member of {} any more.", "is no member of {} any more."
    cause = f"member {entry.action} {client.id} {user_id} {roles}"
    # Not `format`: a name may have braces.
    yours, theirs = (text.replace("{}", _named(client)) for text in (yours, theirs))
    return [
        _to_user(user_id, cause, titles[0], yours),
        _to_client(client, cause, titles[1], f"{_who(user_id)} {theirs}"),
    ]


_ENDED: Final[Mapping[str, tuple[str, str]]] = {
    "POST /invites/accept": ("Your invite was accepted", "was accepted"),
    "POST /users": ("Your invite was accepted", "was accepted"),
    "POST /invites/decline": ("Your invite was declined", "was declined"),
    "inviteExpiresAt": ("Your invite has expired", "has expired"),
    "inviteTries": ("Your invite was ended", "was ended after too many wrong codes"),
}
"""By how an invite ended: what who invited is told."""


def _of_ended_invite(entry: AuditEntry, client: Client) -> list[Notice]:
    inviting = (entry.before or {}).get("userId")
    if entry.via not in _ENDED or not isinstance(inviting, str):
        return []
    title, how = _ENDED[entry.via]
    text = f"Your invite {entry.noun_id} to {_named(client)} {how}."
    return [_to_user(inviting, f"invite ended {entry.noun_id}", title, text)]


def _to_user(user_id: str, cause: str, title: str, message: str) -> Notice:
    return Notice(type="user", receiver_id=user_id, cause=cause, title=title, message=message)


def _who(user_id: str) -> str:
    return f"the user {user_id}"


def _roles(roles: object) -> str:
    return ", ".join(roles) if isinstance(roles, list | tuple) else "nothing"
