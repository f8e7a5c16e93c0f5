"""The ways in which a target fails to answer.

Belongs here: these errors, so that nobody need know the wire for them. Does not: any sending.
"""

from __future__ import annotations


class TargetError(Exception):
    """The target did not answer as it should; the text is fit for a caller, and holds nothing of the target's."""


class TargetUnreachable(TargetError):
    """No connection, or one that closed before its answer."""


class TargetBroken(TargetError):
    """An answer that is no HTTP, or broke off in its head."""


class TargetTimeout(TargetError):
    """No answer in time."""
