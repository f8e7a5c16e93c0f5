"""Thousands of mixed requests over sockets, and what telemetry and request log say of them in the end.

    python -m tests.processes.mixed_requests [--requests 20000] [--callers 16] [--workers 2]    (from the root; minutes)

Belongs here: item 5 of what shows that telemetry is done, with processes. Does not: the same in memory, which is in the
suite (tests/test_telemetry_sums.py).

Answers, refusals, errors of the target, targets that are not there or too slow, callers who leave, and rows that are
shed because somebody else holds the log. First without that last: then every sum is that of the log. Then with it:
then every sum is that of log and shed rows together.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rrgate.cli.init import FirstUser, create_state
from tests.callers import Caller, call
from tests.maxmind_file import maxmind_file
from tests.processes.twistd import Twistd
from tests.targets import Connection, Target, closed_port
from tests.telemetry_sums import FORMS, check_spans, sums_of

KEY = "caller-key-of-mixed-requests"
COUNTRIES = {"203.0.113.0/24": {"country": {"iso_code": "NZ"}}, "198.51.100.0/24": {"country": {"iso_code": "AU"}}}
ADDRESSES = ("203.0.113.7", "198.51.100.8", "192.0.2.9")
SHED = "rrgate_journal_shed_rows_total"
SLOW = 1.5
"""Seconds: longer than the slow target's timeout, and than a caller who leaves waits."""


def answers(connection: Connection) -> None:
    while (request := connection.request()) is not None:
        status = request.path.rpartition("/")[2]
        if status == "slow":
            time.sleep(SLOW)
            status = "200"
        connection.answer(b"hello", f"{status} Whatever")


class House:
    """A running gateway with two proxies: to a target, and to nowhere."""

    def __init__(self, gateway: Twistd, first: FirstUser, target: Target) -> None:
        self.address = ("127.0.0.1", gateway.port)
        self.core = ("127.0.0.1", gateway.core_port)
        self.first = first
        region = {"Region": "us-east-1"}
        caller = self._credential("proxy", "apiKey", {"key": "X-Api-Key", "value": KEY})
        self.proxies = []
        for url in (target.url, f"http://127.0.0.1:{closed_port()}"):
            towards = self._credential("target", "bearer", {"token": "target-token-of-mixed-requests"})
            where = self.make(
                "targets", {"targetName": "t", "targetBaseURL": url, "targetTimeout": 1, "targetRegion": "us-east-1"}
            )
            parts = {"ProxyCredentialId": caller, "TargetId": where, "TargetCredentialId": towards, **region}
            named = {f"proxy{name}": value for name, value in {"Name": "p", **parts}.items()}
            self.proxies.append(self.make("proxies", named))

    def ask(self, path: str) -> Any:
        told = call(self.core, "GET", path, {"Authorization": self.first.token})
        assert told.status == 200, told.body
        return told

    def make(self, kind: str, document: dict[str, Any]) -> str:
        headers = {"Authorization": self.first.token, "Content-Type": "application/json"}
        path = f"/clients/{self.first.client_id}/{kind}"
        told = call(self.core, "POST", path, headers, json.dumps(document).encode())
        assert told.status == 200, told.body
        return str(told.json[kind][0]["sKey"])

    def _credential(self, side: str, auth_type: str, secret: dict[str, Any]) -> str:
        document = {"Name": auth_type, "Type": side, "AuthType": auth_type, "Region": "us-east-1", "Secret": secret}
        return self.make("credentials", {f"credential{name}": value for name, value in document.items()})

    def records(self, proxy: str) -> list[Any]:
        """All of them, page by page."""
        found: list[Any] = []
        cursor = ""
        while True:
            where = f"/clients/{self.first.client_id}/proxies/{proxy}/requests"
            told = self.ask(where + (f"?cursor={quote(cursor)}" if cursor else "")).json
            found += told["requests"]
            if "nextCursor" not in told:
                return found
            cursor = told["nextCursor"]

    def spans(self, where: str, interval: str) -> list[Any]:
        path = f"/clients/{self.first.client_id}/{where}telemetry?limit=1000&interval={interval}"
        return list(self.ask(path).json["telemetry"])

    def shed(self) -> int:
        lines = self.ask("/metrics").body.decode().splitlines()
        found = [line for line in lines if line.startswith((f"{SHED} ", f"{SHED}{{"))]
        assert found, "no metric of shed rows"
        return sum(int(float(line.split()[-1])) for line in found)


