"""`ROUTES`: every route of the Core API, in the order of its documentation.

Belongs here: joining the nouns' tables. Does not: any route of its own.
"""

from __future__ import annotations

from rrgate.core import clients, credentials, health, proxies, requests, targets

ROUTES = (
    *clients.ROUTES,
    *credentials.ROUTES,
    *targets.ROUTES,
    *proxies.ROUTES,
    *requests.ROUTES,
    *health.ROUTES,
)
