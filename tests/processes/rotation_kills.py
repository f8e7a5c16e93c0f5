"""Rotations of the master key, killed at random while two gateways on the same state are under load.

    python -m tests.processes.rotation_kills [--kills 50] [--clients 300] [--seed N]    (from the root; two minutes)

Belongs here: the load, the kills, and what must hold at the end. Does not: each point of a rotation by its name
(tests/store/test_key_rotation.py). test_key_rotation.py here runs a few kills of it.

While rotations are begun, killed and begun again, callers call both gateways, and both make clients with a first
credential each, whose data keys are made in the middle. At the end no call has failed, every secret opens with the last
key alone, and hashes and fingerprints are what they were.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from rrgate.cli.init import FirstUser, create_state
from rrgate.ids import new_id
from rrgate.model import Client, Credential, Side
from rrgate.store import Store, credential_row, keyfile
from rrgate.store.inspection import check_key
from rrgate.store.key_source import GivenKeys
from tests.callers import Caller
from tests.processes.twistd import Twistd
from tests.targets import Target, echo

KEY = "caller-key-0001-of-the-rotations"

ROTATING = """
import os, signal, sys, time
from pathlib import Path
from rrgate.store import key_rotation

key_rotation._BATCH = 5  # so that there is much to be killed in
for line in sys.stdin:
    data, seconds = line.rstrip().rsplit(" ", 1)
    reading, writing = os.pipe()
    begun = time.monotonic()
    if (child := os.fork()) == 0:
        key_rotation.rotate(Path(data), at=lambda point: os.write(writing, point.encode() + b"\\n"))
        os._exit(0)
    os.close(writing)
    while (left := begun + float(seconds) - time.monotonic()) > 0 and os.waitid(
        os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ) is None:
        time.sleep(min(left, 0.001))
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    points = os.fdopen(reading).read().splitlines() or ["nothing"]
    print(code, time.monotonic() - begun, points[-1], flush=True)
"""


@define
class Ended:
    """How a rotation ended: `code` of its process, `seconds` it ran, and the last point that it had come to."""

    code: int
    seconds: float
    point: str


@define
class Result:
    """What was done. `failures`: texts, empty if all held."""

    kills: int = 0
    rotations: int = 0
    points: Counter[str] = field(factory=Counter)
    calls: int = 0
    made: dict[str, tuple[str, str, str]] = field(factory=dict)
    """By credential: client, secret and fingerprint."""
    failures: list[str] = field(factory=list)


def kill_rotations(folder: Path, *, kills: int, clients: int, seed: int) -> Result:
    """Rotate and kill until `kills` rotations were killed, with secrets of `clients` clients there from the start."""
    chance, result, data = random.Random(seed), Result(), folder / "state"
    first = create_state(data)
    fill(data, first, clients, result)
    hashed = token_hash(data)
    with Target(echo) as target, Twistd(data).ready() as one:
        path = new_proxy(one, first, target.url)
        # It starts with everything that the other has made.
        with Twistd(data).ready() as two:
            with load([one, two], first, path, result), rotating() as rotate:
                whole = rotate(data, 60)
                result.rotations += whole.code == 0
                while result.kills < kills and not result.failures:
                    ended = rotate(data, chance.uniform(0, whole.seconds * 1.1))
                    one.search.know("a master key", current_key(data))
                    result.points[ended.point if ended.code else "its end"] += 1
                    result.kills += ended.code != 0
                    result.rotations += ended.code == 0
                ended = rotate(data, 60)
                if whole.code or ended.code:
                    result.failures.append(f"the first rotation ended with {whole.code}, the last with {ended.code}")
            for gateway in (two, one):
                gateway.terminate()
                if gateway.ended() != 0:
                    result.failures.append(f"a gateway ended badly:\n{gateway.output()}")
    judge(data, hashed, result)
    return result


# Before.


def fill(data: Path, first: FirstUser, clients: int, result: Result) -> None:
    store = Store.open(data)
    for number in range(clients):
        client, id, secret = new_id(), new_id(), json.dumps({"token": f"token-{number}-of-those-at-first"})
        fingerprint = store.secrets.fingerprint(credential_row(id), secret.encode())
        store.save(
            Client(id=client, user_id=first.user_id, name="n", created_at=1, updated_at=1),
            Credential(
                id=id,
                client_id=client,
                user_id=first.user_id,
                name="n",
                side=Side.PROXY,
                auth_type="bearer",
                region="us-east-1",
                created_at=1,
                updated_at=1,
                fingerprint=fingerprint,
                sealed_secret=store.secrets.seal(client, credential_row(id), secret.encode()),
            ),
        )
        result.made[id] = (client, secret, fingerprint)
    store.close()


def new_proxy(gateway: Twistd, first: FirstUser, url: str) -> str:
    """Where a new proxy to `url` is called."""
    client, region = f"/clients/{first.client_id}", "us-east-1"
    with Caller(("127.0.0.1", gateway.core_port)) as caller:

        def credential(side: str, auth_type: str, secret: object) -> str:
            return make(caller, first, client, "credentials", new_credential(side, auth_type, secret))

        target = {"targetName": "t", "targetRegion": region, "targetBaseURL": url}
        proxy = {
            "proxyName": "p",
            "proxyRegion": region,
            "proxyProxyCredentialId": credential("proxy", "apiKey", {"key": "X-Api-Key", "value": KEY}),
            "proxyTargetId": make(caller, first, client, "targets", target),
            "proxyTargetCredentialId": credential("target", "bearer", {"token": "the-target-token-of-this-run"}),
        }
        return f"/api/{make(caller, first, client, 'proxies', proxy)}/x"


def new_credential(side: str, auth_type: str, secret: object) -> dict[str, object]:
    return {
        "credentialName": "c",
        "credentialType": side,
        "credentialAuthType": auth_type,
        "credentialRegion": "us-east-1",
        "credentialSecret": secret,
    }


def make(caller: Caller, first: FirstUser, where: str, kind: str, document: object) -> str:
    """The id of a new noun. Raises AssertionError."""
    return str(made(caller, first, where, kind, document)["sKey"])


def made(caller: Caller, first: FirstUser, where: str, kind: str, document: object) -> dict[str, Any]:
    headers = {"Authorization": first.token, "Content-Type": "application/json"}
    answer = caller.call("POST", f"{where}/{kind}", headers, json.dumps(document).encode())
    assert answer.status == 200, f"POST {kind}: {answer.status} {answer.body!r}"
    found: dict[str, Any] = answer.json[kind][0]
    return found


# Meanwhile.


@contextmanager
def load(gateways: list[Twistd], first: FirstUser, path: str, result: Result) -> Iterator[None]:
    """Callers and makers at each gateway, until the block ends. What fails is among the failures."""
    over, lock = threading.Event(), threading.Lock()

    def call(gateway: Twistd) -> None:
        with Caller(("127.0.0.1", gateway.port)) as caller:
            while not over.is_set():
                answer = caller.call("GET", path, {"X-Api-Key": KEY})
                shown = dict(answer.json["headers"])["Authorization"]
                assert (answer.status, shown) == (200, "Bearer the-target-token-of-this-run"), answer
                with lock:
                    result.calls += 1

    def change(gateway: Twistd) -> None:
        with Caller(("127.0.0.1", gateway.core_port)) as caller:
            while not over.is_set():
                client = make(caller, first, "", "clients", {"clientName": "made meanwhile"})
                secret = json.dumps({"token": f"token-{new_id()}"})
                document = new_credential("proxy", "bearer", json.loads(secret))
                credential = made(caller, first, f"/clients/{client}", "credentials", document)
                with lock:
                    result.made[credential["sKey"]] = (client, secret, credential["credentialFingerprint"])
                over.wait(0.02)

    def run(work: Callable[[Twistd], None], gateway: Twistd) -> None:
        try:
            work(gateway)
        except Exception as error:  # noqa: BLE001 - whatever it was, it was not to be
            with lock:
                result.failures.append(f"{work.__name__} failed: {type(error).__name__}: {error}")

    work = [call, call, change]
    threads = [threading.Thread(target=run, args=(each, gateway)) for gateway in gateways for each in work]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def rotating() -> Iterator[Callable[[Path, float], Ended]]:
    """Rotates the keys of a state, and kills what does so after so many seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", ROTATING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def rotate(data: Path, seconds: float) -> Ended:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{data} {seconds}\n")
            process.stdin.flush()
            code, took, point = process.stdout.readline().rstrip().split(" ", 2)
            return Ended(int(code), float(took), point)

        yield rotate


