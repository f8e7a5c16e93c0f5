"""`Directory`: every noun in memory, and (client, id or alias) → Route. The data plane reads only this.

Belongs here: look-up, and forgetting Routes when a noun changes. Does not: building Routes (compiling.py), storing.
All on the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rrgate.joining import Joining, rule_scope
from rrgate.model import (
    Client,
    Credential,
    Filter,
    Invite,
    Member,
    Meter,
    Parts,
    Proxy,
    Rule,
    RuleScope,
    Target,
    Token,
    User,
)
from rrgate.model.belonging import Belonging, Census, Unread
from rrgate.model.configuration import Opened, opened
from rrgate.route import Route

Noun = User | Token | Client | Member | Invite | Credential | Target | Proxy | Rule | Filter | Meter


class Directory:
    """The nouns as last committed. `put` and `drop` are in force for the next request."""

    def __init__(
        self,
        build: Callable[[Directory, Proxy], Route],
        default_client: str = "",
        *,
        forget: Callable[[str], None] = lambda credential_id: None,
        anonymous: Callable[[Credential], bool] = lambda credential: False,
    ) -> None:
        """`build` compiles a proxy when it is first used. `default_client`: id, for addresses `/api/{alias}/…`.

        `forget` is told the id of each credential that is no more. `anonymous`: whether one lets in who shows nothing.
        """
        self._build = build
        self._forget = forget
        self._when_ended: list[Callable[[str], None]] = []
        self.anonymous = anonymous
        self._default_client = default_client
        self.users: dict[str, User] = {}
        self.members: dict[tuple[str, str], tuple[str, ...]] = {}
        self._members_of: dict[str, dict[str, tuple[str, ...]]] = {}
        self.token_by_hash: dict[bytes, Token] = {}
        self.invites: dict[str, Invite] = {}
        self.clients: dict[str, Client] = {}
        self.credentials: Belonging[Credential] = Belonging("client_id")
        self.targets: Belonging[Target] = Belonging("client_id")
        self.proxies: Belonging[Proxy] = Belonging("client_id")
        self.rules: Belonging[Rule] = Belonging("parent_id")
        self.filters: Belonging[Filter] = Belonging("parent_id")
        self.meters: Belonging[Meter] = Belonging("parent_id")
        self._belonging: dict[type[Any], Belonging[Any]] = {Rule: self.rules, Filter: self.filters, Meter: self.meters}
        self.census = Census((self.credentials, self.targets, self.proxies), (self.rules, self.filters, self.meters))
        self._passing: set[str] = set()
        self._aliases: dict[tuple[str, str], str] = {}
        self._proxies_using: dict[str, set[str]] = {}
        self._routes: dict[bytes, Route] = {}

    # The data plane's side.

    def find(self, path: bytes) -> tuple[Route, bytes] | None:
        """The Route for the path behind `/api` or `/async` (from its `/`), and the rest of the path, as it came.

        An id wins over an alias; an alias is looked up in the client that the path or `default_client` names.
        Raises what building raises, ConfigError for one.
        """
        first, _, rest = path[1:].partition(b"/")
        has_rest = len(path) > len(first) + 1
        route = self._routes.get(first)
        if route is not None:
            return route, b"/" + rest if has_rest else b""
        name = first.decode("latin-1")
        if name in self.proxies:
            return self._route(name), b"/" + rest if has_rest else b""
        if name in self.clients:
            second, slash, rest = rest.partition(b"/")
            proxy_id = self._aliases.get((name, second.decode("latin-1")))
            return None if proxy_id is None else (self._route(proxy_id), slash + rest)
        proxy_id = self._aliases.get((self._default_client, name))
        return None if proxy_id is None else (self._route(proxy_id), b"/" + rest if has_rest else b"")

    def _route(self, proxy_id: str) -> Route:
        key = proxy_id.encode()
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._build(self, self.proxies[proxy_id])
        return route

    def when_ended(self, tell: Callable[[str], None]) -> None:
        """`tell` is called with the id of each proxy or credential that is switched off or deleted, once it is, and of
        each target that is deleted."""
        self._when_ended.append(tell)

    def opened_for(self, client_id: str) -> tuple[Opened, ...]:
        """The networks that may be dialled for a client besides those that are open for all."""
        client = self.clients.get(client_id)
        return () if client is None else opened(client.configuration.allowed_networks)

    # The control plane's side.

    def put_unread(self, credentials: Unread[Credential], rules: Unread[Rule]) -> None:
        """All of them, each read when it is first asked for. Once, before anything else; credentials that are `passing`
        are put too."""
        self.credentials.put_unread(credentials)
        self.rules.put_unread(rules)

    def put(self, noun: Noun) -> None:
        """`noun` is as committed; Routes made with what it was are forgotten."""
        match noun:
            case User():
                self.users[noun.id] = noun
            case Token():
                self.token_by_hash[noun.token_hash] = noun
            case Member():
                self.put_member(noun.user_id, noun.client_id, noun.roles)
            case Invite():
                self.invites[noun.id] = noun
            case Client():
                self.clients[noun.id] = noun
                self._forget_routes(self.proxies.ids_of(noun.id))
            case Credential():
                before = self.credentials.get(noun.id)
                self.credentials.put(noun)
                (self._passing.add if noun.passing else self._passing.discard)(noun.id)
                self._forget_routes_with(noun.id)
                self._tell_if_ended(before, noun)
            case Target():
                self.targets.put(noun)
                self._forget_routes_with(noun.id)
            case Proxy():
                self._unlink(noun.id)
                was = self.proxies.get(noun.id)
                self.proxies.put(noun)
                for part in (noun.proxy_credential_id, noun.target_id, noun.target_credential_id):
                    self._proxies_using.setdefault(part, set()).add(noun.id)
                if noun.alias is not None:
                    self._aliases[noun.client_id, noun.alias] = noun.id
                self._tell_if_ended(was, noun)
            case Rule() | Filter() | Meter():
                self._belonging[type(noun)].put(noun)
                self._forget_routes_with(noun.parent_id)

    def drop(self, noun: Noun) -> None:
        """`noun` is no more, and neither is what belongs to it."""
        match noun:
            case User():
                self.users.pop(noun.id, None)
            case Token():
                self.token_by_hash.pop(noun.token_hash, None)
            case Member():
                self.members.pop((noun.user_id, noun.client_id), None)
                self._members_of.get(noun.client_id, {}).pop(noun.user_id, None)
            case Invite():
                self.invites.pop(noun.id, None)
            case Client():
                self.clients.pop(noun.id, None)
                self.invites = {key: each for key, each in self.invites.items() if each.client_id != noun.id}
                for user_id in self._members_of.pop(noun.id, ()):
                    del self.members[user_id, noun.id]
                self._forget_routes(self.proxies.ids_of(noun.id))
            case Credential():
                gone = self.credentials.get(noun.id)
                self._drop_what_belongs_to(noun.id)
                self.credentials.drop(noun.id)
                self._passing.discard(noun.id)
                self._forget_routes_with(noun.id)
                self._forget(noun.id)
                self._tell_if_ended(gone)
            case Target():
                self._drop_what_belongs_to(noun.id)
                self.targets.drop(noun.id)
                self._forget_routes_with(noun.id)
                self._tell_ended(noun.id)
            case Proxy():
                self._unlink(noun.id)
                self._drop_what_belongs_to(noun.id)
                was = self.proxies.get(noun.id)
                self.proxies.drop(noun.id)
                self._tell_if_ended(was)
            case Rule() | Filter() | Meter():
                self._belonging[type(noun)].drop(noun.id)
                self._forget_routes_with(noun.parent_id)

    def put_member(self, user_id: str, client_id: str, roles: tuple[str, ...]) -> None:
        """`user_id` has exactly these roles in `client_id`."""
        self.members[user_id, client_id] = roles
        self._members_of.setdefault(client_id, {})[user_id] = roles

    def members_of(self, client_id: str) -> Mapping[str, tuple[str, ...]]:
        """Roles by user id."""
        return self._members_of.get(client_id, {})

    def replace_people(self, users: Iterable[User], tokens: Iterable[Token]) -> None:
        """These are all the users and tokens there are."""
        self.users = {user.id: user for user in users}
        self.token_by_hash = {token.token_hash: token for token in tokens}

    def with_alias(self, client_id: str, alias: str) -> str | None:
        """The id of the client's proxy that has this alias."""
        return self._aliases.get((client_id, alias))

    def passing(self) -> list[Credential]:
        """The credentials of which something ends by itself."""
        return [self.credentials[credential_id] for credential_id in self._passing]

    def proxies_using(self, part_id: str) -> list[Proxy]:
        """The proxies that name this credential or target."""
        return [self.proxies[proxy_id] for proxy_id in self._proxies_using.get(part_id, ())]

    def rules_of(self, parent_id: str) -> list[Rule]:
        """The rules of a credential, target or proxy, active or not, as they were created."""
        return self.rules.of(parent_id)

    def meters_of(self, proxy_id: str) -> list[Meter]:
        """The meters of a proxy, active or not, as they were created."""
        return self.meters.of(proxy_id)

    def filters_of(self, parent_id: str) -> list[Filter]:
        """The same for filters."""
        return self.filters.of(parent_id)

    def belonging_to(self, parent_id: str) -> list[Rule | Filter | Meter]:
        """All that goes with a credential, target or proxy."""
        return [noun for nouns in self._belonging.values() for noun in nouns.of(parent_id)]

    def rule_scope(self, parent: Credential | Target | Proxy) -> RuleScope:
        """What `parent`, which need not be in force, says of requests."""
        return rule_scope(parent, self.rules_of(parent.id))

    def parts(self, proxy: Proxy) -> Parts | None:
        """What `proxy`, which need not be in force, joins as everything stands now; None without a target of its own
        client."""
        return self.joining().parts(proxy)

    def joining(self, instead: Target | None = None) -> Joining:
        """What makes Parts of many proxies, as everything stands now but for the target `instead`."""
        return Joining(self, instead)

    def routes(self) -> Iterator[Route]:
        """The Routes built so far."""
        return iter(tuple(self._routes.values()))

    def _tell_if_ended(self, was: Proxy | Credential | None, now: Proxy | Credential | None = None) -> None:
        if was is not None and was.active and (now is None or not now.active):
            self._tell_ended(was.id)

    def _tell_ended(self, noun_id: str) -> None:
        for tell in self._when_ended:
            tell(noun_id)

    def _forget_routes_with(self, part_id: str) -> None:
        # The part may be the proxy itself.
        self._routes.pop(part_id.encode(), None)
        self._forget_routes(self._proxies_using.get(part_id, ()))

    def _forget_routes(self, proxy_ids: Iterable[str]) -> None:
        for proxy_id in proxy_ids:
            self._routes.pop(proxy_id.encode(), None)

    def _drop_what_belongs_to(self, parent_id: str) -> None:
        for nouns in self._belonging.values():
            nouns.drop_all_of(parent_id)

    def _unlink(self, proxy_id: str) -> None:
        self._routes.pop(proxy_id.encode(), None)
        known = self.proxies.get(proxy_id)
        if known is None:
            return
        for part in (known.proxy_credential_id, known.target_id, known.target_credential_id):
            self._proxies_using.get(part, set()).discard(proxy_id)
        if known.alias is not None and self._aliases.get((known.client_id, known.alias)) == proxy_id:
            del self._aliases[known.client_id, known.alias]
