"""The door for host applications: everything that a service needs that has a gateway in it, and nothing else.

Belongs here: the names that docs/embedding.md describes. Does not: any behaviour. A host imports from here; what is not
named here may change with every version, but for rrgate.api (plugins) and rrgate.testing (tests). No reactor is
imported by it.
"""

from rrgate.agent import BASE, WrongAddress
from rrgate.agent_response import BrokenOff, NotTaken, StoppedTaking
from rrgate.api import Identity
from rrgate.careful_log import CarefulObserver
from rrgate.cli.init import FirstUser, create_state
from rrgate.gateway import Gateway
from rrgate.produced_body import WrongLength
from rrgate.reactor import install as install_reactor
from rrgate.registry import PluginLoadError
from rrgate.resource import GatewayResource
from rrgate.settings import Settings, SettingsError
from rrgate.settings import load as load_settings
from rrgate.store import GivenKeys, StateExists, StoreError, given_keys

__all__ = [
    "BASE",
    "BrokenOff",
    "CarefulObserver",
    "FirstUser",
    "Gateway",
    "GatewayResource",
    "GivenKeys",
    "Identity",
    "NotTaken",
    "PluginLoadError",
    "Settings",
    "SettingsError",
    "StateExists",
    "StoppedTaking",
    "StoreError",
    "WrongAddress",
    "WrongLength",
    "create_state",
    "given_keys",
    "install_reactor",
    "load_settings",
]