def current_key(data: Path) -> str:
    keys = keyfile.read(data / "master.key")
    return keyfile.as_text(keys.keys[keys.current])


# After.


def token_hash(data: Path) -> bytes:
    store = Store.open(data)
    hashed = store.secrets.token_hash("u-any")
    store.close()
    return hashed


def judge(data: Path, hashed: bytes, result: Result) -> None:
    """What must hold at the end."""
    keys = keyfile.read(data / "master.key")
    if len(keys.keys) != 1:
        result.failures.append(f"the key file has {len(keys.keys)} keys")
    alone = GivenKeys(keys)
    check_key(data / "rrgate.db", alone)
    store = Store.open(data, given=alone)
    kept = {each.id: each for each in store.load().credentials}
    for id, (client, secret, fingerprint) in result.made.items():
        found = store.secrets.unseal(client, credential_row(id), kept[id].sealed_secret)
        if json.loads(found) != json.loads(secret):
            result.failures.append(f"credential {id} has another secret")
        if not fingerprint == kept[id].fingerprint == store.secrets.fingerprint(credential_row(id), found):
            result.failures.append(f"credential {id} has another fingerprint")
    if store.secrets.token_hash("u-any") != hashed:
        result.failures.append("tokens have other hashes")
    store.close()


def main() -> int:
    options = argparse.ArgumentParser(description="Kills rotations of the master key at random, under load.")
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--clients", type=int, default=300)
    options.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    given = options.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rrgate-kills-") as folder:
        result = kill_rotations(Path(folder), kills=given.kills, clients=given.clients, seed=given.seed)
    print(f"seed {given.seed}: {result.kills} rotations killed, {result.rotations} more came to their end")
    for point, count in result.points.most_common():
        print(f"  {count:4} ended behind: {point}")
    print(
        f"{result.calls} calls and {len(result.made) - given.clients} first secrets meanwhile, "
        f"{len(result.made)} secrets in all, in {time.monotonic() - begun:.0f} s"
    )
    for failure in result.failures[:20]:
        print(f"FAILED: {failure}")
    print("failures:", len(result.failures))
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
