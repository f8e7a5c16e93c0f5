"""Who may do what: one table, which every request is judged by, and of which tests and documentation are made.

Belongs here: `MAY`, the words it is written in, and who may set fields and roles. Does not: judging by it
(authentication.py), or anything else of a route (the nouns' files).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from typing import Final

from attrs import frozen

from rrgate.api import Problem
from rrgate.core.answers import Refused


class Role(IntEnum):
    """A member's role in a client; a greater one may do all that a smaller one may."""

    USER = 1
    ADMIN = 2
    OWNER = 3


class Who(Enum):
    """Who may call a route, whatever client it is about. The value is what the documentation says.

    A token that is narrowed to a client or a role makes nobody an operator, and takes part in `ANY_USER` alone.
    """

    ANYBODY = "anybody"
    ANY_USER = "any user"
    WHOLE_USER = "any user, by a whole token"
    SELF = "that user"
    WHOLE_SELF = "that user, by a whole token"
    OPERATOR = "operator"
    CREATOR = "operator; with `open_clients` any user, by a whole token"


@frozen
class Or:
    """Who has this role, and else `who`: an operator, who need not be a member, or the member that the path names."""

    role: Role
    who: Who


Needs = Role | Who | Or

MAY: Final[Mapping[str, Needs]] = {
    "GET /users/me": Who.ANY_USER,
    "GET /users/{userId}": Who.SELF,
    "PUT /users/{userId}": Who.WHOLE_SELF,
    "GET /users/{userId}/tokens": Who.WHOLE_SELF,
    "POST /users/{userId}/tokens": Who.WHOLE_SELF,
    "DELETE /users/{userId}/tokens/{tokenId}": Who.WHOLE_SELF,
    #
    "GET /clients": Who.ANY_USER,
    "POST /clients": Who.CREATOR,
    "GET /clients/{clientId}": Role.USER,
    "PUT /clients/{clientId}": Role.OWNER,
    "DELETE /clients/{clientId}": Role.OWNER,
    "GET /clients/{clientId}/configuration": Or(Role.USER, Who.OPERATOR),
    "PUT /clients/{clientId}/configuration": Or(Role.OWNER, Who.OPERATOR),
    #
    "GET /clients/{clientId}/members": Role.USER,
    "PUT /clients/{clientId}/members/{userId}": Role.OWNER,
    "DELETE /clients/{clientId}/members/{userId}": Or(Role.OWNER, Who.WHOLE_SELF),
    "GET /clients/{clientId}/users": Role.USER,
    "PUT /clients/{clientId}/users/{userId}": Role.OWNER,
    "DELETE /clients/{clientId}/users/{userId}": Or(Role.OWNER, Who.WHOLE_SELF),
    "GET /clients/{clientId}/invites": Role.USER,
    "POST /clients/{clientId}/invites": Role.ADMIN,
    "DELETE /clients/{clientId}/invites/{inviteId}": Role.ADMIN,
    "POST /invites/accept": Who.WHOLE_USER,
    "POST /invites/decline": Who.ANYBODY,
    "POST /users": Who.ANYBODY,
    #
    "GET /clients/{clientId}/credentials": Role.USER,
    "POST /clients/{clientId}/credentials": Role.ADMIN,
    "GET /clients/{clientId}/credentials/{credentialId}": Role.USER,
    "PUT /clients/{clientId}/credentials/{credentialId}": Role.ADMIN,
    "DELETE /clients/{clientId}/credentials/{credentialId}": Role.ADMIN,
    #
    "GET /clients/{clientId}/targets": Role.USER,
    "POST /clients/{clientId}/targets": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}": Role.USER,
    "PUT /clients/{clientId}/targets/{targetId}": Role.ADMIN,
    "DELETE /clients/{clientId}/targets/{targetId}": Role.ADMIN,
    #
    "GET /clients/{clientId}/proxies": Role.USER,
    "POST /clients/{clientId}/proxies": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}": Role.USER,
    "PUT /clients/{clientId}/proxies/{proxyId}": Role.ADMIN,
    "DELETE /clients/{clientId}/proxies/{proxyId}": Role.ADMIN,
    "POST /clients/{clientId}/proxies/{proxyId}/callback-secret": Role.ADMIN,
    #
    "GET /clients/{clientId}/credentials/{credentialId}/rules": Role.USER,
    "POST /clients/{clientId}/credentials/{credentialId}/rules": Role.ADMIN,
    "GET /clients/{clientId}/credentials/{credentialId}/rules/{ruleId}": Role.USER,
    "PUT /clients/{clientId}/credentials/{credentialId}/rules/{ruleId}": Role.ADMIN,
    "DELETE /clients/{clientId}/credentials/{credentialId}/rules/{ruleId}": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}/rules": Role.USER,
    "POST /clients/{clientId}/targets/{targetId}/rules": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}/rules/{ruleId}": Role.USER,
    "PUT /clients/{clientId}/targets/{targetId}/rules/{ruleId}": Role.ADMIN,
    "DELETE /clients/{clientId}/targets/{targetId}/rules/{ruleId}": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/rules": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/rules": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/rules/{ruleId}": Role.USER,
    "PUT /clients/{clientId}/proxies/{proxyId}/rules/{ruleId}": Role.ADMIN,
    "DELETE /clients/{clientId}/proxies/{proxyId}/rules/{ruleId}": Role.ADMIN,
    #
    "GET /clients/{clientId}/credentials/{credentialId}/filters": Role.USER,
    "POST /clients/{clientId}/credentials/{credentialId}/filters": Role.ADMIN,
    "GET /clients/{clientId}/credentials/{credentialId}/filters/{filterId}": Role.USER,
    "PUT /clients/{clientId}/credentials/{credentialId}/filters/{filterId}": Role.ADMIN,
    "DELETE /clients/{clientId}/credentials/{credentialId}/filters/{filterId}": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}/filters": Role.USER,
    "POST /clients/{clientId}/targets/{targetId}/filters": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}/filters/{filterId}": Role.USER,
    "PUT /clients/{clientId}/targets/{targetId}/filters/{filterId}": Role.ADMIN,
    "DELETE /clients/{clientId}/targets/{targetId}/filters/{filterId}": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/filters": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/filters": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/filters/{filterId}": Role.USER,
    "PUT /clients/{clientId}/proxies/{proxyId}/filters/{filterId}": Role.ADMIN,
    "DELETE /clients/{clientId}/proxies/{proxyId}/filters/{filterId}": Role.ADMIN,
    #
    "GET /clients/{clientId}/proxies/{proxyId}/meters": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/meters": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/meters/{meterId}": Role.USER,
    "PUT /clients/{clientId}/proxies/{proxyId}/meters/{meterId}": Role.ADMIN,
    "DELETE /clients/{clientId}/proxies/{proxyId}/meters/{meterId}": Role.ADMIN,
    #
    "POST /clients/{clientId}/proxies/{proxyId}/explain": Role.ADMIN,
    "POST /clients/{clientId}/targets/{targetId}/test": Role.ADMIN,
    "POST /clients/{clientId}/credentials/{credentialId}/test": Role.ADMIN,
    "POST /clients/{clientId}/credentials/{credentialId}/authorize": Role.ADMIN,
    "GET /oauth2/start/{nonce}": Who.ANYBODY,
    "GET /oauth2/callback": Who.ANYBODY,
    #
    "GET /clients/{clientId}/proxies/{proxyId}/requests": Role.USER,
    "GET /clients/{clientId}/proxies/{proxyId}/requests/{requestId}": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/requests/{requestId}/cancel": Role.ADMIN,
    "POST /clients/{clientId}/proxies/{proxyId}/requests/{requestId}/replay": Role.ADMIN,
    "POST /clients/{clientId}/proxies/{proxyId}/requests/replay": Role.ADMIN,
    "GET /clients/{clientId}/telemetry": Role.USER,
    "GET /clients/{clientId}/proxies/{proxyId}/telemetry": Role.USER,
    "GET /clients/{clientId}/audit": Role.ADMIN,
    "GET /clients/{clientId}/revisions": Role.USER,
    "GET /clients/{clientId}/credentials/{credentialId}/revisions": Role.USER,
    "POST /clients/{clientId}/credentials/{credentialId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}/revisions": Role.USER,
    "POST /clients/{clientId}/targets/{targetId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/revisions": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/credentials/{credentialId}/rules/{ruleId}/revisions": Role.USER,
    "POST /clients/{clientId}/credentials/{credentialId}/rules/{ruleId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}/rules/{ruleId}/revisions": Role.USER,
    "POST /clients/{clientId}/targets/{targetId}/rules/{ruleId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/rules/{ruleId}/revisions": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/rules/{ruleId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/credentials/{credentialId}/filters/{filterId}/revisions": Role.USER,
    "POST /clients/{clientId}/credentials/{credentialId}/filters/{filterId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/targets/{targetId}/filters/{filterId}/revisions": Role.USER,
    "POST /clients/{clientId}/targets/{targetId}/filters/{filterId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/filters/{filterId}/revisions": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/filters/{filterId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /clients/{clientId}/proxies/{proxyId}/meters/{meterId}/revisions": Role.USER,
    "POST /clients/{clientId}/proxies/{proxyId}/meters/{meterId}/revisions/{revision}/restore": Role.ADMIN,
    "GET /notifications/system": Who.OPERATOR,
    "GET /notifications/system/{notificationId}": Who.OPERATOR,
    "GET /users/{userId}/notifications": Who.WHOLE_SELF,
    "GET /users/{userId}/notifications/{notificationId}": Who.WHOLE_SELF,
    "GET /clients/{clientId}/notifications": Role.USER,
    "GET /clients/{clientId}/notifications/{notificationId}": Role.USER,
    "GET /auth-types": Who.ANY_USER,
    "GET /proxy-plugins": Who.ANY_USER,
    "GET /metrics": Who.OPERATOR,
    "GET /healthz": Who.ANYBODY,
    "GET /readyz": Who.ANYBODY,
    "GET /openapi.json": Who.ANYBODY,
    "GET /docs": Who.ANYBODY,
}
"""Every route of the Core API, in the order of its documentation. Whoever adds a route adds its line here."""


OPERATORS: Final = frozenset(
    (
        "plan",
        "billing.suspended",
        "billing.monthlyRequestBudget",
        "ceilings.requestsPerMinute",
        "ceilings.requestsPerDay",
        "allowedRegions",
        "allowedNetworks",
    )
)
"""Fields of a client's configuration that an operator sets; all others are its owners'."""


def needs(method: str, template: str) -> Needs:
    """What `MAY` says of a route. Raises LookupError where it says nothing: such a route does not exist."""
    known = MAY.get(f"{method} {template}")
    if known is None:
        raise LookupError(f"{method} {template} has no line in the table MAY of rrgate/core/access.py")
    return known


def described(needed: Needs) -> str:
    """`needed` in words, for the documentation."""
    match needed:
        case Role():
            return f"role {needed.name.lower()}"
        case Or():
            return f"{described(needed.role)}, or {needed.who.value}"
        case _:
            return needed.value


def role_of(names: Iterable[str]) -> Role | None:
    """The greatest of these roles, the unknown ones left out; None if there is none."""
    return max(roles_of(names), default=None)


def may_grant(role: Role, names: Iterable[str]) -> bool:
    """Whether who has `role` may make somebody else what `names` say: nobody grants what he does not have."""
    return role >= Role.ADMIN and all(each <= role for each in roles_of(names))


def check_grant(role: Role, field: str, names: Iterable[str]) -> None:
    """Raises Refused with 403 unless `may_grant`."""
    if not may_grant(role, names):
        problem = f"goes beyond your own role, which is {role.name.lower()}"
        raise Refused(403, "Nobody grants a role that he does not have.", (Problem(field, problem),))


def roles_of(names: Iterable[str]) -> list[Role]:
    """Roles by their names, the unknown ones left out."""
    return [Role[name.upper()] for name in names if name.upper() in Role.__members__]
