"""The contract of rrgate.api as tests that anyone runs on his plugin.

Belongs here: `check_plugin` and what it needs. Does not: tools that are of use without it.
"""

from rrgate.testing.contract.check import PROMISES, BrokenPromise, BrokenPromises, check_plugin
from rrgate.testing.contract.samples import Ask, Occasion

__all__ = ["PROMISES", "Ask", "BrokenPromise", "BrokenPromises", "Occasion", "check_plugin"]
