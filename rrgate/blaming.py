"""`named`: whatever goes wrong while something is compiled becomes a ConfigError that says whose fault it is.

Belongs here: this turning. Does not: compiling.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from rrgate.api import ConfigError, Problem
from rrgate.patience import RAISED


class _Named(ConfigError):
    """One that says already whose fault it is."""


@contextmanager
def named(field: str, what: str) -> Iterator[None]:
    """Turns whatever the block raises into a ConfigError that says `what` failed, and where; never a value."""
    try:
        yield
    except _Named:
        raise
    except ConfigError as error:
        raise _Named(*(Problem(each.field, f"{each.problem} ({what})") for each in error.problems)) from None
    except RAISED as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {place.filename.rpartition('/')[2]}, line {place.lineno}"
        raise _Named(Problem(field, f"{what} ({where})")) from None
