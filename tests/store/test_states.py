"""What auth types keep of credentials: sealed, for one version of a secret, changed by one at a time, and its lock.

Belongs here: rrgate.db and the lock's file, with processes that die. Does not: who keeps what (plugins).
"""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from rrgate.api import Kept, StateBusy, StateChanged, StateError
from rrgate.credential_state import CredentialState
from rrgate.model import Client, Credential, Side, User
from rrgate.store import AsyncStore, Store

VALUE = b"a-value-that-nobody-else-may-read"


class Scene:
    """The state of one credential, and the store beneath it."""

    def __init__(self, data: Path, credential: Credential) -> None:
        from twisted.internet import reactor

        clock: Any = reactor
        self.data = data
        self.store = AsyncStore.open(data, clock)
        self.credential = credential
        self.shown: list[bool] = []
        self.clock = clock

    def of(self, **changes: Any) -> CredentialState:
        async def show(credential: Credential, needed: bool) -> None:
            self.shown.append(needed)

        return CredentialState(self.store, self.data, self.clock, show, evolve(self.credential, **changes))


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def kept(data: Path) -> AsyncIterator[Scene]:
    store = Store.open(data)
    client = Client(id="c1", user_id="u1", name="", created_at=0, updated_at=0)
    credential = Credential(
        id="k1",
        client_id="c1",
        user_id="u1",
        name="",
        side=Side.TARGET,
        auth_type="made-up",
        region="local",
        created_at=0,
        updated_at=0,
        sealed_secret=store.secrets.seal("c1", "credentials/k1", b"{}"),
    )
    store.save(User(id="u1", created_at=0, updated_at=0), client, credential)
    store.close()
    made = Scene(data, credential)
    yield made
    await made.store.close()


@pytest_twisted.ensureDeferred
async def test_what_is_written_is_read_by_everybody_and_sealed(kept: Scene) -> None:
    state = kept.of()
    assert await state.read() is None
    assert await state.write(VALUE, 0) == 1
    assert await kept.of().read() == Kept(VALUE, 1)
    assert await state.write(VALUE + b"2", 1) == 2
    other = Store.open(kept.data)
    found = other.read_state("k1", 1)
    other.close()
    assert found is not None
    assert found.revision == 2
    assert VALUE not in found.sealed
    for path in kept.data.iterdir():
        assert not path.is_file() or VALUE not in path.read_bytes()


@pytest.mark.parametrize("revision", [0, 2, -1])
@pytest_twisted.ensureDeferred
async def test_one_who_did_not_read_it_does_not_write_it(kept: Scene, revision: int) -> None:
    state = kept.of()
    await state.write(VALUE, 0)
    with pytest.raises(StateChanged):
        await state.write(b"other", revision)
    assert await state.read() == Kept(VALUE, 1)


@pytest_twisted.ensureDeferred
async def test_a_new_secret_begins_with_nothing(kept: Scene) -> None:
    old, new = kept.of(), kept.of(secret_version=2)
    await old.write(VALUE, 0)
    assert await new.read() is None
    assert await new.write(b"new", 0) == 1
    assert await old.read() is None
    for revision in (0, 1):
        with pytest.raises(StateChanged):
            await old.write(VALUE, revision)
    assert await new.read() == Kept(b"new", 1)


@pytest_twisted.ensureDeferred
async def test_it_goes_with_its_credential(kept: Scene) -> None:
    await kept.of().write(VALUE, 0)
    await kept.store.delete(kept.credential)
    assert await kept.of().read() is None
    with pytest.raises(StateChanged):
        await kept.of().write(VALUE, 0)


@pytest_twisted.ensureDeferred
async def test_moved_to_another_version_it_is_not_taken(kept: Scene) -> None:
    await kept.of().write(VALUE, 0)
    await kept.store.run(
        lambda: kept.store._store._connection.execute("UPDATE credential_states SET secret_version = 2")
    )
    with pytest.raises(StateError, match="of another secret"):
        await kept.of(secret_version=2).read()


@pytest_twisted.ensureDeferred
async def test_it_is_small(kept: Scene) -> None:
    with pytest.raises(StateError, match="65536 bytes"):
        await kept.of().write(b"x" * 65537, 0)


@pytest_twisted.ensureDeferred
async def test_a_closed_store_is_a_state_error(kept: Scene) -> None:
    await kept.store.close()
    with pytest.raises(StateError):
        await kept.of().read()
    with pytest.raises(StateError):
        async with kept.of().locked(1):
            raise AssertionError("it was locked")


# The lock.


@pytest_twisted.ensureDeferred
async def test_one_at_a_time(kept: Scene) -> None:
    async with kept.of().locked(1):
        with pytest.raises(StateBusy):
            async with kept.of().locked(0):
                raise AssertionError("two have it")
    async with kept.of().locked(0):
        assert (kept.data / "locks" / "k1").exists()
    assert not (kept.data / "locks" / "k1").exists()


@pytest_twisted.ensureDeferred
async def test_it_is_waited_for(kept: Scene) -> None:
    order: list[int] = []

    async def take(number: int) -> None:
        async with kept.of().locked(20):
            order.append(number)
            await kept.store.run(lambda: None)
            order.append(number)

    tasks = [Deferred.fromCoroutine(take(number)) for number in range(3)]
    for task in tasks:
        await task
    assert sorted(order) == [0, 0, 1, 1, 2, 2]
    assert order[::2] == order[1::2]


@pytest_twisted.ensureDeferred
async def test_one_who_leaves_while_he_takes_it_does_not_keep_it(kept: Scene) -> None:
    async def take() -> None:
        async with kept.of().locked(5):
            raise AssertionError("he had left")

    taking = Deferred.fromCoroutine(take())
    taking.cancel()
    with pytest.raises(CancelledError):
        await taking
    async with kept.of().locked(5):
        pass


@pytest_twisted.ensureDeferred
async def test_it_is_free_again_though_its_file_cannot_be_removed(
    kept: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "read-only")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", read_only)
        async with kept.of().locked(0):
            pass
    async with kept.of().locked(0):
        pass


HOLDING = """
import sys, time
from pathlib import Path
from rrgate.store.states import try_state_lock
assert try_state_lock(Path(sys.argv[1]), "k1") is not None
print("held", flush=True)
time.sleep(600)
"""


@pytest_twisted.ensureDeferred
async def test_another_process_keeps_it_until_it_dies(kept: Scene) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDING, str(kept.data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(StateBusy):
        async with kept.of().locked(0.1):
            raise AssertionError("two have it")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    async with kept.of().locked(0):
        pass
