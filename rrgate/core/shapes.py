"""What the Core API answers that is no noun: typed classes of which its document is made, and answers are held to.

Belongs here: their fields, as they are answered. Does not: making the answers (a file each), nouns (model/), what the
request log and telemetry hold (log_shapes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs
from attrs import NOTHING, frozen

from rrgate.checks import NAMES
from rrgate.model import Member, Token
from rrgate.model.published import Milliseconds


@frozen(kw_only=True)
class Success:
    """What a route answers when all is well: an object with `name`, an array of `of` (or one, if not `listed`), and
    the fields of the class `also` besides. Without `name`: the fields of `of` alone. Without `of`: any object.

    `media_type`: where it is no JSON. `pages`: whether people see its refusals too, as pages.
    """

    name: str | None = None
    of: type[Any] | None = None
    listed: bool = True
    also: type[Any] | None = None
    status: int = 200
    media_type: str = "application/json"
    pages: bool = False


def told(help: str = "", *, name: str | None = None, sometimes: bool = False, example: Any = NOTHING) -> Any:
    """A field of an answer. `name`: where it is not the attribute's in camelCase. `sometimes`: whether it may miss."""
    metadata = {"help": help, "name": name, "example": example}
    return attrs.field(default=None if sometimes else NOTHING, metadata=metadata)


@frozen(kw_only=True)
class Message:
    """An answer of words alone."""

    message: str = told("What was done.", example="Invite declined successfully")


@frozen(kw_only=True)
class Status:
    """The answer to whoever watches."""

    status: str = told("`ok` or `ready`.", example="ok")


@frozen(kw_only=True)
class ClientMember:
    """A member, as its client shows him."""

    user_id: str
    roles: tuple[Literal["owner", "admin", "user"], ...]


@frozen(kw_only=True)
class Joined:
    """Of a new user: what the answer holds besides."""

    tokens: tuple[Token, ...] = told("A token of his, shown this once.")
    members: tuple[Member, ...] = told("What he is now.")


@frozen(kw_only=True)
class MeterCounts:
    """What a meter has counted so far."""

    minute: float
    hour: float
    day: float
    month: float


@frozen(kw_only=True)
class Trial:
    """What came of a test."""

    status: int | None = told("What the target answered; null if it did not.", example=200)
    problem: str | None = told("Why there is no answer, or not all of it; else null.")
    connect_seconds: float | None = told("From the look-up of the name to the end of the TLS handshake.", example=0.031)
    first_byte_seconds: float | None = told("From then to the head of the answer.", example=0.112)
    total_seconds: float | None = told("All of it.", example=0.144)


