"""What is asked of an `Explainer`, and what it answers.

Belongs here: the data. Does not: finding it out (explaining.py), masking (explained_request.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from rrgate.api import Fields, Identity
from rrgate.explained_request import ExplainedRequest


@frozen
class Described:
    """A request that is to be explained. `target`: origin-form behind the proxy's own address, with the query.

    `websocket`: it asks for one.
    """

    method: bytes
    target: bytes
    fields: Fields = field(repr=False)
    body: bytes = field(repr=False)
    identity: Identity
    address: str
    websocket: bool = False


Notes = tuple[Mapping[str, object], ...]
"""What a step says besides, as JSON objects."""


@frozen
class StepTold:
    """What one plugin said in one phase.

    `outcome`: `passed`, `denied`, `answered`, `failed`, `assumed` (a caller's credential, of which none was shown), or
    `not-run` (a plugin that cannot say what it would do).
    """

    plugin: str
    phase: str
    outcome: str
    reason: str = ""
    notes: Notes = ()


@frozen
class Explanation:
    """What would become of a request. `request`: what would be sent, or None: `status`, `code` and `message` then say
    what would be answered instead. `complete`: whether every step could say what it would do. `retries_by`: the
    plugin that would say when it is tried again by the Async API."""

    request: ExplainedRequest | None
    status: int | None
    code: str
    message: str
    complete: bool
    steps: tuple[StepTold, ...]
    deciding_rule: str
    warnings: tuple[str, ...]
    checks: Mapping[str, bool]
    retries_by: str = ""
