"""Counters in shared memory: exact over all processes of a node, and over their deaths.

Belongs here: where counts are kept, and taking from limits. Does not: which limits there are (plugins, core/).
"""

from rrgate.counters.counters import Counters
from rrgate.counters.opening import COUNTERS, open_memory

__all__ = ["COUNTERS", "Counters", "open_memory"]
