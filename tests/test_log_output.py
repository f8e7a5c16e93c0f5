"""The log under twistd: what is below `log_level` is not written, and nothing that an exception says of itself.

Belongs here: rrgate/log_output.py, rrgate/json_log.py, and CarefulObserver. Does not: what is logged where.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python import log
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny

from rrgate.log_output import choose


@pytest.mark.parametrize(("level", "written"), [("debug", "debug info warn error"), ("warn", "warn error")])
def test_events_below_the_level_are_not_written(tmp_path: Path, level: str, written: str) -> None:
    twistd: dict[str, Any] = {"logfile": str(tmp_path / "log"), "nodaemon": 1}
    choose(twistd, level)
    observer = namedAny(twistd["logger"])()
    logger = Logger("test", observer=observer)
    for name in ("debug", "info", "warn", "error"):
        logger.emit(LogLevel.levelWithName(name), f"a message at {name}")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == written.split()


@pytest.mark.parametrize("told", [{"logger": "somebody.else"}, {"syslog": 1}])
def test_whoever_told_twistd_where_to_log_is_left_alone(told: dict[str, Any]) -> None:
    twistd = dict(told)
    choose(twistd, "error")
    assert twistd == told


# Failures.

SECRET = "s3cr3t-90c1"


def raised() -> Failure:
    try:
        try:
            {}[SECRET]
        except KeyError as error:
            raise RuntimeError(f"no {SECRET}") from error
    except RuntimeError:
        return Failure()


def handled(logs: Callable[..., object]) -> None:
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        logs()


def unhandled_in_a_deferred() -> None:
    fail(raised())
    gc.collect()


def unhandled_after_a_chain() -> None:
    outer: Deferred[None] = Deferred()
    outer.addCallback(lambda _: fail(raised()))
    outer.callback(None)
    del outer
    gc.collect()


def in_a_timer() -> None:
    clock = Clock()
    clock.callLater(1, lambda: log.err(raised(), "a timer failed"))
    clock.advance(1)


def quoted_by_the_message() -> None:
    failure = raised()
    Logger("test").failure("it failed: {log_failure}, {error}, {log_failure.value}", failure, error=failure.value)


WAYS: dict[str, tuple[Callable[[], object], str]] = {
    "Logger.failure": (lambda: Logger("test").failure("a plugin's words", raised()), "a plugin's words"),
    "Logger.failure of what is handled": (lambda: handled(lambda: Logger("test").failure("words")), "words"),
    "log.err": (lambda: log.err(raised()), "Unhandled error"),
    "log.err with words": (lambda: log.err(raised(), "the loop failed"), "the loop failed"),
    "log.err of what is handled": (lambda: handled(log.err), "Unhandled error"),
    "log.err as the reactor does": (lambda: handled(lambda: log.err(system="a connection")), "a connection"),
    "log.err of an exception": (lambda: log.err(RuntimeError(SECRET), "words"), "words"),
    "log.msg": (lambda: log.msg(failure=raised(), isError=1), "Unhandled error"),
    "unhandled in a Deferred": (unhandled_in_a_deferred, "Unhandled error in Deferred"),
    "unhandled after a chain": (unhandled_after_a_chain, "Unhandled error in Deferred"),
    "in a timer": (in_a_timer, "a timer failed"),
    "quoted by the message": (quoted_by_the_message, "it failed"),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("way", WAYS)
def test_what_an_exception_says_is_not_written(tmp_path: Path, way: str, form: str) -> None:
    twistd: dict[str, Any] = {"logfile": str(tmp_path / "log"), "nodaemon": 1}
    choose(twistd, "info", form)
    observer = namedAny(twistd["logger"])()
    globalLogPublisher.addObserver(observer)
    try:
        do, words = WAYS[way]
        do()
    finally:
        globalLogPublisher.removeObserver(observer)
    written = (tmp_path / "log").read_text()
    assert SECRET not in written
    assert "builtins.RuntimeError (its text is left out)" in written
    if way != "log.err of an exception":  # which was never raised
        assert "test_log_output.py" in written
    assert words in written


def test_texts_that_hold_no_values_are_written(tmp_path: Path) -> None:
    class Plain(Exception):
        holds_no_values = True

    twistd: dict[str, Any] = {"logfile": str(tmp_path / "log"), "nodaemon": 1}
    choose(twistd, "info")
    observer = namedAny(twistd["logger"])()
    Logger("test", observer=observer).failure("so it is:", Failure(Plain("the third of three")))
    Logger("test", observer=observer).error("told in {words}", words="plain words")
    written = (tmp_path / "log").read_text()
    assert "Plain the third of three" in written
    assert "told in plain words" in written


# As JSON lines.


def lines_of(tmp_path: Path, log_with: Callable[[Logger], object]) -> list[dict[str, Any]]:
    twistd: dict[str, Any] = {"logfile": str(tmp_path / "log"), "nodaemon": 1}
    choose(twistd, "debug", "json")
    log_with(Logger("rrgate.test", observer=namedAny(twistd["logger"])()))
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def test_an_event_is_one_object_with_what_its_message_is_made_of(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path, lambda logger: logger.warn("{plugin!r} took {ms} ms", plugin="acme", ms=31, other="x"))
    moment = line.pop("time")
    assert datetime.fromisoformat(moment).tzinfo == UTC
    assert line == {
        "level": "warn",
        "logger": "rrgate.test",
        "message": "'acme' took 31 ms",
        "plugin": "acme",
        "ms": 31,
    }


def test_a_failure_has_its_places_in_a_field_of_its_own(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path, lambda logger: logger.failure("plugin {plugin} failed", raised(), plugin="acme"))
    assert line["message"] == "plugin acme failed"
    assert line["trace"].startswith("builtins.RuntimeError (its text is left out)")


ODD: dict[str, dict[str, Any]] = {
    "a line end": {"value": "one\ntwo"},
    "a quote and a control character": {"value": '"\x00\x1b[31m'},
    "half a surrogate pair": {"value": "\ud800"},
    "a number over 64 bits": {"value": 1 << 70},
    "an object": {"value": object()},
    "an object that cannot be shown": {"value": type("Bad", (), {"__str__": lambda self: 1 / 0})()},
    "no number": {"value": float("nan")},
    "nothing": {},
}


@pytest.mark.parametrize("about", ODD.values(), ids=ODD.keys())
def test_whatever_is_logged_is_one_line_of_json(tmp_path: Path, about: dict[str, Any]) -> None:
    (line,) = lines_of(tmp_path, lambda logger: logger.info("told: {value}", **about))
    assert line["level"] == "info"
    assert line["message"]


def test_an_event_cannot_pass_for_another_by_the_names_in_it(tmp_path: Path) -> None:
    (line,) = lines_of(
        tmp_path, lambda logger: logger.info("{message} {time} {logger}", message="no", time="never", logger="another")
    )
    assert line["message"] == "no never another"
    assert line["logger"] == "rrgate.test"
    assert line["time"].endswith("Z")


def test_a_long_value_is_cut_and_the_message_is_not(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path, lambda logger: logger.info("{value}", value="x" * 5000))
    assert (len(line["message"]), len(line["value"])) == (5000, 1000)


def test_what_others_log_the_old_way_is_a_line_too(tmp_path: Path) -> None:
    twistd: dict[str, Any] = {"logfile": str(tmp_path / "log"), "nodaemon": 1}
    choose(twistd, "info", "json")
    observer = namedAny(twistd["logger"])()
    globalLogPublisher.addObserver(observer)
    try:
        log.msg("a word from 100% of {nobody}", system="somewhere")
    finally:
        globalLogPublisher.removeObserver(observer)
    (line,) = [json.loads(each) for each in (tmp_path / "log").read_text().splitlines()]
    assert (line["message"], line["logger"], line["level"]) == (
        "a word from 100% of {nobody}",
        "somewhere",
        "info",
    )
