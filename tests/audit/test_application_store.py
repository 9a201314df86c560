"""Applications in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gatewaylog.audit.application_store import DatabaseApplications
from gatewaylog.audit.registered import Registered, RegisteredKey
from gatewaylog.audit.token_store import DatabaseTokens
from gatewaylog.exceptions import TokenStoreError
from tests.audit.test_token_store import url

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["url"]  # the fixture
SHOP = Registered(
    name="shöp 'n",
    owner="ann",
    client_id="c",
    client_secret="sha256:00",
    subscriptions=frozenset({"a--B", "*"}),
    suspended=frozenset({"a--B"}),
    scopes=frozenset({"read"}),
)


@pytest.fixture
def store(url: str) -> Iterator[DatabaseApplications]:
    with contextlib.closing(DatabaseApplications(url)) as opened:
        yield opened


def test_an_application_is_found_by_name_client_and_key(store: DatabaseApplications) -> None:
    assert store.by_client("c") is None
    store.keep(SHOP)
    store.keep(Registered(name="other", owner="bob"))
    store.add_key(RegisteredKey(digest=b"1", application=SHOP.name, created_at=1.5))
    assert store.by_name(SHOP.name) == store.by_client("c") == store.by_key(b"1") == SHOP
    assert store.by_key(b"2") is store.by_client("") is None
    assert store.disable(b"1", 2.5)
    assert not store.disable(b"1", 3.5)
    assert store.by_key(b"1") is None
    (key,) = store.all_keys()
    assert (key.digest, key.disabled_at) == (b"1", 2.5)


def test_what_is_kept_again_takes_the_place_of_what_was(store: DatabaseApplications) -> None:
    store.keep(SHOP)
    fresh = Registered(name=SHOP.name, owner="eve", subscriptions=frozenset({"x"}))
    store.keep(fresh)
    assert store.by_name(SHOP.name) == fresh
    assert store.by_client("c") is None


def test_a_client_and_a_key_belong_to_one_application(store: DatabaseApplications) -> None:
    store.keep(SHOP)
    with pytest.raises(TokenStoreError):
        store.keep(Registered(name="other", owner="bob", client_id="c"))
    store.add_key(RegisteredKey(digest=b"1", application=SHOP.name, created_at=1.0))
    with pytest.raises(TokenStoreError):
        store.add_key(RegisteredKey(digest=b"1", application=SHOP.name, created_at=2.0))


def test_tables_are_made_by_several_at_once(postgresql: str) -> None:
    """And beside the table of tokens, in a schema that none of them has found."""
    engine = sa.create_engine(postgresql)
    stores = [kind(postgresql) for kind in (DatabaseApplications, DatabaseTokens) * 4]
    for _ in range(5):
        with engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA IF EXISTS gatewaylog CASCADE"))
        for store in stores:
            store._database._ready = False
        with ThreadPoolExecutor(8) as threads:
            finds = [
                store.by_key if isinstance(store, DatabaseApplications) else store.find
                for store in stores
            ]
            assert list(threads.map(lambda find: find(b"x"), finds)) == [None] * 8
    for store in stores:
        store.close()
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA IF EXISTS gatewaylog CASCADE"))
    engine.dispose()


def test_who_looks_up_needs_to_read_alone(postgresql: str) -> None:
    owner = DatabaseApplications(postgresql)
    owner.keep(SHOP)
    engine = sa.create_engine(postgresql)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS looking"))
        for statement in (
            "CREATE ROLE looking LOGIN",
            "GRANT USAGE ON SCHEMA gatewaylog TO looking",
            "GRANT SELECT ON ALL TABLES IN SCHEMA gatewaylog TO looking",
        ):
            connection.execute(sa.text(statement))
    with contextlib.closing(DatabaseApplications(postgresql.replace("owner@", "looking@"))) as one:
        assert one.by_client("c") == SHOP
        with pytest.raises(TokenStoreError, match="permission denied"):
            one.keep(SHOP)
    owner.close()
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA gatewaylog CASCADE"))
    engine.dispose()
