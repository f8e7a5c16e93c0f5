"""`Load`: callers of the Async API, each on a thread, who write down what they were told.

Belongs here: sending, and sending again what may be. Does not: what is sent (plan.py), what came of it (run.py).
"""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from threading import Event, Lock, Thread
from typing import Any, Final

from rrgate.torture.plan import Plan
from rrgate.torture.process import ANSWER_SECONDS, CALLER_KEY

_AGAIN: Final = 0.02
"""Seconds until a caller tries a gateway again that is not there."""


class Load:
    """Runs from when it is made until `stop`."""

    def __init__(
        self,
        ports: Sequence[int],
        proxy_id: str,
        plan: Callable[[int], Plan],
        callers: int,
        rate: float,
        receiver_port: int,
    ) -> None:
        """`ports`: of the gateways, any of which takes requests. `rate`: requests a second at most, of all callers.
        `receiver_port`: of who takes callbacks."""
        self.accepted: dict[int, str] = {}
        """Ids, by number."""
        self.unanswered: set[int] = set()
        """Sent, and the connection ended instead of an answer."""
        self.refused: Counter[int] = Counter()
        """By status."""
        self._ports = ports
        self._where = f"/async/{proxy_id}/t"
        self._called = f"https://127.0.0.1:{receiver_port}/"
        self._plan = plan
        self._pause = callers / rate
        self._numbers = count(1)
        self._lock = Lock()
        self._over = Event()
        self._threads = [Thread(target=self._call, args=(number,), daemon=True) for number in range(callers)]
        for thread in self._threads:
            thread.start()

    @property
    def sent(self) -> int:
        """Requests that were sent."""
        return len(self.accepted) + len(self.unanswered) + self.refused.total()

    def stop(self) -> None:
        """Send no new ones; returns when callers have the answers that they wait for. The gateway must be there."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS) for port in self._ports]
        turn = count(number)
        while not self._over.is_set():
            begun = time.monotonic()
            with self._lock:
                plan = self._plan(next(self._numbers))
            told = self._send(connections[next(turn) % len(connections)], plan)
            # A caller with a key may ask again until it is told.
            while told is None and plan.key:
                told = self._send(connections[next(turn) % len(connections)], plan)
            if told is None:
                self.unanswered.add(plan.number)
            elif told[0] == 202:
                self.accepted[plan.number] = json.loads(told[1])["requestId"]
            else:
                with self._lock:
                    self.refused[told[0]] += 1
            self._over.wait(max(0.0, begun + self._pause - time.monotonic()))
        for connection in connections:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection, plan: Plan) -> tuple[int, bytes] | None:
        """Status and body; None if it was sent, and nobody answered."""
        headers: dict[str, Any] = {"X-Api-Key": CALLER_KEY}
        if plan.key:
            headers["Idempotency-Key"] = plan.key
        if plan.calls_back:
            headers["requestrocket-callback-url"] = f"{self._called}{plan.number}"
        while connection.sock is None:
            try:
                connection.connect()
            except OSError:
                connection.close()
                time.sleep(_AGAIN)
        try:
            connection.request(plan.method, f"{self._where}/{plan.number}", plan.body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
