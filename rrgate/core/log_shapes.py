"""What the Core API answers of requests that were: records of the log and spans of telemetry, as typed classes.

Belongs here: their fields, as they are answered. Does not: what makes them (record_view.py, telemetry_view.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from rrgate.core.shapes import ValidationData, told
from rrgate.model.published import Milliseconds


@frozen(kw_only=True)
class Spans:
    """Of telemetry: what the answer holds besides."""

    interval: Literal["minute", "hour", "day", "month"] = told("How long a span is.", example="hour")


@frozen(kw_only=True)
class Span:
    """The requests of a minute, hour, day or month in sums, by source: `proxy` and `target`. Times are seconds."""

    p_key: str = told("The proxy; of a client's telemetry the client.")
    s_key: str = told("The span, in UTC.", example="2025-09-10-02")
    proxy_id: str | None = told("The proxy; of a client's telemetry null.")
    count_map: Mapping[str, int] = told(
        "How many requests; of `target` those that were sent, attempts at asynchronous ones included.",
        example={"proxy": 150, "target": 142},
    )
    success_count_map: Mapping[str, int] = told("Those answered 2xx, 3xx or 101.", example={"proxy": 148})
    error_count_map: Mapping[str, int] = told("Those answered 4xx or 5xx.", example={"proxy": 2})
    total_response_time_map: Mapping[str, float] = told("Seconds in all.", example={"proxy": 116.145})
    code_count_map: Mapping[str, int] = told("By status and source.", example={"200:proxy": 148})
    code_total_rt_map: Mapping[str, float] = told(
        "Seconds in all, by status and source.", name="codeTotalRTMap", example={"200:proxy": 113.822}
    )
    country_count_map: Mapping[str, int] = told("By country and source.", example={"NZ:proxy": 90})
    country_total_rt_map: Mapping[str, float] = told(
        "Seconds in all, by country and source.", name="countryTotalRTMap", example={"NZ:proxy": 69.687}
    )
    average_response_time_map: Mapping[str, float] = told("Seconds on the average.", example={"proxy": 0.7743})
    success_rate_map: Mapping[str, float] = told("Of all.", example={"proxy": 0.9867})
    error_rate_map: Mapping[str, float] = told("Of all.", example={"proxy": 0.0133})
    country_average_rt_map: Mapping[str, float] = told(
        "Seconds on the average, by country and source.", name="countryAverageRTMap", example={"NZ:proxy": 0.7743}
    )
    ewma_response_time: float = told("The moving average of `proxy`, in seconds; 0 if there is none.", example=0.7681)


@frozen(kw_only=True)
class Requests:
    """Of a list of requests: what the answer holds besides."""

    total_requests: int = told("How many are in this answer.", example=1)
    limit_reached: bool = told("Whether there are more.")


@frozen(kw_only=True)
class ProxyData:
    """The caller's leg. Times are milliseconds since the epoch, durations seconds."""

    stage: str = told(example="prod")
    method: str = told(example="GET")
    api_path: str = told(example="/v1/customers")
    received_at: int = told("When the request came.", example=1765517217621)
    sent_at: int | None = told("When its answer had been sent.", example=1765517219616)
    duration: float = told(example=1.995)
    status: int = told("What the caller was answered.", example=200)
    message: str = told(example="Request logged")
    arn_base: str
    api_headers: Mapping[str, str] = told("Of the request; secret values are redacted.", example={"accept": "*/*"})
    api_params: Mapping[str, str] = told("Of its query; secret values are redacted.")


@frozen(kw_only=True)
class TargetData:
    """The target's leg; the same units."""

    sent_at: int | None = told(example=1765517217764)
    received_at: int | None = told(example=1765517219616)
    duration: float | None = told(example=1.852)
    status: int | None = told("What the target answered.", example=200)
    location: str | None = told("Where it sent the caller.")


