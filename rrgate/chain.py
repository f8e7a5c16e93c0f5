"""`Chain`: the plugins of one proxy as tuples of `Step`, one a phase: what runs, in which order.

Belongs here: their data, and the calling convention of a step. Does not: making them of plugins (chaining.py), calling
them (steps.py), what an answer leads to (pipeline.py).
A compiled tuple costs 0.1–0.5 µs a request where a pluggy call costs 1.3–4 µs and is the same for every proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from rrgate.patience import ENDLESS, Patience
from rrgate.plugin_values import Kind


@frozen(slots=True, eq=False)
class Step:
    """One plugin in one phase. `call` is its bound method, and `is_async` that what it answers is to be awaited.

    A method that is not `async def` may answer an awaitable all the same (it is wrapped, or answers a Deferred).
    """

    call: Callable[..., Any]
    is_async: bool
    plugin: str
    phase: str
    mark: int
    """One bit of `Exchange.entered`, the same for all steps of one plugin."""
    patience: Patience = ENDLESS
    """How long what it answers may be awaited."""
    kind: Kind = Kind.OWN
    pure: bool = False
    """See `Plugin.pure`."""


@frozen(slots=True, eq=False)
class Chain:
    """The phases of one proxy. Answers run in reverse order by construction."""

    authenticate: tuple[Step, ...] = ()
    authorize: tuple[Step, ...] = ()
    body_needed: tuple[Step, ...] = ()
    prepare: tuple[Step, ...] = ()
    on_request_body: tuple[Step, ...] = ()
    renew: tuple[Step, ...] = ()
    on_response: tuple[Step, ...] = ()
    on_body: tuple[Step, ...] = ()
    next_attempt: tuple[Step, ...] = ()
    on_log: tuple[Step, ...] = ()
    explain: tuple[Step, ...] = ()
    """Not a phase of a request: what is called where one is explained."""
    body_limit: int | None = None
    """The body of every request is needed whole before `prepare`, up to so many bytes; None: `body_needed` decides."""
    entered_by_sending: int = 0
    """Marks of the plugins that have no method on the way in."""
