"""Where master keys come from: a variable, a command, the file; what is refused, and that nothing shows a key.

Belongs here: `given_keys`, `KeyRing`. Does not: the key file's own form (test_secrets.py), rotation.
"""

from __future__ import annotations

import base64
import json
import sys
import time
import traceback
from itertools import count
from pathlib import Path

import pytest

from rrgate.store import KeyFileError, MissingKey, Store, keyfile
from rrgate.store import key_source as sources
from rrgate.store.key_source import FileKeys, GivenKeys, KeyRing, given_keys
from rrgate.store.keyfile import MasterKeys, as_text, new_master_keys

KEYS = new_master_keys(new_master_keys())
NEW, OLD = (as_text(KEYS.keys[KEYS.current]), as_text(next(key for id, key in KEYS.keys.items() if id != KEYS.current)))
AS_FILE = json.dumps({"current": KEYS.current, "keys": {id: as_text(key) for id, key in KEYS.keys.items()}})


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


def test_without_either_there_is_the_file_alone() -> None:
    assert given_keys((), {}) is None


@pytest.mark.parametrize(
    "text", [f"{NEW} {OLD}", f"{NEW}\n{OLD}\n", f"\t{NEW}\r\n\r\n{OLD} ", AS_FILE, f"\n{AS_FILE}\n"], ids=count()
)
def test_the_first_key_is_the_current_one(text: str) -> None:
    for found in (
        given_keys((), {"RRGATE_MASTER_KEY": text}),
        given_keys(python(f"print({text!r})"), {}),
    ):
        assert found is not None
        assert found.keys == KEYS
        assert found.read().key(keyfile.key_id(base64.b64decode(OLD))) == base64.b64decode(OLD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        NEW[:-4],
        NEW + "AAAA",
        NEW.rstrip("="),
        f"{NEW} {OLD[:-4]}",
        f"{NEW},{OLD}",
        "0" * 64,
        "{",
        "{}",
        '{"current": "x", "keys": {}}',
        AS_FILE.replace(KEYS.current, "0" * 16),
        "key: " + NEW,
        "\udcff",
        "ключ",
    ],
    ids=count(),  # keys are new in every process
)
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    program = f"import sys; sys.stdout.buffer.write({text.encode('utf-8', 'surrogateescape')!r})"
    for command, environ, where in (
        ((), {"RRGATE_MASTER_KEY": text}, "the variable RRGATE_MASTER_KEY"),
        (python(program), {}, "what key_command prints"),
    ):
        with pytest.raises(KeyFileError, match=f"{where} does not hold a master key; .*rrgate keys new") as caught:
            given_keys(command, environ)
        assert_hidden("".join(traceback.format_exception(caught.value)))


def assert_hidden(shown: str) -> None:
    # Not `text`: some of those are too short to be looked for.
    for key in (NEW, OLD):
        assert key[:20] not in shown


def test_both_are_one_too_many() -> None:
    with pytest.raises(KeyFileError, match="twice"):
        given_keys(python("print()"), {"RRGATE_MASTER_KEY": NEW})


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/nowhere/to/be/found",), r"key_command \(/nowhere/to/be/found\) cannot be run: No such file"),
        (("/",), r"cannot be run: Permission denied"),
        ((__file__,), r"cannot be run: (Permission denied|Exec format error)"),
        (python(f"print({NEW!r}); raise SystemExit(3)"), "ended with status 3; run it as the gateway's user"),
        (python(f"import sys; sys.exit({NEW!r})"), "ended with status 1"),
        (python("import os; os.kill(os.getpid(), 9)"), "ended with signal 9"),
        (python(f"print({NEW!r} * 1000)"), "printed more than 16384 bytes"),
        (python("while True: print('y' * 1000)"), "printed more than 16384 bytes"),
    ],
    ids=count(),  # keys are new in every process
)
def test_a_command_that_fails_is_told_without_what_it_printed(
    command: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyFileError, match=said) as caught:
        given_keys(command, {})
    shown = "".join(traceback.format_exception(caught.value))
    assert_hidden(str(caught.value))
    assert_hidden(shown.replace(repr(command), ""))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(600)",
        "import os, time; os.close(1); time.sleep(600)",
        f"print({NEW!r}, flush=True); import time; time.sleep(600)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    ],
    ids=count(),  # keys are new in every process
)
def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sources, "COMMAND_SECONDS", 0.3)
    child = tmp_path / "pid"
    forked = f"import os; child = os.fork(); child and open({str(child)!r}, 'w').write(str(child)); {program}"
    with pytest.raises(KeyFileError, match="did not end within"):
        given_keys(python(forked), {})
    if child.exists() and child.read_text():
        stat = Path(f"/proc/{child.read_text()}/stat")
        deadline = time.monotonic() + 10
        while stat.exists() and " Z " not in stat.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not stat.exists() or " Z " in stat.read_text()


def test_a_command_that_leaves_something_running_is_not_waited_for() -> None:
    program = f"import os, time; print({NEW!r}, flush=True); os.fork() or (os.setsid(), time.sleep(5))"
    began = time.monotonic()
    found = given_keys(python(program), {})
    assert found is not None
    assert found.keys.current == KEYS.current
    assert time.monotonic() - began < 5


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(NEW)
    with pytest.raises(KeyFileError, match="cannot be run"):
        given_keys((f"cat {tmp_path / 'key'}",), {})
    found = given_keys(("cat", str(tmp_path / "key")), {"PATH": "/usr/bin:/bin"})
    assert found is not None
    said = tmp_path / "said"
    with pytest.raises(KeyFileError):
        given_keys(("echo", f"$(touch {said})", ";", "touch", str(said)), {"PATH": "/usr/bin:/bin"})
    assert not said.exists()


def test_no_repr_shows_a_key() -> None:
    found = GivenKeys(KEYS)
    ring = KeyRing(found)
    for shown in (repr(found), repr(ring), repr(KEYS), str(vars(ring)["_source"])):
        assert_hidden(shown)
        for key in KEYS.keys.values():
            assert repr(key)[2:-1] not in shown


def test_a_ring_looks_again_for_what_it_misses(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first, second, third = new_master_keys(), new_master_keys(), new_master_keys()
    keyfile.create(path, first)
    ring = KeyRing(FileKeys(path))
    keyfile.replace(path, second)
    assert ring.key(second.current) == second.keys[second.current]
    # What it has seen it keeps: something that was read may still be under it.
    assert ring.key(first.current) == first.keys[first.current]
    with pytest.raises(MissingKey, match=third.current):
        ring.key(third.current)
    path.unlink()
    with pytest.raises(KeyFileError, match="missing"):
        ring.key(third.current)
    assert ring.key(first.current)


def test_given_keys_do_not_change() -> None:
    ring = KeyRing(GivenKeys(MasterKeys(current=KEYS.current, keys={KEYS.current: KEYS.keys[KEYS.current]}, where="X")))
    with pytest.raises(MissingKey, match=f"and X has {KEYS.current}; give the key"):
        ring.key("0" * 16)


def test_state_under_a_given_key_has_no_file(tmp_path: Path) -> None:
    given = GivenKeys(KEYS)
    Store.create(tmp_path, given).close()
    assert not (tmp_path / "master.key").exists()
    Store.open(tmp_path, given=given).close()
    with pytest.raises(KeyFileError, match="missing"):
        Store.open(tmp_path)
    with pytest.raises(MissingKey):
        Store.open(tmp_path, given=GivenKeys(new_master_keys()))
