"""The doctor: finds what is wrong, says what to do, and exits with 1 then and only then.

Belongs here: one illness a test. Does not: what each check reads (tests/store/).
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rrgate.cli.ports import Address, address_of, listeners_on, problem_with
from rrgate.model import Credential, Proxy, Side
from rrgate.model.proxy_plugin import ProxyPlugin
from rrgate.store import Store, credential_row, keyfile
from rrgate.store.database import open_migrated
from rrgate.store.log_migrations import migrations

Run = Callable[..., Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings with ports that are free."""
    path = tmp_path / "rrgate.toml"
    path.write_text(
        f'listen = "tcp:{free_port()}:interface=127.0.0.1"\ncore_listen = "tcp:{free_port()}:interface=127.0.0.1"\n'
    )
    return path


LISTENING = """
import socket, sys
held = [open(path) for path in sys.argv[1:]]
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def listening(*files: Path) -> Iterator[tuple[int, int]]:
    """(process, port) of another process that listens and has these files open."""
    command = [sys.executable, "-c", LISTENING, *map(str, files)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())


def seal(data: Path, first: dict[str, str], auth_type: str = "bearer") -> None:
    store = Store.open(data)
    store.save(
        Credential(
            id="k1",
            client_id=first["clientId"],
            user_id=first["userId"],
            name="k",
            side=Side.PROXY,
            auth_type=auth_type,
            region="r",
            created_at=1,
            updated_at=1,
            sealed_secret=store.secrets.seal(first["clientId"], credential_row("k1"), b"planted-secret"),
        )
    )
    store.close()


def test_all_is_well(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    seal(data, first)
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == 0, result.output
    assert "Nothing is wrong." in result.stdout
    assert "the master key opens every secret (1)" in result.stdout
    assert "is free" in result.stdout
    assert "log.db is not there yet" in result.stdout


def found(run: Run, data: Path, config: Path) -> str:
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == 1, result.output
    assert "wrong." in result.stdout
    assert "planted-secret" not in result.output
    text: str = result.stdout
    return text


def test_no_state(run: Run, data: Path, config: Path) -> None:
    assert f"→ make one with: rrgate init --data {data}" in found(run, data, config)


def test_a_folder_that_may_not_be_searched(
    run: Run, data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    text = found(run, data, config)
    assert f"{data / 'rrgate.db'}: Permission denied" in text
    assert "→ run this as the gateway's user; look at the file, its owner and its disk" in text
    assert "gateway listener" in text


def test_a_file_that_is_gone_when_it_is_looked_at(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    # As SQLite's are, beside a running gateway.
    (data / "rrgate.db-journal").symlink_to(data / "nothing")
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("name", "may", "told"),
    [
        ("queue.db", 0, True),
        ("counters", os.R_OK, True),
        ("delivery.lock", 0, True),
        ("rrgate.db", os.R_OK, True),
        ("rrgate.db-wal", 0, True),
        ("queue.db", os.R_OK | os.W_OK, False),
        ("master.key", os.R_OK, False),
        ("", os.R_OK | os.X_OK, True),
    ],
)
def test_a_file_of_another_users(
    run: Run, first: dict[str, str], data: Path, config: Path, monkeypatch: pytest.MonkeyPatch, name: str, may: int,
    told: bool,
) -> None:
    """Such as of root's, who may open all of them, and who runs these tests."""
    path = data / name if name else data
    if name not in ("rrgate.db", "master.key", ""):
        path.touch(mode=0o600)
    allowed = os.access

    def access(asked: Path, mode: int) -> bool:
        return mode & may == mode if Path(asked) == path else allowed(asked, mode)

    monkeypatch.setattr(os, "access", access)
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == told, result.output
    line = f"✗ {path} cannot be read and written by this user, {os.geteuid()}\n  → run this as the gateway's user"
    assert result.output.count(line) == told, result.output