@frozen
class Step:
    """A moment of a request."""

    step: str = told("`connect`, `TLS`, `first byte`, or a plugin and its phase.", example="connect")
    at: float = told("Seconds from the request's beginning.", example=0.031)


@frozen(kw_only=True)
class RequestRecord:
    """A request, as lists show it."""

    p_key: str = told("The proxy.")
    s_key: str = told("Its own id.")
    user_id: str = told("Who created the proxy.")
    client_id: str
    parent_id: str = told("The proxy.")
    processed: bool = told("Whether it has ended.", example=True)
    processed_at: int = told("When it came, in milliseconds since the epoch.", example=1765517217621)
    ttl: int = told("When it leaves the log, in seconds since the epoch.", name="TTL", example=1773293219)
    proxy_data: ProxyData
    target_data: TargetData | None
    validation_data: ValidationData  # type: ignore[valid-type]  # made of names
    credential_id: str | None = told("What the caller showed.")
    rule_id: str | None = told("The rule that decided.")
    country: str | None = told("Whence it came, if that is known.", example="NZ")
    token_claims: Mapping[str, Any] = told("For admins and owners: the claims that are logged.", sometimes=True)
    attempts: int = told("How often it was sent.", example=1)
    timeline: tuple[Step, ...]


@frozen(kw_only=True)
class DeliveryAttempt:
    """An attempt at an asynchronous request."""

    number: int = told("From 1, replays included.", example=1)
    started_at: Milliseconds
    ended_at: Milliseconds | None = told("Null while it is under way.")
    status: int | None = told("What the target answered, or this gateway in its place.", example=503)
    error: str | None = told("Why there is no answer of the target's.")
    wait: float | None = told("Seconds from its end to the next one.", example=0.914)


@frozen(kw_only=True)
class Callback:
    """The call that tells of a request's end."""

    state: Literal["queued", "sending", "waiting", "succeeded", "failed", "exhausted"]
    message: str | None = told("Why it failed.")
    attempts: int = told("Calls so far.", example=1)
    ended_at: Milliseconds | None
    next_attempt_at: Milliseconds | None


@frozen(kw_only=True)
class Delivery:
    """How far an asynchronous request has come."""

    state: Literal["queued", "sending", "waiting", "succeeded", "failed", "exhausted", "unknown", "cancelled"]
    message: str | None = told("Why it is in this state, where that is to be said.")
    removed_early: bool = told("What was kept of it was removed to make room: it cannot be replayed.", example=False)
    accepted_at: Milliseconds
    ended_at: Milliseconds | None
    next_attempt_at: Milliseconds | None
    attempts: tuple[DeliveryAttempt, ...]
    callback: Callback | None = told("Null where nobody was to be told, or it is not over yet.")


@frozen(kw_only=True)
class DeliveredRequest:
    """An asynchronous request, without its record."""

    p_key: str = told("The proxy.")
    s_key: str = told("Its own id.")
    client_id: str
    parent_id: str = told("The proxy.")
    delivery: Delivery


@frozen(kw_only=True)
class Replayed:
    """What came of asking for many."""

    replayed: int = told("How many are sent again.", example=3)
    limit_reached: bool = told("Whether there are more.")
    next_cursor: str = told("The next request's `cursor`, when there are more.", sometimes=True)
    message: str = told(example="Success")


@frozen(kw_only=True)
class RequestDetail(RequestRecord):
    """A request, by itself."""

    method: str = told(example="GET")
    path: str = told(example="/v1/customers")
    status_code: int = told(example=200)
    duration: int = told("Milliseconds.", example=1995)
    request_headers: Mapping[str, str]
    response_headers: Mapping[str, str]
    request_body: Any = told("For admins and owners, where bodies are logged.", sometimes=True)
    request_body_cut: bool = told("Whether there was more of it.", sometimes=True)
    response_body: Any = told("The same of its answer.", sometimes=True)
    response_body_cut: bool = told("Whether there was more of it.", sometimes=True)
    delivery: Delivery = told("Of an asynchronous request, while that is kept.", sometimes=True)
