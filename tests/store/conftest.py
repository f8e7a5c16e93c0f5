"""State for the store's tests: a directory of its own, and nouns to put into it.

Belongs here: fixtures of tests/store/. Does not: fixtures of anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rrgate.model import Client, Credential, Proxy, Rule, Side, Target, Token, User
from rrgate.model.rule import NamedCheck, PathCheck, Pattern
from rrgate.store import Member, Store, credential_row


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with the state of a new gateway."""
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
def nouns() -> SimpleNamespace:
    """One of each, belonging together, without a secret."""
    return SimpleNamespace(
        user=User(id="u1", operator=True, created_at=1, updated_at=2),
        client=Client(id="c1", user_id="u1", name="Café", created_at=1, updated_at=2),
        token=Token(id="t1", user_id="u1", name="init", token_hash=b"\0" * 32, created_at=3),
        member=Member(user_id="u1", client_id="c1", roles=("owner", "admin")),
        target=Target(
            id="g1",
            client_id="c1",
            user_id="u1",
            name="httpbin",
            region="us-east-1",
            base_url="http://127.0.0.1:8000",
            timeout=30,
            created_at=4,
            updated_at=4,
        ),
        proxy=Proxy(
            id="p1",
            client_id="c1",
            user_id="u1",
            name="first",
            region="us-east-1",
            proxy_credential_id="k1",
            target_id="g1",
            target_credential_id="k2",
            alias="first",
            additional_headers={"X-A": "1"},
            additional_data={"deep": {"list": [1, 2.5, None, "\ud800"]}},
            pass_headers=("cookie",),
            created_at=5,
            updated_at=6,
        ),
        rule=Rule(
            id="r1",
            client_id="c1",
            user_id="u1",
            parent_id="p1",
            effect="deny",
            methods=("GET",),
            path=PathCheck(Pattern("^/a", "i"), "must_not_exist"),
            headers=(NamedCheck(Pattern("^x-\xe9$"), Pattern("1")),),
            created_at=7,
            updated_at=8,
        ),
    )


@pytest.fixture
def all_nouns(nouns: SimpleNamespace, store: Store, credential: Callable[..., Credential]) -> tuple[object, ...]:
    """One of each, saved."""
    everything = (*vars(nouns).values(), credential(store))
    store.save(*everything)
    return everything


@pytest.fixture
def credential() -> Callable[..., Credential]:
    def make(store: Store, id: str = "k1", secret: bytes = b"{}", client_id: str = "c1") -> Credential:
        return Credential(
            id=id,
            client_id=client_id,
            user_id="u1",
            name="key",
            side=Side.PROXY,
            auth_type="apiKey",
            region="us-east-1",
            created_at=1,
            updated_at=1,
            fingerprint=store.secrets.fingerprint(id, secret),
            sealed_secret=store.secrets.seal(client_id, credential_row(id), secret),
        )

    return make
