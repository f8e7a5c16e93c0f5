"""httpbin in the place of the API that the pages call.

Belongs here: fixtures of tests/docs/. Does not: reading pages (pages.py).
"""

from tests.gateway.conftest import httpbin

__all__ = ["httpbin"]
