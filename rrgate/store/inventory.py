"""`Inventory`: everything that is configured, as it was at one moment.

Belongs here: the shape in which the Store hands over nouns. Does not: rows (rows.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from attrs import field, frozen

from rrgate.model import Client, Credential, Filter, Invite, Member, Meter, Proxy, Rule, Target, Token, User
from rrgate.model.belonging import Unread

Noun = User | Token | Client | Member | Invite | Credential | Target | Proxy | Rule | Filter | Meter
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
    filters: tuple[Filter, ...] = ()
    invites: tuple[Invite, ...] = ()
    meters: tuple[Meter, ...] = ()

    def everything(self) -> Iterator[Noun]:
        """All of it, what others belong to before them."""
        return chain(
            self.users,
            self.tokens,
            self.clients,
            self.members,
            self.credentials,
            self.targets,
            self.proxies,
            self.rules,
            self.filters,
            self.invites,
            self.meters,
        )


@frozen
class LateInventory:
    """The same, as a gateway wants it that starts: what there are many of, and each request needs few of, is not read
    yet. `read`: the other nouns, and those credentials over again that are `passing`."""

    credentials: Unread[Credential]
    rules: Unread[Rule]
    read: Inventory


__all__ = ["Inventory", "Member", "Noun"]
