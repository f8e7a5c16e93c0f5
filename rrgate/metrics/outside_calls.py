"""`CountedCalls`: plugins' calls to servers that are no targets, counted by plugin and by how they ended.

Belongs here: counting them on their way; so token requests and fetches of key sets show, whichever plugin makes them.
Does not: the calls (outside.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import frozen

from rrgate.outside_values import DEFAULT_LIMIT, DEFAULT_TIMEOUT, CallsOutside, OutsideAnswer, OutsideError

Outcomes = Counter[tuple[str, str]]
"""By the plugin's name and `2xx`, `3xx`, `4xx`, `5xx`, or `failed` where no whole answer came."""


@frozen
class CountedCalls:
    """`calls`, each counted in `outcomes` under `plugin` once it has ended. One that was cancelled is not counted."""

    calls: CallsOutside
    plugin: str
    outcomes: Outcomes

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int = DEFAULT_LIMIT,
    ) -> OutsideAnswer:
        """See `CallsOutside`."""
        try:
            answer = await self.calls.request(method, url, headers=headers, data=data, timeout=timeout, limit=limit)
        except OutsideError:
            self.outcomes[self.plugin, "failed"] += 1
            raise
        self.outcomes[self.plugin, f"{min(answer.status // 100, 5)}xx"] += 1
        return answer
