"""Rotations that are killed under load, in small; and gateways whose master key does not lie in their state.

Belongs here: what only processes show. Does not: the load itself (rotation_kills.py, which also runs in large), each
point of a rotation (tests/store/test_key_rotation.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rrgate.cli.init import create_state
from rrgate.store.key_source import GivenKeys
from rrgate.store.keyfile import as_text, new_master_keys
from tests.callers import call
from tests.processes.rotation_kills import kill_rotations
from tests.processes.twistd import Twistd


def test_a_few_kills(tmp_path: Path) -> None:
    result = kill_rotations(tmp_path, kills=6, clients=60, seed=int.from_bytes(os.urandom(4)))
    assert not result.failures, "\n".join(result.failures)
    assert result.kills == 6
    assert result.calls > 50
    assert len(result.made) > 62


@pytest.mark.parametrize("way", ["variable", "command"])
def test_a_gateway_with_a_given_key(tmp_path: Path, way: str) -> None:
    keys = new_master_keys()
    key, data, kept = as_text(keys.keys[keys.current]), tmp_path / "state", tmp_path / "kept"
    kept.write_text(key)
    first = create_state(data, GivenKeys(keys))
    arguments = [f"--set=key_command=cat '{kept}'"] if way == "command" else []
    environ = {"RRGATE_MASTER_KEY": key} if way == "variable" else {}
    with Twistd(data, *arguments, environ=environ).ready() as gateway:
        gateway.search.know("the master key", key)
        answer = call(("127.0.0.1", gateway.core_port), "GET", "/clients", {"Authorization": first.token})
        assert answer.status == 200
        assert key.encode() not in Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes()
        gateway.terminate()
        assert gateway.ended() == 0
    assert not (data / "master.key").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/nowhere/key", "key_command (/nowhere/key) cannot be run: No such file or directory"),
        ("sh -c 'echo c3VjaC1hLXNlY3JldA; exit 7'", "key_command (sh) ended with status 7"),
        ("echo c3VjaC1hLXNlY3JldA", "what key_command prints does not hold a master key"),
    ],
)
def test_a_command_that_fails_stops_the_start_in_a_line(tmp_path: Path, command: str, said: str) -> None:
    data = tmp_path / "state"
    create_state(data)
    with Twistd(data, environ={"RRGATE_KEY_COMMAND": command}) as gateway:
        assert gateway.ended() != 0
        output = gateway.output()
        assert f"rrgate cannot start: {said}" in output
        assert "c3VjaC1hLXNlY3JldA" not in output
        assert "Traceback" not in output


def test_a_key_that_does_not_belong_to_the_state(tmp_path: Path) -> None:
    data, other = tmp_path / "state", new_master_keys()
    create_state(data)
    key = as_text(other.keys[other.current])
    with Twistd(data, environ={"RRGATE_MASTER_KEY": key}) as gateway:
        assert gateway.ended() != 0
        assert f"and the variable RRGATE_MASTER_KEY has {other.current}" in gateway.output()
        assert key not in gateway.output()