def one_caller(house: House, number: int, requests: int, sent: Counter[str], lock: threading.Lock) -> None:
    chance = random.Random(number)
    main, broken = house.proxies
    caller = Caller(house.address)
    for _ in range(requests):
        headers = {"X-Api-Key": KEY, "X-Forwarded-For": chance.choice(ADDRESSES)}
        kind = chance.choices(("200", "404", "500", "401", "502", "504", "left"), (60, 10, 8, 10, 8, 2, 2))[0]
        with lock:
            sent[kind] += 1
        if kind == "left":
            with closing(socket.create_connection(house.address)) as leaving:
                head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                leaving.sendall(f"GET /api/{main}/slow HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
                time.sleep(0.05)
            continue
        path = f"/api/{broken}/200" if kind == "502" else f"/api/{main}/{'slow' if kind == '504' else kind}"
        if kind == "401":
            headers["X-Api-Key"] = "wrong"
        try:
            caller.send("GET", path, headers)
            answer = caller.answer("GET")
        except OSError:
            raise AssertionError(f"no answer to {kind}") from None
        assert str(answer.status) == kind, (kind, answer)
        if answer.every("Connection") == ["close"]:
            caller.close()
            caller = Caller(house.address)
    caller.close()


def round_of(house: House, requests: int, callers: int, seed: int) -> Counter[str]:
    sent: Counter[str] = Counter()
    lock = threading.Lock()
    threads = [
        threading.Thread(target=one_caller, args=(house, seed + number, requests // callers, sent, lock))
        for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(SLOW + 2)  # callers who left are over when their target has answered
    return sent


def hold(log: Path, over: threading.Event) -> None:
    """Keep the log from being written, now and then."""
    with closing(sqlite3.connect(log, timeout=20, isolation_level=None)) as connection:
        while not over.is_set():
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(4)
            connection.execute("ROLLBACK")
            time.sleep(0.3)


def main() -> int:
    """Call, hold, compare."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.mixed_requests", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "state"
        file = Path(name) / "countries.mmdb"
        file.write_bytes(maxmind_file(COUNTRIES))
        first = create_state(data)
        settings = (f"country_file={file}", "trusted_proxies=127.0.0.1", "journal_queue=400", "journal_batch=50")
        arguments = [word for setting in settings for word in ("--set", setting)]
        arguments += ["--workers", str(given.workers)] if given.workers > 1 else []
        with Twistd(data, *arguments) as gateway, Target(answers) as target:
            house = House(gateway.ready(), first, target)
            calm = round_of(house, given.requests // 2, given.callers, 1)
            shed = house.shed()
            print(f"without holding the log: {dict(calm)}, {shed} rows shed")
            if not shed:
                compare(house, calm)
            over = threading.Event()
            holding = threading.Thread(target=hold, args=(data / "log.db", over))
            holding.start()
            held = round_of(house, given.requests // 2, given.callers, 1000)
            over.set()
            holding.join()
            time.sleep(3)
            print(f"while it was held: {dict(held)}, {house.shed()} rows shed")
            assert house.shed() > shed
            compare(house, calm + held)
            gateway.terminate()
            gateway.ended()
    print("telemetry, log and callers agree")
    return 0


def compare(house: House, sent: Counter[str]) -> None:
    """Raises AssertionError where telemetry is not what was sent, or not that of the log and the shed rows."""
    by_proxy = {proxy: house.records(proxy) for proxy in house.proxies}
    shed = house.shed()
    every = [record for records in by_proxy.values() for record in records]
    for where, records in (("", every), *((f"proxies/{proxy}/", by_proxy[proxy]) for proxy in house.proxies)):
        for interval in FORMS:
            spans = house.spans(where, interval)
            if not shed:
                check_spans(spans, records, interval)
            logged, counted = total(sums_of(records, interval).values()), total(spans)
            missing = {name: +counts - logged[name] for name, counts in counted.items()}
            assert all(not logged[name] - counts for name, counts in counted.items()), "telemetry has less than the log"
            by_code, by_country = (of_callers(missing[name]) for name in ("codeCountMap", "countryCountMap"))
            assert sum(by_code.values()) == sum(by_country.values()) == missing["countMap"]["proxy"]
            if not where:
                assert missing["countMap"]["proxy"] == shed, (missing, shed)
                wanted = {("499" if kind == "left" else kind): number for kind, number in sent.items()}
                assert of_callers(counted["codeCountMap"]) == wanted, (counted, wanted)


def of_callers(counts: Counter[str]) -> dict[str, int]:
    """Those of the source `proxy`, by what stands before it."""
    return {key.partition(":")[0]: number for key, number in counts.items() if key.endswith(":proxy")}


def total(spans: Any) -> dict[str, Counter[str]]:
    """The maps of counts of all spans together."""
    found: dict[str, Counter[str]] = {name: Counter() for name in ("countMap", "codeCountMap", "countryCountMap")}
    for span in spans:
        for name, counts in found.items():
            counts.update(span[name])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
