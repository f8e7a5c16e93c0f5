"""What helps to test a gateway and its plugins, for this project's tests and anyone else's.

Belongs here: tools that know no test framework. Does not: tests, or anything that a running gateway imports.
docs/plugin-guide.md shows their use.
"""

from rrgate.testing.calls import Call, StillWaiting
from rrgate.testing.canary import Canary, Finding
from rrgate.testing.clock import Clock
from rrgate.testing.contract import Ask, BrokenPromise, BrokenPromises, Occasion, check_plugin
from rrgate.testing.gateway import MemoryGateway
from rrgate.testing.messages import Answer, Received
from rrgate.testing.operator_log import OperatorLog, operator_log
from rrgate.testing.outside import OutsideCall, StubOutside
from rrgate.testing.state import MemoryState
from rrgate.testing.target import Says, StubTarget

__all__ = [
    "Answer",
    "Ask",
    "BrokenPromise",
    "BrokenPromises",
    "Call",
    "Canary",
    "Clock",
    "Finding",
    "MemoryGateway",
    "MemoryState",
    "Occasion",
    "OperatorLog",
    "OutsideCall",
    "Received",
    "Says",
    "StillWaiting",
    "StubOutside",
    "StubTarget",
    "check_plugin",
    "operator_log",
]
