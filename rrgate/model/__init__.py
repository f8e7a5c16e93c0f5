"""The nouns of the Core API as frozen attrs classes; inside, Python names, and at the edges the published ones.

Belongs here: what a client, credential, target, proxy, rule or filter is. Does not: how it is stored (store/), or
served (core/).
"""

from rrgate.model.client import Client
from rrgate.model.configuration import Configuration
from rrgate.model.credential import NO_PREVIOUS_SECRET, Credential, Side
from rrgate.model.filter import Filter, FilterScope
from rrgate.model.invite import Invite
from rrgate.model.meter import Meter
from rrgate.model.parts import Parts
from rrgate.model.proxy import Proxy
from rrgate.model.rule import Rule, RuleScope, Scope
from rrgate.model.target import Target
from rrgate.model.user import Member, Token, User

__all__ = [
    "NO_PREVIOUS_SECRET",
    "Client",
    "Configuration",
    "Credential",
    "Filter",
    "FilterScope",
    "Invite",
    "Member",
    "Meter",
    "Parts",
    "Proxy",
    "Rule",
    "RuleScope",
    "Scope",
    "Side",
    "Target",
    "Token",
    "User",
]
