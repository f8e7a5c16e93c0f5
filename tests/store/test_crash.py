"""Saves survive SIGKILL whole or not at all, and what was reported as saved is there.

Belongs here: processes that die. Does not: power loss, which SQLite's `synchronous=FULL` answers for.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rrgate.store import Store

SAVING = """
import sys
from pathlib import Path
import attrs
from rrgate.model import Client, User
from rrgate.store import Store

store = Store.open(Path(sys.argv[1]))
user = User(id="u", created_at=0, updated_at=0)
client = Client(id="c", user_id="u", name="", created_at=0, updated_at=0)
for number in range(1, 1_000_000):
    store.save(attrs.evolve(user, updated_at=number), attrs.evolve(client, updated_at=number, name="x" * 5000))
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.07])
def test_kill_9_keeps_old_or_new(data: Path, after: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", SAVING, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    told = [int(line) for line in (first, *process.stdout) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    store = Store.open(data)
    loaded = store.load()
    assert store._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    store.close()
    (user,), (client,) = loaded.users, loaded.clients
    assert user.updated_at == client.updated_at
    assert user.updated_at in (told[-1], told[-1] + 1)
