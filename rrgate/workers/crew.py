"""`Hand`: a worker as the parent sees it, and `Generation`: those that were started with one reading of the settings.

Belongs here: what is known of them. Does not: what is done with them (supervisor.py).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Protocol

from attrs import define, field, frozen

LONGEST_WAIT: Final = 30.0
"""Seconds until one is tried again, after many in a row have failed."""


class Stage(Enum):
    """How far a worker is."""

    SPARE = "has everything imported, and nothing open"
    OPENING = "opens the state"
    READY = "could serve"
    SERVING = "serves"
    RETIRING = "ends what it has begun"
    GONE = "is no more"


class Launched(Protocol):
    """A process, and the channel to it."""

    pid: int

    def send(self, say: str, **values: Any) -> None: ...
    def kill(self) -> None: ...


@frozen
class Plan:
    """What the settings say of the node as a whole, and what its workers are started with."""

    workers: int
    endpoints: tuple[str, ...]
    drain_timeout: float
    config: bytes | None = field(default=None, repr=False)
    """The settings file as it was read: one who is started later must not read another."""


@define(eq=False)
class Generation:
    """Workers with the same settings, and the same code."""

    number: int
    plan: Plan
    is_complete: bool = False
    """Whether all of it were ready once. Until then nobody is replaced."""
    is_over: bool = False
    failures: int = 0
    """Workers in a row that ended soon after their start."""

    @property
    def wait(self) -> float:
        """Seconds until the next one is started."""
        return 0.0 if self.failures < 3 else float(min(LONGEST_WAIT, 0.5 * 2 ** min(self.failures - 3, 10)))


@define(eq=False)
class Hand:
    """One worker."""

    number: int
    generation: Generation
    process: Launched = field(init=False)
    stage: Stage = Stage.SPARE
    slot: int = -1
    began: float = 0.0
    """When it was told to serve."""
    is_asked_for: bool = False
    """Whether its end is no surprise."""
    timers: list[Any] = field(factory=list)

    @property
    def name(self) -> str:
        """In the log."""
        return f"worker {self.number} (process {self.process.pid})"

    @property
    def serves(self) -> bool:
        """Whether it may have requests, so that changes must be in force in it."""
        return self.stage in (Stage.SERVING, Stage.RETIRING)

    @property
    def has_state(self) -> bool:
        """Whether it has read what is configured, or is about to."""
        return self.stage not in (Stage.SPARE, Stage.GONE)

    def send(self, say: str, **values: Any) -> None:
        """Tell it something."""
        self.process.send(say, **values)

    def kill(self) -> None:
        """End it now. Its death is heard of as any other."""
        self.process.kill()


Launch = Callable[[Hand], Launched]
"""Starts a worker's process; what it says and its end are heard of later. Raises OSError."""
