"""What helps to test a gateway and its plugins, for this project's tests and anyone else's.

Belongs here: tools that know no test framework. Does not: tests, or anything that a running gateway imports.
"""

from rrgate.testing.canary import Canary, Finding

__all__ = ["Canary", "Finding"]
