"""What is told whom: fixed texts with ids and names, and no word of anybody else's.

Belongs here: from events and times to notices. Does not: changes of members (tests/core/test_notifications.py).
"""

from __future__ import annotations

from typing import Any, get_args

import pytest

from rrgate.boot_values import Event, EventKind
from rrgate.directory import Directory
from rrgate.model import Client, Credential, Proxy, Side, Target
from rrgate.model.notification import shown_name
from rrgate.notice_texts import CLIENT, DAY, SYSTEM, of_event, of_time
from tests.core.doubles import no_route

COMMON: dict[str, Any] = {"client_id": "c1", "user_id": "u1", "region": "r", "created_at": 1, "updated_at": 1}
NOW = 1_800_000_000_000


def credential(id: str = "k1", **more: Any) -> Credential:
    given = {"name": "Key {noun}", "side": Side.TARGET, "auth_type": "bearer", "fingerprint": "", "sealed_secret": b""}
    return Credential(id=id, **{**COMMON, **given, **more})


def target(id: str = "g1", **more: Any) -> Target:
    return Target(id=id, **{**COMMON, "name": "Target", "base_url": "https://x.test", **more})


@pytest.fixture
def known() -> Directory:
    directory = Directory(no_route)
    directory.put(Client(id="c1", user_id="u1", name="Acme", created_at=1, updated_at=1))
    directory.put(credential())
    directory.put(target())
    ids = {"proxy_credential_id": "k0", "target_id": "g1", "target_credential_id": "k1"}
    directory.put(Proxy(id="p1", name="Pay" * 50, **ids, **COMMON))
    return directory


SUBJECTS = {
    "proxy-broken": "p1",
    "credential-failed": "k1",
    "credential-needs-authorization": "k1",
    "limit-approached": "p1",
    "limit-reached": "p1",
    "budget-approached": "c1",
    "budget-spent": "c1",
    "delivery-exhausted": "p1",
    "delivery-unknown": "p1",
    "callback-failed": "p1",
    "overloaded": "p1",
}


@pytest.mark.parametrize("kind", get_args(EventKind))
def test_every_event_tells_somebody_and_quotes_nobody(known: Directory, kind: EventKind) -> None:
    event = Event(kind, "a sentence with s3cr3t words", SUBJECTS.get(kind, "some plugin request"))
    notices = of_event(event, known)
    assert [each.type for each in notices] == ["system"] * (kind in SYSTEM) + ["client"] * (kind in CLIENT)
    assert notices
    for each in notices:
        assert each.receiver_id == ("c1" if each.type == "client" else "")
        assert each.cause == f"{kind} {event.subject}"
        assert "s3cr3t" not in repr(each)
        assert each.title[0].isupper()
        assert each.message[0].isupper() or each.message[0] == '"'
        assert each.message.endswith(".")
        assert not each.once
        if each.type == "client":
            assert f"({event.subject})" in each.message


@pytest.mark.parametrize(
    ("kind", "subject", "named"),
    [
        ("limit-reached", "p1", 'The proxy "' + ("Pay" * 50)[:64] + '" (p1) has used up'),
        ("limit-reached", "c1", 'The client "Acme" (c1) has used up'),
        ("credential-failed", "k1", 'for the credential "Key {noun}" (k1) cannot'),
        ("plugin-fault", "x" * 100 + "\n\x1b[31m", '"' + "x" * 64 + '" failed'),
        ("keys-unreachable", "\u202ekeys.test\0{subject}", '" keys.test {subject}"'),
    ],
)
def test_names(known: Directory, kind: EventKind, subject: str, named: str) -> None:
    (notice, *_) = of_event(Event(kind, "a sentence", subject), known)
    assert named in notice.message
    assert notice.message.isprintable()


def test_limits_of_two_windows_are_two_causes(known: Directory) -> None:
    windows = ("minute", "hour", "day", "")
    found = [of_event(Event("limit-reached", "a sentence", "p1", window), known)[0] for window in windows]
    assert [each.cause for each in found] == [f"limit-reached p1 {window}".rstrip() for window in windows]
    for each, window in zip(found, ("a minute", "an hour", "a day", "a window"), strict=True):
        assert f"its limit for {window};" in each.message


@pytest.mark.parametrize("kind", [kind for kind in CLIENT if kind not in SYSTEM])
def test_of_what_is_no_more_nothing_is_told(known: Directory, kind: EventKind) -> None:
    assert of_event(Event(kind, "a sentence", "gone"), known) == []


def test_names_are_cut_and_printable() -> None:
    assert shown_name("a\nb\u2028c\U0001f600") == '"a b c\U0001f600"'
    assert len(shown_name("\u0301" * 1000)) == 66


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (7 * DAY + 1, None),
        (7 * DAY, 7),
        (DAY + 1, 7),
        (DAY, 1),
        (1, 1),
        (0, None),
        (-1, None),
    ],
)
def test_what_expires_is_told_seven_days_ahead_and_one(left: int, days: int | None) -> None:
    until = NOW + left
    found = list(of_time([credential(expires_at=until), target(client_certificate_expires_at=until)], NOW))
    if days is None:
        assert found == []
        return
    assert [each.cause for each in found] == [f"expires k1 {until} {days}", f"expires g1 {until} {days}"]
    assert all(each.once and (each.type, each.receiver_id) == ("client", "c1") for each in found)
    assert found[0].message.startswith('The credential "Key {noun}" (k1) expires at 2027-')
    assert found[1].message.startswith('The client certificate of the target "Target" (g1) expires at 2027-')


def test_what_does_not_expire_or_is_switched_off_is_not_told_of() -> None:
    assert not list(of_time([credential(), target(), credential(active=False, expires_at=NOW + DAY)], NOW))
