"""`torture`: load, kills, restarts, and at the end the account of every request.

Belongs here: the order of these. Does not: what is right (judging.py).
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from rrgate.torture.judging import Ending, Judgement, Kill, judged
from rrgate.torture.load import Load
from rrgate.torture.plan import GOOD, Plan
from rrgate.torture.process import ANSWER_SECONDS, CALLER_KEY, GatewayProcess
from rrgate.torture.receiver import Receiver
from rrgate.torture.target import Arrival, RecordingTarget

DRAIN_SECONDS: Final = 120.0
"""After the last kill; what has not ended by then is lost."""
LOG_SECONDS: Final = 10.0
"""After that; for the request log, which is written a moment later."""
CALLS_SECONDS: Final = 90.0
"""After that; for callbacks, of which a failed one waits for up to a minute."""
_STARTS_KILLED: Final = 0.2
"""Which part of the kills comes while the gateway starts."""
_PAGE: Final = 1000


@define
class Outcome:
    """What was done, and what came of it. `seconds`: all in all. `refused`: answers by status, 202 not among them."""

    seed: int
    kills: int = 0
    in_start: int = 0
    """Of the kills those before the gateway was ready."""
    seconds: float = 0.0
    unanswered: int = 0
    refused: dict[int, int] = field(factory=dict)
    judgement: Judgement = field(factory=Judgement)

    @property
    def good(self) -> bool:
        """Nothing is lost or doubled."""
        return not (self.judgement.lost or self.judgement.doubled)


def torture(
    data: Path,
    token: str,
    client_id: str,
    *,
    kills: int,
    callers: int,
    rate: float,
    duration: float,
    seed: int,
    gateways: int = 1,
    say: Callable[[str], object] = lambda text: None,
) -> Outcome:
    """Kill gateways of the new state in `data` so many times. Blocks.

    `token`: of the client's owner. `rate`: requests a second at most. `duration`: seconds under load, without starts.
    `gateways`: that run on the state at one time; one of them delivers. `say`: is told what happens.

    Raises TortureError if the gateway does not start, or ends by itself.
    """
    begun, outcome = time.monotonic(), Outcome(seed)

    @lru_cache(None)
    def plan(number: int) -> Plan:
        return Plan.of(seed, number)

    target = RecordingTarget(plan)
    receiver = Receiver(data.with_name(f"{data.name}.pem"), plan)
    running = [GatewayProcess(data, token, client_id, number, receiver.certificate) for number in range(gateways)]
    gateway = running[0]
    try:
        gateway.start()
        gateway.wait()
        proxy_id = gateway.new_proxy(target.port, [f"127.0.0.1:{receiver.port}"])
        receiver.secret = gateway.new_callback_secret(proxy_id)
        for other in running[1:]:
            other.start()
            other.wait()
        load = Load([each.port for each in running], proxy_id, plan, callers, rate, receiver.port)
        killed = _kill(running, outcome, kills, duration, say)
        time.sleep(duration / (kills + 1))
        load.stop()
        outcome.unanswered, outcome.refused = len(load.unanswered), dict(load.refused)
        say(f"{load.sent} requests were sent; waiting until those that were taken have ended")
        endings, arrivals = _endings(gateway, proxy_id, plan, load, target)
        _wait_for_callbacks(endings, plan, receiver)
        plans = {number: plan(number) for number in {*load.accepted, *arrivals}}
        outcome.judgement = judged(plans, load.accepted, endings, arrivals, killed, receiver.told)
        for each in running:
            each.kill()
    finally:
        for each in running:
            each.close()
        target.close()
        receiver.close()
    outcome.seconds = time.monotonic() - begun
    return outcome


def _kill(
    running: Sequence[GatewayProcess], outcome: Outcome, kills: int, duration: float, say: Callable[[str], object]
) -> list[Kill]:
    chance = random.Random(outcome.seed)
    done: list[Kill] = []
    start_seconds, killed_at = 1.0, 0.0
    ready, gateway = True, running[0]
    for number in range(1, kills + 1):
        if ready:
            time.sleep(chance.uniform(0, 2 * duration / (kills + 1)))
            gateway = chance.choice(running)
        killed_at = killed_at or time.monotonic()
        gateway.kill()
        outcome.kills += 1
        started = time.monotonic()
        gateway.start()
        ready = number == kills or chance.random() >= _STARTS_KILLED
        if ready:
            gateway.wait()
            again_at = time.monotonic()
            start_seconds = again_at - started
        else:
            outcome.in_start += 1
            time.sleep(chance.uniform(0.3, 1.2) * start_seconds)
            again_at = time.monotonic()
        done.append(Kill(killed_at, again_at))
        killed_at = 0.0
        say(f"kill {number} of {kills}")
    return done


class _Asker:
    """Asks the gateway of requests, as their caller."""

    def __init__(self, gateway: GatewayProcess, proxy_id: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=ANSWER_SECONDS)
        self._where = f"/async/{proxy_id}/.requests/"

    def status(self, request_id: str) -> Any:
        """Its status document, or None if there is no such request."""
        self._connection.request("GET", self._where + request_id, headers={"X-Api-Key": CALLER_KEY})
        answer = self._connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 else None


def _endings(
    gateway: GatewayProcess, proxy_id: str, plan: Callable[[int], Plan], load: Load, target: RecordingTarget
) -> tuple[dict[int, Ending | None], dict[int, list[Arrival]]]:
    """How each has ended, and what has arrived of these. What nobody was told of, and arrives later, is not judged."""
    asker, deadline = _Asker(gateway, proxy_id), time.monotonic() + DRAIN_SECONDS
    found: dict[int, Any] = {}
    ids = dict(load.accepted)
    while True:
        # Their callers were not told the ids of these; the target was.
        unanswered = {number: target.arrivals[number] for number in load.unanswered & set(target.arrivals)}
        ids |= {number: arrived[0].key for number, arrived in unanswered.items()}
        for number in ids.keys() - {number for number, told in found.items() if told is None or told["endedAt"]}:
            found[number] = asker.status(ids[number])
        under_way = [told for told in found.values() if told is not None and not told["endedAt"]]
        logged = set() if under_way else _logged(gateway, proxy_id)
        missing = any(told is not None and told["requestId"] not in logged for told in found.values())
        if not under_way:
            deadline = min(deadline, time.monotonic() + LOG_SECONDS)
        if not missing or time.monotonic() > deadline:
            arrivals = {number: target.arrivals[number] for number in found if number in target.arrivals}
            return {number: _ending(told, logged) for number, told in found.items()}, arrivals
        time.sleep(0.2)


def _wait_for_callbacks(
    endings: Mapping[int, Ending | None], plan: Callable[[int], Plan], receiver: Receiver
) -> None:
    """Until all have come that are to come, or it is too late for them."""
    wanted = {number for number, ending in endings.items() if ending is not None and plan(number).calls_back}
    deadline = time.monotonic() + CALLS_SECONDS
    while wanted and time.monotonic() < deadline:
        wanted = {n for n in wanted if not any(told.status == GOOD for told in receiver.told.get(n, ()))}
        time.sleep(0.2)


def _ending(told: Any, logged: set[str]) -> Ending | None:
    if told is None:
        return None
    attempts = told["attempts"]
    broken_off = sum(each["endedAt"] is not None and each["status"] is None for each in attempts)
    return Ending(told["requestId"], told["status"], len(attempts), broken_off, told["requestId"] in logged)


def _logged(gateway: GatewayProcess, proxy_id: str) -> set[str]:
    """Ids of the requests whose end is in the request log."""
    logged: set[str] = set()
    cursor = ""
    while True:
        page = gateway.ask("GET", f"/proxies/{proxy_id}/requests?limit={_PAGE}{cursor}")
        logged |= {record["sKey"] for record in page["requests"] if record["processed"]}
        following = page.get("nextCursor")
        if not following:
            return logged
        cursor = f"&cursor={following}"
