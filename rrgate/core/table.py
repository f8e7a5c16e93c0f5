"""`ROUTES` and `NOUNS`: every route of the Core API and every kind of object, in the order of its documentation.

Belongs here: joining what the nouns' files have. Does not: any route of its own.
"""

from __future__ import annotations

from typing import Any, Final

from rrgate.core import (
    audit,
    auth_types,
    authorize,
    callbacks,
    client_certificates,
    clients,
    configuration,
    credentials,
    deliveries,
    docs,
    explain,
    filters,
    health,
    invites,
    members,
    meters,
    metrics,
    notifications,
    proxies,
    proxy_plugins,
    requests,
    revisions,
    rules,
    targets,
    telemetry,
    tokens,
    trials,
    users,
)
from rrgate.core.openapi.document import openapi_document
from rrgate.core.openapi.nouns import PublishedNoun
from rrgate.core.routes import Route
from rrgate.model import Client, Credential, Filter, Invite, Member, Meter, Proxy, Rule, Target, Token, User

__all__ = ["NOUNS", "ROUTES", "PublishedNoun", "document"]


def document() -> dict[str, Any]:
    """The OpenAPI document of all that is here."""
    return openapi_document(ROUTES, NOUNS)


ROUTES: Final[tuple[Route, ...]] = (
    *users.ROUTES,
    *tokens.ROUTES,
    *clients.ROUTES,
    *configuration.ROUTES,
    *members.ROUTES,
    *invites.ROUTES,
    *credentials.ROUTES,
    *targets.ROUTES,
    *proxies.ROUTES,
    *callbacks.ROUTES,
    *rules.ROUTES,
    *filters.ROUTES,
    *meters.ROUTES,
    *explain.ROUTES,
    *trials.ROUTES,
    *authorize.ROUTES,
    *requests.ROUTES,
    *deliveries.ROUTES,
    *telemetry.ROUTES,
    *audit.ROUTES,
    *revisions.ROUTES,
    *notifications.ROUTES,
    *auth_types.ROUTES,
    *proxy_plugins.ROUTES,
    *metrics.ROUTES,
    *health.ROUTES,
    *docs.docs_routes(document),
)

NOUNS: Final = (
    PublishedNoun("users", User),
    PublishedNoun("tokens", Token, tokens.EXTRAS),
    PublishedNoun("clients", Client, clients.EXTRAS),
    PublishedNoun("members", Member, members.EXTRAS),
    PublishedNoun("invites", Invite, invites.EXTRAS),
    PublishedNoun("credentials", Credential, credentials.EXTRAS),
    PublishedNoun("targets", Target, client_certificates.EXTRAS),
    PublishedNoun("proxies", Proxy, proxies.EXTRAS),
    PublishedNoun("rules", Rule, rules.EXTRAS),
    PublishedNoun("filters", Filter),
    PublishedNoun("meters", Meter, meters.EXTRAS),
)
