"""`Inventory`: everything that is configured, as it was at one moment; and `Member`, who belongs to which client.

Belongs here: the shape in which the Store hands over nouns. Does not: rows (rows.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from attrs import field, frozen

from rrgate.model import Client, Credential, Proxy, Rule, Target, Token, User


@frozen(kw_only=True)
class Member:
    """A user's place in a client. `roles` are of `owner`, `admin` and `user`."""

    user_id: str
    client_id: str
    roles: tuple[str, ...]


Noun = User | Token | Client | Member | Credential | Target | Proxy | Rule
"""What can be saved and deleted."""


@frozen(kw_only=True)
class Inventory:
    """Every noun that is stored, each tuple in the order of creation."""

    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = field(default=(), repr=False)
    members: tuple[Member, ...] = ()
    clients: tuple[Client, ...] = ()
    credentials: tuple[Credential, ...] = ()
    targets: tuple[Target, ...] = ()
    proxies: tuple[Proxy, ...] = ()
    rules: tuple[Rule, ...] = ()

    def without_members(self) -> Iterator[User | Token | Client | Credential | Target | Proxy | Rule]:
        """All of it but the members."""
        return chain(self.users, self.tokens, self.clients, self.credentials, self.targets, self.proxies, self.rules)
