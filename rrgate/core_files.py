"""No core file of a crash: everything that this process holds in memory would be in it, secrets in clear among it.

Belongs here: asking the system for none. Does not: who may look into a process that runs, which the system decides.
"""

from __future__ import annotations

import resource
from contextlib import suppress


def forbid() -> None:
    """Have the system write none of this process, nor of those that it starts. Whoever runs it may still ask for one
    (`prlimit`): only the soft limit changes. A handler that cores are piped to gets the limit told; systemd's keeps
    none then (core(5)).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with suppress(ValueError, OSError):  # a sandbox may forbid the call
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
