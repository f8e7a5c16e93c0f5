"""Checks of leaves: of a JSON body, and of the claims of a caller's token.

Belongs here: what such a check means for each effect. Does not: what leaves are (leaves.py).
"""

from __future__ import annotations

from collections.abc import Callable

from rrgate.api import Pattern
from rrgate_plugins.rules.leaves import Leaves, Spellings
from rrgate_plugins.rules.message import Message
from rrgate_plugins.rules.patterns import compiled_for_lines, search_of

MUST_EXIST = "must_exist"

Check = Callable[[Message], bool]


def leaf_check(
    path: Pattern,
    value: Pattern | None,
    presence: str,
    flags: str | None,
    denies: bool,
    leaves_of: Callable[[Message], Leaves | None],
) -> Check:
    """A check that leaves whose paths match `path` must or must not be there, with a value that matches.

    Raises ValueError for a pattern that RE2 does not take. The check raises TooMuchWork.
    """
    like = search_of(path, flags)
    among = compiled_for_lines(path, flags)
    holds = None if value is None else search_of(value, flags)

    def perhaps(message: Message) -> bool:
        """Any value of any path that matches, in any of its forms."""
        found = leaves_of(message)
        if found is None:
            return True
        if not found.leaves or (among is not None and not among(found.paths)):
            return False
        if not message.may_look_at(len(found.leaves)):
            return True
        for leaf in found.leaves:
            if like(leaf.path) and (holds is None or any(_perhaps(text) for text in leaf.texts)):
                return True
        return False

    def surely(message: Message) -> bool:
        """There is one, and every path that matches has a value that does, in all of its forms."""
        found = leaves_of(message)
        if found is None or not found.leaves or (among is not None and not among(found.paths)):
            return False
        if not message.may_look_at(len(found.leaves)):
            return False
        there = False
        for leaf in found.leaves:
            if like(leaf.path):
                if holds is not None and not any(_surely(text) for text in leaf.texts):
                    return False
                there = there or leaf.certain
        return there

    def _perhaps(text: Spellings) -> bool:
        assert holds is not None
        return text is None or any(holds(each) for each in text)

    def _surely(text: Spellings) -> bool:
        assert holds is not None
        return text is not None and all(holds(each) for each in text)

    if presence == MUST_EXIST:
        return perhaps if denies else surely
    if denies:
        return lambda message: not surely(message)
    return lambda message: not perhaps(message)
