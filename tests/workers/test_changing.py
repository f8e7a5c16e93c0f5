"""A worker that changes something announces it, waits to be heard, and answers when it is in force everywhere.

Belongs here: the worker's side of a change, and how the others take it over. Does not: the parent's (test_ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed

from rrgate.directory import Directory, Noun
from rrgate.model import Client, Member, Proxy, Target, Token, User
from rrgate.store import Store, StoreError
from rrgate.workers.changing import Changing
from rrgate.workers.following import Follower

USER = User(id="u", created_at=1, updated_at=1)
CLIENT = Client(id="c", user_id="u", name="acme", created_at=1, updated_at=1)
TOKEN = Token(id="t", user_id="u", name="t", token_hash=b"\0" * 32, created_at=1)
MEMBER = Member(user_id="u", client_id="c", roles=("admin",))
TARGET = Target(
    id="g", client_id="c", user_id="u", name="g", region="r", base_url="http://a.test", timeout=30, created_at=1,
    updated_at=1,
)
PROXY = Proxy(
    id="p", client_id="c", user_id="u", name="p", region="r", proxy_credential_id="k", target_id="g",
    target_credential_id="l", alias="short", created_at=1, updated_at=1,
)
ALL = (USER, CLIENT, TOKEN, MEMBER, TARGET, PROXY)


class Leader:
    """A worker that leads, and what it says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.said: list[dict[str, Any]] = []
        self.changing = Changing(self._send, store.secrets)

    def _send(self, say: str, **values: Any) -> None:
        self.said.append({"say": say, **values})

    def save(self, *nouns: Noun) -> Deferred[None]:
        def work() -> Deferred[None]:
            self.store.save(*nouns)
            return succeed(None)

        return self.changing.change(nouns, work)

    def heard(self) -> None:
        """The parent answers what was said last."""
        self.changing.heard(self.said[-1]["id"])

    @property
    def named(self) -> list[Any]:
        """What was announced."""
        named: list[Any] = self.said[0]["nouns"]
        return named


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    Store.create(directory).close()
    return directory


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    opened = Store.open(data)
    yield opened
    opened.close()


@pytest.fixture
def leader(store: Store) -> Leader:
    return Leader(store)


def nothing_is_built(directory: Directory, proxy: Proxy) -> Any:
    raise AssertionError("no route is needed")


class Other:
    """Another worker, which has read the state as it is now."""

    def __init__(self, data: Path) -> None:
        self.store = Store.open(data)
        self.directory = Directory(nothing_is_built)
        for noun in self.store.load().everything():
            self.directory.put(noun)
        self.follower = Follower(data, self.directory, self.store.secrets)

    def close(self) -> None:
        self.follower.close()
        self.store.close()


@pytest.fixture
def other(data: Path) -> Iterator[Other]:
    made = Other(data)
    yield made
    made.close()


# Making one.


def test_nothing_is_committed_before_it_is_announced_and_heard(leader: Leader) -> None:
    made = leader.save(USER, CLIENT)
    assert leader.said == [{"say": "about", "id": 1, "nouns": [("users", ("u",)), ("clients", ("c",))]}]
    assert not leader.store.load().users
    leader.heard()
    assert leader.store.load().users == (USER,)
    assert leader.said[-1] == {"say": "made", "id": 1}
    assert not made.called, "the others do not have it yet"
    leader.heard()
    assert made.called


def test_one_that_fails_is_told_of_too(leader: Leader) -> None:
    made = leader.changing.change([CLIENT], lambda: fail(StoreError("the disk is full")))
    failed: list[Any] = []
    made.addErrback(failed.append)
    leader.heard()
    assert leader.said[-1]["say"] == "made"
    assert not failed
    leader.heard()
    assert failed[0].check(StoreError)


def test_who_does_not_wait_for_it_any_more_does_not_undo_it(leader: Leader) -> None:
    made = leader.save(USER)
    made.addErrback(lambda _: None)
    made.cancel()
    leader.heard()
    assert leader.store.load().users == (USER,)
    assert leader.said[-1]["say"] == "made"


def test_a_new_client_has_its_data_key_from_the_start(leader: Leader, data: Path) -> None:
    leader.save(USER, CLIENT)
    leader.heard()
    again = Store.open(data)
    again.load()
    assert again.secrets.has_key("c")
    again.close()


def test_without_a_parent_nothing_is_answered_as_if_it_were_in_force(leader: Leader) -> None:
    failed: list[Any] = []
    leader.save(USER).addErrback(failed.append)
    leader.heard()
    leader.changing.lost()
    assert failed[0].check(StoreError)
    leader.save(CLIENT).addErrback(failed.append)
    assert failed[1].check(StoreError)
    assert not leader.store.load().clients


def test_who_retires_ends_what_is_under_way_and_makes_no_more(leader: Leader) -> None:
    leader.save(USER)
    retired = leader.changing.retire()
    failed: list[Any] = []
    leader.save(CLIENT).addErrback(failed.append)
    assert failed[0].check(StoreError)
    leader.heard()
    assert not retired.called
    leader.heard()
    assert retired.called


# Taking it over.


def test_what_is_named_is_as_on_disk(store: Store, other: Other) -> None:
    sealed = store.secrets.seal("c", "anything", b"secret")
    store.save(*ALL)
    named = [["users", ["u"]], ["clients", ["c"]], ["tokens", ["t"]], ["members", ["u", "c"]], ["targets", ["g"]]]
    other.follower.refresh([*named, ["proxies", ["p"]]])
    directory = other.directory
    assert directory.users == {"u": USER}
    assert directory.clients == {"c": CLIENT}
    assert directory.token_by_hash == {TOKEN.token_hash: TOKEN}
    assert directory.members == {("u", "c"): ("admin",)}
    assert (directory.targets["g"], directory.proxies["p"]) == (TARGET, PROXY)
    assert directory.with_alias("c", "short") == "p"
    assert other.store.secrets.unseal("c", "anything", sealed) == b"secret", "its key came with it"


def test_to_be_told_twice_or_of_what_is_not_there_does_no_harm(store: Store, other: Other) -> None:
    store.save(*ALL)
    for _ in range(2):
        other.follower.refresh([["clients", ["c"]], ["proxies", ["p"]], ["rules", ["nobody's"]], ["tokens", ["no"]]])
    changed = evolve(PROXY, name="changed", updated_at=2)
    store.save(changed)
    other.follower.refresh([["proxies", ["p"]]])
    assert other.directory.proxies["p"] == changed


def test_what_is_no_more_on_disk_is_no_more(store: Store, data: Path) -> None:
    store.save(*ALL)
    other = Other(data)
    other.store.secrets.seal("c", "anything", b"")
    store.delete(PROXY, TARGET, MEMBER, TOKEN, CLIENT)
    other.follower.refresh(
        [["proxies", ["p"]], ["targets", ["g"]], ["members", ["u", "c"]], ["tokens", ["t"]], ["clients", ["c"]]]
    )
    directory = other.directory
    left = (directory.proxies, directory.targets, directory.members, directory.token_by_hash, directory.clients)
    assert not any(left)
    assert not other.store.secrets.has_key("c")
    other.close()
