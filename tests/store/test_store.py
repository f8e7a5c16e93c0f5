"""What the Store promises about nouns: saved whole, read back equal, refused clearly.

Belongs here: one process and its transactions. Does not: crashes (test_crash.py), opening (test_database.py).
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
import pytest_twisted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet import defer

from rrgate.model import Client, Credential, Filter, Proxy, Rule, Side, Target, Token, User
from rrgate.model.rule import BodyCheck, NamedCheck, PathCheck, Pattern, TokenCheck
from rrgate.store import AsyncStore, Conflict, Inventory, Member, Store, StoreError
from rrgate.store.rows import check_tables
from rrgate.store.thread import ThreadClosed


def everything(inventory: Inventory) -> set[str]:
    return {repr(noun) for nouns in attrs.astuple(inventory, recurse=False) for noun in nouns}


def test_columns_are_attributes() -> None:
    check_tables()


def test_what_is_saved_is_loaded(data: Path, store: Store, all_nouns: tuple[object, ...]) -> None:
    again = Store.open(data)
    loaded = again.load()
    again.close()
    assert len(everything(loaded)) == len(all_nouns)
    for noun in all_nouns:
        assert any(noun in nouns for nouns in attrs.astuple(loaded, recurse=False)), noun


def test_a_second_save_changes_in_place(store: Store, nouns: SimpleNamespace) -> None:
    store.save(*vars(nouns).values())
    other = attrs.evolve(nouns.client, id="c2")
    store.save(other, attrs.evolve(nouns.client, name="new"), attrs.evolve(nouns.member, roles=("user",)))
    loaded = store.load()
    assert [client.name for client in loaded.clients] == ["new", "Café"]
    assert loaded.members == (Member(user_id="u1", client_id="c1", roles=("user",)),)


def test_a_taken_alias_is_a_conflict_and_nothing_is_saved(store: Store, nouns: SimpleNamespace) -> None:
    store.save(*vars(nouns).values())
    before = everything(store.load())
    with pytest.raises(Conflict) as caught:
        store.save(attrs.evolve(nouns.target, name="changed"), attrs.evolve(nouns.proxy, id="p2"))
    assert caught.value.field == "proxyAlias"
    assert "alias" in caught.value.message
    assert everything(store.load()) == before


def test_aliases_are_free_in_another_client_and_may_be_absent_or_swapped(store: Store, nouns: SimpleNamespace) -> None:
    store.save(*vars(nouns).values())
    second = attrs.evolve(nouns.proxy, id="p2", alias="second")
    store.save(
        attrs.evolve(nouns.client, id="c2"),
        attrs.evolve(nouns.proxy, id="p3", client_id="c2"),
        attrs.evolve(nouns.proxy, id="p4", alias=None),
        attrs.evolve(nouns.proxy, id="p5", alias=None),
        second,
    )
    store.save(attrs.evolve(nouns.proxy, alias="second"), attrs.evolve(second, alias="first"))
    assert {proxy.id: proxy.alias for proxy in store.load().proxies} == {
        "p1": "second",
        "p2": "first",
        "p3": "first",
        "p4": None,
        "p5": None,
    }


def test_any_order_of_nouns_will_do(store: Store, nouns: SimpleNamespace) -> None:
    store.save(*reversed(vars(nouns).values()))
    store.delete(nouns.client, nouns.user, nouns.proxy, nouns.target)
    assert store.load() == Inventory()


def test_what_belongs_to_nobody_is_a_conflict(store: Store, nouns: SimpleNamespace) -> None:
    with pytest.raises(Conflict, match="not there"):
        store.save(nouns.proxy)
    with pytest.raises(Conflict):
        store.save(nouns.token)
    assert store.load() == Inventory()


def test_deleting(store: Store, all_nouns: tuple[object, ...], nouns: SimpleNamespace) -> None:
    with pytest.raises(Conflict, match="still owns"):
        store.delete(nouns.client)
    store.delete(nouns.proxy, nouns.proxy)
    store.delete(nouns.proxy)
    loaded = store.load()
    assert loaded.proxies == ()
    assert loaded.rules == ()
    assert loaded.targets == (nouns.target,)
    store.delete(nouns.user)
    assert (store.load().tokens, store.load().members) == ((), ())


@pytest.mark.parametrize("parent", ["proxy", "target", "credential"])
def test_rules_go_with_their_parent_and_no_others(
    store: Store, nouns: SimpleNamespace, credential: Callable[..., Credential], parent: str
) -> None:
    parents = {"proxy": nouns.proxy, "target": nouns.target, "credential": credential(store)}
    rules = {name: attrs.evolve(nouns.rule, id=name, parent_id=noun.id) for name, noun in parents.items()}
    store.save(nouns.user, nouns.client, *parents.values(), *rules.values())
    store.save(attrs.evolve(parents[parent], name="changed"))
    assert len(store.load().rules) == 3
    store.delete(parents[parent])
    assert {rule.id for rule in store.load().rules} == {*parents} - {parent}
    store.delete(nouns.client, *parents.values())
    assert store.load().rules == ()


@pytest.mark.parametrize("parent", ["proxy", "target", "credential"])
def test_filters_go_with_their_parent_and_no_others(
    store: Store, nouns: SimpleNamespace, credential: Callable[..., Credential], parent: str
) -> None:
    parents = {"proxy": nouns.proxy, "target": nouns.target, "credential": credential(store)}
    stamps = {"client_id": nouns.client.id, "user_id": nouns.user.id, "created_at": 1, "updated_at": 1}
    filters = [
        Filter(id=name, parent_id=noun.id, effect="destroy", json_paths=("$.a",), **stamps)
        for name, noun in parents.items()
    ]
    store.save(nouns.user, nouns.client, *parents.values(), *filters)
    assert store.load().filters == tuple(filters)
    store.delete(parents[parent])
    assert {each.id for each in store.load().filters} == {*parents} - {parent}
    store.delete(nouns.client, *parents.values())
    assert store.load().filters == ()


def test_what_json_cannot_hold_is_refused(store: Store, nouns: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.save(nouns.user, nouns.client, attrs.evolve(nouns.proxy, additional_data={"a": float("nan")}))
    assert store.load() == Inventory()
    with pytest.raises(TypeError, match="cannot be stored"):
        store.save("not a noun")  # type: ignore[arg-type]


def test_a_row_of_another_version_is_refused_without_its_content(store: Store, nouns: SimpleNamespace) -> None:
    store.save(nouns.user, nouns.client)
    store._connection.execute('UPDATE clients SET document = \'{"name": "x", "hush": "content"}\'')
    with pytest.raises(StoreError, match="row c1 of table clients") as caught:
        store.load()
    assert "content" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_gateway_loads_all_of_it_and_reads_some_later(
    store: Store, all_nouns: tuple[object, ...], nouns: SimpleNamespace, credential: Callable[..., Credential]
) -> None:
    temporary = attrs.evolve(credential(store, "k2"), temporary=True)
    replaced = attrs.evolve(credential(store, "k3"), previous_sealed_secret=b"sealed", previous_secret_version=1)
    expiring = attrs.evolve(credential(store, "k4"), expires_at=5)
    store.save(temporary, replaced, expiring, attrs.evolve(nouns.rule, id="r2", parent_id="k1"))
    late, loaded = store.load_late(), store.load()
    assert [late.credentials.read(row) for row in late.credentials.rows] == [*loaded.credentials]
    assert [late.rules.read(row) for row in late.rules.rows] == [*loaded.rules]
    assert late.read == attrs.evolve(loaded, credentials=(temporary, replaced, expiring), rules=())
    assert [each.id for each in loaded.credentials if each.passing] == ["k2", "k3", "k4"]


def test_a_row_that_is_read_later_is_refused_then(store: Store, all_nouns: tuple[object, ...]) -> None:
    for document in ('{"effect": "allow", "hush": "content"}', "content"):
        store._connection.execute("UPDATE rules SET document = ?", (document,))
        late = store.load_late().rules
        with pytest.raises(StoreError, match="row r1 of table rules") as caught:
            late.read(late.rows[0])
        assert "content" not in str(caught.value)


def test_nothing_is_collected_while_a_gateway_loads_and_it_is_as_it_was_then(
    store: Store, all_nouns: tuple[object, ...]
) -> None:
    store.load_late()
    assert gc.isenabled()
    gc.disable()
    try:
        store.load_late()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_tokens_changed_tells_of_others_only(data: Path, store: Store, nouns: SimpleNamespace) -> None:
    store.save(nouns.user)
    assert not store.tokens_changed()
    other = Store.open(data)
    other.save(nouns.token)
    assert store.tokens_changed()
    assert not store.tokens_changed()
    assert store.load_tokens() == (nouns.token,)
    other.delete(nouns.token)
    store.load()
    assert not store.tokens_changed()
    other.close()


@pytest_twisted.ensureDeferred
async def test_on_a_thread(data: Path, nouns: SimpleNamespace) -> None:
    from twisted.internet import reactor

    store = AsyncStore.open(data, reactor)  # type: ignore[arg-type]
    first = store.save(nouns.user, nouns.client)
    cancelled = store.save(nouns.target)
    cancelled.cancel()
    with pytest.raises(defer.CancelledError):
        await cancelled
    await first
    assert (await store.load()).targets == (nouns.target,)
    with pytest.raises(Conflict):
        await store.save(attrs.evolve(nouns.target, client_id="c9"))
    assert not await store.tokens_changed()
    assert (await store.load_people())[1] == ()
    deleted = store.delete(nouns.target)
    await store.close()
    await deleted
    await store.close()
    with pytest.raises(ThreadClosed):
        await store.load()


names = st.text(max_size=8)
ids = st.uuids().map(str)
times = st.integers(0, 2**53)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=3),
    max_leaves=6,
)
stamps = {"id": ids, "created_at": times, "updated_at": times}
owned = {**stamps, "client_id": st.just("c"), "user_id": st.just("u"), "name": names, "region": names}
USER = User(id="u", created_at=0, updated_at=0)
CLIENT = Client(id="c", user_id="u", name="", created_at=0, updated_at=0)

patterns = st.builds(Pattern, names, st.none() | st.just("i"))
presences = st.sampled_from(["must_exist", "must_not_exist"])


def checks(kind: type) -> st.SearchStrategy[object]:
    return st.lists(st.builds(kind, patterns, st.none() | patterns, presences), max_size=2).map(tuple)


any_noun = st.one_of(
    st.builds(
        Rule,
        **stamps,
        client_id=st.just("c"),
        user_id=st.just("u"),
        parent_id=ids,
        effect=names,
        priority=times,
        methods=st.none() | st.lists(names).map(tuple),
        path=st.none() | st.builds(PathCheck, patterns, presences),
        headers=checks(NamedCheck),
        query=checks(NamedCheck),
        body=checks(BodyCheck),
        token=checks(TokenCheck),
        regex_flags=st.none() | names,
        notes=st.none() | names,
        active=st.booleans(),
        report=st.booleans(),
    ),
    st.builds(
        Filter,
        **stamps,
        client_id=st.just("c"),
        user_id=st.just("u"),
        parent_id=ids,
        effect=names,
        json_paths=st.lists(names).map(tuple),
        methods=st.none() | st.lists(names).map(tuple),
        path=st.none() | st.builds(PathCheck, patterns, presences),
        headers=checks(NamedCheck),
        query=checks(NamedCheck),
        body=checks(BodyCheck),
        token=checks(TokenCheck),
        regex_flags=st.none() | names,
        notes=st.none() | names,
        active=st.booleans(),
    ),
    st.builds(User, **stamps, operator=st.booleans()),
    st.builds(Client, **stamps, user_id=ids, name=names),
    st.builds(
        Token,
        id=ids,
        user_id=st.just("u"),
        name=names,
        token_hash=st.binary(min_size=32, max_size=32),
        created_at=times,
        expires_at=st.none() | times,
    ),
    st.builds(Member, user_id=st.just("u"), client_id=st.just("c"), roles=st.lists(names).map(tuple)),
    st.builds(
        Credential,
        **owned,
        side=st.sampled_from(Side),
        auth_type=names,
        active=st.booleans(),
        expires_at=st.none() | times,
        sealed_secret=st.binary(),
        secret_version=times,
        previous_sealed_secret=st.none() | st.binary(),
        previous_secret_version=st.none() | times,
        previous_secret_expires_at=st.none() | times,
        allowed_hosts=st.none() | st.lists(names).map(tuple),
    ),
    st.builds(
        Target,
        **owned,
        base_url=names,
        test_path=st.none() | names,
        timeout=st.floats(1, 900) | st.integers(1, 900),
        raw_paths=st.booleans(),
        sealed_client_certificate=st.none() | st.binary(),
        client_certificate_expires_at=st.none() | times,
    ),
    st.builds(
        Proxy,
        **owned,
        proxy_credential_id=ids,
        target_id=ids,
        target_credential_id=ids,
        alias=st.none(),
        additional_headers=st.dictionaries(names, names),
        additional_data=st.dictionaries(names, json_values),
        max_response_bytes=st.none() | times,
        pass_headers=st.lists(names).map(tuple),
    ),
)


def keyed(noun: object) -> object:
    """What no two may have in common beside their ids: no two tokens have one hash."""
    return noun.token_hash if isinstance(noun, Token) else id(noun)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_noun, max_size=5, unique_by=(lambda noun: getattr(noun, "id", "member"), keyed)))
def test_every_noun_comes_back_equal(given_nouns: list[User | Member]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = Store.create(Path(directory))
        store.save(USER, CLIENT)
        store.save(*given_nouns)
        loaded = [noun for nouns in attrs.astuple(store.load(), recurse=False) for noun in nouns]
        store.close()
    assert all(noun in loaded for noun in given_nouns)
    assert len(loaded) == len(given_nouns) + 2


def test_secrets_are_saved_with_their_data_key(
    data: Path, store: Store, nouns: SimpleNamespace, credential: Callable[..., Credential]
) -> None:
    late = credential(store, "k9", b"later")
    with pytest.raises(Conflict):
        store.save(late)  # its client is not there
    store.save(nouns.user, nouns.client, late)
    again = Store.open(data)
    again.load()
    assert again.secrets.unseal("c1", "credentials/k9", again.load().credentials[0].sealed_secret) == b"later"
    again.close()


def test_two_processes_that_make_one_clients_data_key(
    data: Path, store: Store, nouns: SimpleNamespace, credential: Callable[..., Credential]
) -> None:
    store.save(nouns.user, nouns.client)
    other = Store.open(data)
    theirs, ours = credential(other, "k1", b"theirs"), credential(store, "k2", b"ours")
    other.save(theirs)
    with pytest.raises(StoreError, match="seal again"):
        store.save(ours)
    assert store.load().credentials == (theirs,)
    store.save(credential(store, "k2", b"ours"))
    other.load()
    secrets = [other.secrets.unseal("c1", f"credentials/{k.id}", k.sealed_secret) for k in other.load().credentials]
    assert secrets == [b"theirs", b"ours"]
    other.close()


def test_credentials_of_before_there_were_hosts_are_bound_to_those_they_are_used_with(
    data: Path, nouns: SimpleNamespace, credential: Callable[..., Credential]
) -> None:
    store = Store.open(data)
    secret = b'{"token":"x"}'
    towards = {
        id: attrs.evolve(credential(store, id, b"{}" if id == "empty" else secret), side=Side.TARGET)
        for id in ("used", "unused", "empty", "named")
    }
    towards["named"] = attrs.evolve(towards["named"], allowed_hosts=("kept.test",))
    targets = [
        attrs.evolve(nouns.target, id=f"g{number}", base_url=url)
        for number, url in enumerate(["https://API.acme.test./v1", "http://127.0.0.1:8000", "https://acme.test:8443"])
    ]
    proxies = [
        attrs.evolve(nouns.proxy, id=f"p{used}{target}", alias=None, target_id=target, target_credential_id=used)
        for used in ("used", "empty", "named")
        for target in ("g0", "g1", "gone")
    ]
    store.save(nouns.user, nouns.client, credential(store, "k1", secret), *towards.values(), *targets, *proxies)
    # As it was before the step.
    remove = "UPDATE credentials SET document = json_remove(document, '$.allowed_hosts') WHERE id != 'named'"
    store._connection.execute(remove)
    store._connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '%allowed_hosts'")
    store._connection.commit()
    store.close()
    store = Store.open(data)
    found = {each.id: each.allowed_hosts for each in store.load().credentials}
    assert found == {
        "k1": None,
        "used": ("127.0.0.1:8000", "api.acme.test"),
        "unused": None,
        "empty": None,
        "named": ("kept.test",),
    }
    kept = next(each for each in store.load().credentials if each.id == "used")
    assert attrs.evolve(kept, allowed_hosts=None) == towards["used"]
    store.close()
