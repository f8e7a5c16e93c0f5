"""100,000 asynchronous requests of one proxy wait, and one of another comes: `python -m bench.backlog`.

Belongs here: when that one is sent, how many of the others meanwhile, and the gateway's memory by how many wait. Does
not: kills (rrgate/torture/).
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from rich.console import Console
from rich.table import Table

from rrgate.cli.init import FirstUser, create_state
from rrgate.delivery import new_rows, states
from rrgate.delivery.kept import body_row, head_row
from rrgate.delivery.schema import migrations
from rrgate.delivery.stored import Stored
from rrgate.delivery.times import DeliveryTime
from rrgate.ids import new_id
from rrgate.store import Store
from rrgate.store.database import open_migrated, transaction
from rrgate.torture.process import CALLER_KEY, GatewayProcess

BODY = b"x" * 1024
AT_ONCE = 5_000


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    at: list[float]
    seconds: float

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.at.append(time.monotonic())
        time.sleep(self.seconds)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            pass  # the gateway was ended

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed of a request."""


@contextmanager
def target(seconds: float) -> Iterator[tuple[int, list[float]]]:
    """(port, moments at which requests came) of a target that takes so long for each."""
    at: list[float] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"at": at, "seconds": seconds}))
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], at
    finally:
        server.shutdown()
        server.server_close()


def fill(data: Path, first: FirstUser, proxy_id: str, count: int) -> None:
    """So many requests that are due, as a gateway would have taken them."""
    stored = Stored("POST", "/work", "", "", [], [], "", "", {}, [], "127.0.0.1", 0, time.time())
    head = stored.head()
    database = open_migrated(data / "queue.db", migrations, synchronous="FULL")
    with closing(Store.open(data)) as store, closing(database) as queue:
        with transaction(queue) as connection:
            now = DeliveryTime.of(connection, time.time)
        for start in range(0, count, AT_ONCE):
            with transaction(queue) as connection:
                for _ in range(min(AT_ONCE, count - start)):
                    id, progress = new_id(), states.accepted(now(), delay=0, window=900_000, repeatable=False)
                    row = new_rows.NewRow(
                        id,
                        proxy_id,
                        first.client_id,
                        b"c",
                        now(),
                        progress,
                        store.secrets.seal(first.client_id, head_row(id), head),
                        store.secrets.seal(first.client_id, body_row(id), BODY),
                    )
                    new_rows.insert(connection, row)


def memory(gateway: GatewayProcess) -> float:
    """Resident, in MB."""
    for line in Path(f"/proc/{gateway.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(count: int, folder: Path) -> list[str]:
    """The row of the table for so many that wait."""
    data = folder / str(count)
    first = create_state(data)
    gateway = GatewayProcess(data, first.token, first.client_id)
    with target(0.01) as (flooded_port, flooded), target(0.0) as (other_port, other):
        gateway.start()
        gateway.wait()
        flooded_proxy, other_proxy = gateway.new_proxy(flooded_port), gateway.new_proxy(other_port)
        gateway.kill()
        fill(data, first, flooded_proxy, count)
        gateway.start()
        gateway.wait()
        time.sleep(3)
        begun, before = time.monotonic(), len(flooded)
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
        connection.request("POST", f"/async/{other_proxy}/work", BODY, {"X-Api-Key": CALLER_KEY})
        answer = connection.getresponse()
        accepted = time.monotonic() - begun
        if answer.status != 202:
            raise SystemExit(f"it was answered {answer.status}")
        while not other:
            time.sleep(0.001)
        sent = other[0] - begun
        time.sleep(3)
        rate = (len(flooded) - before) / (time.monotonic() - begun)
        resident = memory(gateway)
        gateway.close()
    return [f"{count:,}", f"{accepted * 1000:.0f} ms", f"{sent * 1000:.0f} ms", f"{rate:.0f}/s", f"{resident:.0f} MB"]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 10_000, 100_000])
    given = parser.parse_args()
    shown = Table("waiting", "another's 202 after", "and its attempt after", "of the others meanwhile", "resident")
    with tempfile.TemporaryDirectory(prefix="rrgate-bench-") as folder:
        for count in given.counts:
            shown.add_row(*measure(count, Path(folder)))
    Console(width=120).print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