def test_a_missing_open_or_wrong_key(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    key = data / "master.key"
    key.chmod(0o644)
    text = found(run, data, config)
    assert text.count(f"→ run: chmod 600 {key}") == text.count("is open to others") == 1
    assert "1 thing is wrong." in text
    key.unlink()
    assert "is missing" in found(run, data, config)
    keyfile.create(key, keyfile.new_master_keys())
    assert "was encrypted with master key" in found(run, data, config)


def test_a_secret_that_does_not_open(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    seal(data, first)
    with sqlite3.connect(data / "rrgate.db") as connection:
        connection.execute("UPDATE credentials SET sealed_secret = ?", (b"\x01" + bytes(40),))
        connection.execute("UPDATE credentials SET previous_sealed_secret = sealed_secret")
    connection.close()
    text = found(run, data, config)
    assert "2 of 2 secrets cannot be read: the secret of credentials/k1 " in text
    assert "the secret of credentials/k1/previous " in text
    assert "  → give these credentials their secrets anew, or restore a backup" in text


def test_a_damaged_database(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    path = data / "rrgate.db"
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 6] = os.urandom(4096 * 4)
    path.write_bytes(content)
    assert "restore a backup" in found(run, data, config)


def test_a_queue_that_is_damaged(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    """It keeps the gateway from starting, and is in no backup."""
    path = data / "queue.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE some (thing)")
    database.close()
    path.chmod(0o600)
    assert "✓ queue.db is whole\n" in run("doctor", "--data", data, "--config", config).output
    path.write_bytes(os.urandom(5000))
    text = found(run, data, config)
    assert f"✗ {path} is damaged (file is not a database)\n" in text
    assert "→ stop the gateway and move this file away; what it holds is lost, and a new one is made at " in text


@pytest.mark.parametrize("how", ["no database", "cut", "a page"])
def test_a_damaged_request_log(run: Run, first: dict[str, str], data: Path, config: Path, how: str) -> None:
    path = data / "log.db"
    open_migrated(path, migrations, synchronous="NORMAL").close()
    content = bytearray(path.read_bytes())
    if how == "no database":
        content[:100] = b"\xff" * 100
    elif how == "cut":
        del content[len(content) // 2 :]
    else:
        content[4096 * 2 : 4096 * 3] = bytes(4096)
    path.write_bytes(content)
    text = found(run, data, config)
    assert f"✗ {path} is damaged (" in text
    assert f"\n  → end every gateway of this state and move {path} aside, with its -wal and -shm: the" in text
    path.unlink()
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == 0, result.output


def test_a_database_that_is_gone(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    """`rrgate init` would refuse the folder, and what was there would not come back by it."""
    (data / "rrgate.db").unlink()
    assert f"rrgate.db is missing from {data}, where master.key is\n  → restore a backup" in found(run, data, config)


def test_an_empty_database(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    """The next start could make tables in it, and no gateway of them."""
    (data / "rrgate.db").write_bytes(b"")
    assert "rrgate.db is empty\n  → restore a backup" in found(run, data, config)


def test_a_newer_and_an_older_database(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    with sqlite3.connect(data / "rrgate.db") as connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '%0003%'")
    connection.close()
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == 0
    assert "is of an older version: migration step_0003_keys to come" in result.stdout
    with sqlite3.connect(data / "rrgate.db") as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('rrgate', 'z', '')"
        )
    connection.close()
    assert "newer rrgate" in found(run, data, config)


def test_an_auth_type_without_a_plugin(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    seal(data, first, "carrierPigeon")
    assert "credentials of type 'carrierPigeon' have no plugin here" in found(run, data, config)


def test_plugins_that_proxies_may_not_list(run: Run, first: dict[str, str], data: Path, config: Path) -> None:
    store = Store.open(data)
    common = {"client_id": first["clientId"], "user_id": first["userId"], "created_at": 1, "updated_at": 1}
    parts = {"proxy_credential_id": "k", "target_id": "t", "target_credential_id": "k"}
    store.save(Proxy(id="p1", name="p", region="r", plugins=(ProxyPlugin("pigeon"),), **common, **parts))
    store.close()
    assert "proxies list the plugin 'pigeon', which they may not, and answer 500" in found(run, data, config)
    config.write_text(f'{config.read_text()}tenant_plugins = ["bearer"]\n')
    assert "tenant_plugins[0]: 'bearer' is no installed plugin that proxies list" in found(run, data, config)



def test_wrong_settings(run: Run, first: dict[str, str], data: Path, tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text("lisen = 1\n")
    assert "did you mean listen?" in found(run, data, config)


def test_a_plugin_that_cannot_load(
    run: Run, first: dict[str, str], data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rrgate import registry

    def broken() -> None:
        raise registry.PluginLoadError("plugin 'x' of pigeon 1.0 cannot load: ImportError: wings")

    monkeypatch.setattr(registry, "load_registry", broken)
    text = found(run, data, config)
    assert "pigeon 1.0 cannot load" in text
    assert "repair or uninstall" in text


def test_a_taken_port(run: Run, first: dict[str, str], data: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    core = f'core_listen = "tcp:{free_port()}:interface=127.0.0.1"'
    with listening() as (process, port):
        config.write_text(f'listen = "tcp:{port}:interface=127.0.0.1"\n{core}\n')
        text = found(run, data, config)
        assert "is taken by python" in text
        assert f"process {process}" in text
        assert "end that process, or choose another port" in text
    with listening(data / "rrgate.db") as (process, port):
        config.write_text(f'listen = "tcp:{port}:interface=127.0.0.1"\n{core}\n')
        result = run("doctor", "--data", data, "--config", config)
        assert result.exit_code == 0
        assert f"is served by the gateway of this state, process {process}" in result.stdout


def test_an_address_that_is_not_ours(run: Run, first: dict[str, str], data: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('listen = "tcp:8080:interface=192.0.2.1"\n')
    assert "cannot be opened" in found(run, data, config)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("tcp:8080:interface=127.0.0.1", Address("127.0.0.1", 8080)),
        ("tcp:port=8080", Address("", 8080)),
        ("tcp6:8080", Address("::", 8080)),
        (r"tcp6:8080:interface=\:\:1", Address("::1", 8080)),
        ("ssl:443:privateKey=k.pem:interface=127.0.0.1", Address("127.0.0.1", 443)),
        ("haproxy:tcp:8080:interface=127.0.0.1", Address("127.0.0.1", 8080)),
        ("tcp:0", None),
        ("tcp:99999", None),
        ("unix:/run/x", None),
        ("systemd:domain=INET:index=0", None),
    ],
)
def test_addresses_of_endpoints(endpoint: str, address: Address | None) -> None:
    assert address_of(endpoint) == address


def test_free_ports() -> None:
    assert problem_with(Address("127.0.0.1", free_port())) is None
    assert listeners_on(free_port()) == []


@pytest.mark.parametrize(("limit", "says"), [(1 << 20, "there is room for 20000 connections"), (1024, "room for 427")])
def test_room_for_callers(
    run: Run, first: dict[str, str], data: Path, config: Path, monkeypatch: pytest.MonkeyPatch, limit: int, says: str
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == 0, result.output
    assert says in result.stdout


@pytest.mark.parametrize(
    ("free", "floor", "ballast", "wrong"),
    [
        (99, 100, True, True),
        (100, 100, True, False),
        (100, 100, False, True),
        (113, 100, False, False),
        (0, 0, False, False),
    ],
)
def test_a_disk_without_room_for_asynchronous_requests(
    run: Run, first: dict[str, str], data: Path, config: Path, monkeypatch: pytest.MonkeyPatch, free: int, floor: int,
    ballast: bool, wrong: bool,
) -> None:
    """In MiB. Where there is no ballast yet, or no more, there is to be room for it twice over."""
    room = os.statvfs(data)
    found_free = os.statvfs_result((1 << 20, 1 << 20, *room[2:4], free, *room[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: found_free)
    config.write_text(f"{config.read_text()}async_free_disk = {floor << 20}\n")
    if ballast:
        (data / "queue.ballast").touch(mode=0o600)
    result = run("doctor", "--data", data, "--config", config)
    assert result.exit_code == wrong, result.output
    needed = floor if ballast else floor + floor / 8
    told = f"are free on the disk of {data}, and asynchronous requests are taken from {needed:.1f} MiB on"
    assert (f"✗ {free}.0 MiB {told}" in result.output) is wrong, result.output
    assert ("→ make room there, or set async_free_disk lower" in result.output) is wrong


@pytest.mark.parametrize(("workers", "says"), [(2, False), (3, True)])
def test_more_workers_than_processors(
    run: Run, first: dict[str, str], data: Path, config: Path, monkeypatch: pytest.MonkeyPatch, workers: int, says: bool
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    config.write_text(f"{config.read_text()}workers = {workers}\n")
    done = run("doctor", "--data", data, "--config", config)
    assert done.exit_code == 0, done.output
    assert ("workers is 3, and there are 2 processors" in done.output) is says