@frozen(kw_only=True)
class CallbackSecret:
    """A secret that signs callbacks, shown this once."""

    secret: str = told("As libraries of Standard Webhooks take it.", example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    fingerprint: str = told("Tells it from others.", example="5f1c0a9e")
    previous_secret_expires_at: Milliseconds | None = told("Until when the one before it signs, too.")


@frozen(kw_only=True)
class Link:
    """A link to follow in a browser."""

    url: str = told("Where to go.", example="https://gateway.example.com/oauth2/start/cU0")
    expires_at: Milliseconds = told("Until when it works.")


@frozen(kw_only=True)
class AuthType:
    """An installed auth type."""

    name: str = told("What may stand in `credentialAuthType`.", example="key")
    aliases: tuple[str, ...] = told("What may stand there too.")
    sides: tuple[Literal["proxy", "target"], ...] = told("What may stand in `credentialType` with it.")
    credential_secret: Mapping[str, Any] = told("A JSON Schema of the secret.", example={"type": "object"})
    distribution: str | None = told("The installed package that brought it.", example="rrgate")
    version: str | None = told("That package's version.", example="0.1.0")


@frozen(kw_only=True)
class ListablePlugin:
    """A plugin that proxies may list."""

    name: str = told("What may stand as `name` in `proxyPlugins`.", example="read-only")
    aliases: tuple[str, ...] = told("What may stand there too.")
    configuration: Mapping[str, Any] = told("A JSON Schema of its configuration.", example={"type": "object"})
    distribution: str | None = told("The installed package that brought it.", example="rrgate-read-only")
    version: str | None = told("That package's version.", example="0.1.0")


@frozen(kw_only=True)
class AuditEntry:
    """A change, who made it and how."""

    p_key: str = told("The client.")
    s_key: str = told("Its own id.")
    user_id: str | None = told("Who; null for a command, and for the gateway itself.")
    client_id: str | None = told("The client.")
    parent_id: str | None = told("The client.")
    audit_created_at: Milliseconds = told("When.")
    audit_token_id: str | None = told("The id of the token that was shown.")
    audit_via: str = told("How: the route, the command or the field.", example="POST /clients/{clientId}/targets")
    audit_action: Literal["create", "change", "delete", "test", "authorize", "cancel", "replay"] = told(
        "What was done."
    )
    audit_resource: str = told("The plural of its kind.", example="targets")
    audit_resource_id: str = told("Its `sKey`.")
    audit_before: Mapping[str, Any] | None = told("As it was published; null where there was nothing.")
    audit_after: Mapping[str, Any] | None = told("As it is published; null where there is nothing.")


@frozen(kw_only=True)
class Revision:
    """What an object was and became with a change."""

    p_key: str = told("The client.")
    s_key: str = told("Its own id.")
    user_id: str | None = told("Who; null for a command, and for the gateway itself.")
    client_id: str = told("The client.")
    parent_id: str = told("The object.")
    revision: int = told("Its number: the object's first is 1.", example=1)
    revision_created_at: Milliseconds = told("When.")
    revision_via: str = told("How.", example="PUT /clients/{clientId}/targets/{targetId}")
    revision_action: Literal["create", "change", "delete"] = told("What was done.")
    revision_resource: str = told("The plural of its kind.", example="targets")
    revision_resource_id: str = told("Its `sKey`.")
    revision_before: Mapping[str, Any] | None = told("As it was published; null where there was nothing.")
    revision_after: Mapping[str, Any] | None = told("As it became; null where there is nothing.")


_NOTICE: Final = (
    'The proxy "Stripe Proxy" (6f404b9e-669f-4b6f-98af-0c8a9b02c594) has used up its limit for a minute; further '
    "requests are refused until the next begins."
)


@frozen(kw_only=True)
class Notification:
    """Something that somebody is told."""

    p_key: str = told("The client or user; `SYSTEM_NOTIFICATION` of operators.")
    s_key: str = told("Its own id.")
    notification_id: str = told("The same.")
    type: Literal["system", "user", "client"] = told("Who is told.")
    title: str = told("A few words.", example="A limit is reached")
    message: str = told("A sentence, with ids and names.", example=_NOTICE)
    read: bool = told("Whether you have read it.", example=False)
    created_at: Milliseconds = told("When.")


ValidationData = attrs.make_class(
    "ValidationData", {name: attrs.field(type=bool, metadata={"name": name}) for name in NAMES}, frozen=True
)
"""Which checks the request passed; one that was not reached is false."""


@frozen(kw_only=True)
class ExplainedStep:
    """What one plugin said in one phase."""

    plugin: str = told(example="forward")
    phase: str = told(example="authorize")
    outcome: Literal["passed", "denied", "answered", "failed", "assumed", "not-run"] = told("How it ended.")
    reason: str | None = told("Why.")
    notes: tuple[Mapping[str, Any], ...] = told("What else it tells, such as of each rule.", example=[])


@frozen(kw_only=True)
class ExplainedPart:
    """A header or query parameter that would be sent. What a credential wrote is masked."""

    name: str = told(example="Accept")
    value: str = told(example="*/*")
    written_by: str = told("Who wrote it.", example="caller")


@frozen(kw_only=True)
class ExplainedBody:
    """A body that would be sent: its beginning, as `text` or, if that is none, as `base64`."""

    bytes: int
    written_by: str | None
    text: str = told(sometimes=True)
    base64: str = told(sometimes=True)
    credential_adds: str = told("What a credential would add to it, masked.", sometimes=True)


@frozen(kw_only=True)
class Explained:
    """The request that would be sent."""

    method: str = told(example="GET")
    url: str = told(example="https://api.stripe.com/v1/customers")
    headers: tuple[ExplainedPart, ...]
    query_params: tuple[ExplainedPart, ...]
    body: ExplainedBody | None


@frozen(kw_only=True)
class RetryPlan:
    """When the Async API would send the request again. Null: what only its plugin knows."""

    plugin: str | None = told("Who decides; null if nobody does, and there is one attempt.")
    most_attempts: int = told("Attempts in all.", example=11)
    window: float = told("Seconds for all of them.", example=900.0)
    longest_waits: tuple[float, ...] | None = told(
        "Seconds, after each attempt: a wait is anything from nothing to this.", example=[1.0, 2.0, 4.0]
    )
    statuses: tuple[int, ...] | None = told("Those that are tried again.", example=[429, 503])
    repeated_after_crash: bool = told("Whether it is sent again where the gateway died during an attempt.")
    idempotency_key: Literal["caller", "request"] | None = told(
        "What attempts carry as such: the caller's, or the request's id."
    )


@frozen(kw_only=True)
class Explanation:
    """What would become of a request."""

    outcome: Literal["sent", "refused"] = told("Which of the two.")
    complete: bool = told("Whether every step could say what it would do.", example=True)
    status: int | None = told("Where it would be refused: with what.")
    code: str | None = told("The same for the code.")
    message: str | None = told("And in words.")
    rule_id: str | None = told("The rule that decided.")
    steps: tuple[ExplainedStep, ...]
    request: Explained | None = told("What would be sent.")
    retry_plan: RetryPlan | None = told("When it would be sent again by the Async API; null where it is not sent.")
    warnings: tuple[str, ...] = told(example=[])
    validation_data: ValidationData = told("Which checks it passed.")  # type: ignore[valid-type]  # made above, of names
