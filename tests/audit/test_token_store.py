"""Issued tokens in SQLite and in a real PostgreSQL: kept once, counted exactly, down with words."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gatewaylog.audit.issued import Issued
from gatewaylog.audit.pool import Pool
from gatewaylog.audit.token_store import DatabaseTokens, access_tokens
from gatewaylog.auth.tokens import Tokens
from gatewaylog.auth.verdicts import Verdicts
from gatewaylog.errors import AUTH_UNAVAILABLE
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400.0


def token(name: str, client: str = "mobile", *, at: float = 1000.0, scopes: str = "") -> Issued:
    return Issued(
        digest=hashlib.sha256(name.encode()).digest(),
        client_id=client,
        scopes=frozenset(scopes.split()),
        issued_at=at,
        expires_at=at + 1800,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tokens.db"
        return
    at: str = request.getfixturevalue("postgresql")
    yield at
    engine = sa.create_engine(at)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA IF EXISTS gatewaylog CASCADE"))
    engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[DatabaseTokens]:
    with contextlib.closing(DatabaseTokens(url)) as opened:
        yield opened


def test_a_token_is_found_as_it_was_issued(store: DatabaseTokens, url: str) -> None:
    kept = token("a", "clïent '%", scopes="items.read items.list")
    assert store.find(kept.digest) is None
    assert store.issue(kept, limit=15) is None
    assert store.find(kept.digest) == kept
    with contextlib.closing(DatabaseTokens(url)) as other:
        assert other.find(kept.digest) == kept


def test_a_revocation_is_kept_with_its_time(store: DatabaseTokens) -> None:
    store.issue(token("a"), limit=15)
    store.revoke(token("a").digest, 1200.0)
    store.revoke(token("a").digest, 1300.0)
    store.revoke(token("nobody's").digest, 1300.0)
    found = store.find(token("a").digest)
    assert found is not None
    assert found.revoked_at == 1200.0


def test_live_tokens_count_alone(store: DatabaseTokens) -> None:
    assert store.issue(token("a", at=0.0), limit=2) is None
    assert store.issue(token("b", at=100.0), limit=2) is None
    assert store.issue(token("c", at=200.0), limit=2) == 1800.0
    assert store.issue(token("d", "other", at=200.0), limit=2) is None
    store.revoke(token("a").digest, 200.0)
    assert store.issue(token("e", at=200.0), limit=2) is None
    assert store.issue(token("f", at=1899.0), limit=2) == 1900.0
    assert store.issue(token("g", at=1900.0), limit=2) is None


def test_a_table_of_an_older_version_gets_the_column_that_it_lacks(url: str) -> None:
    """Once, whoever comes first; a token from before is no application's."""
    with contextlib.closing(DatabaseTokens(url)) as made:
        made.issue(token("before"), limit=15)
    engine = sa.create_engine(url)
    name = access_tokens.name if url.startswith("sqlite") else f"gatewaylog.{access_tokens.name}"
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {name} DROP COLUMN application"))
    engine.dispose()
    stores = [DatabaseTokens(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda one: one.find(token("before").digest), stores))
    assert found == [token("before")] * 8
    kept = replace(token("after"), application="shop")
    stores[0].issue(kept, limit=15)
    assert stores[1].find(kept.digest) == kept
    for one in stores:
        one.close()


def test_another_applications_tokens_of_a_client_do_not_count(store: DatabaseTokens) -> None:
    assert store.issue(replace(token("a"), application="shop"), limit=1) is None
    assert store.issue(replace(token("b"), application="other"), limit=1) is None
    assert store.issue(replace(token("c"), application="other"), limit=1) == 2800.0


def test_tokens_are_forgotten_a_day_after_their_end(url: str) -> None:
    with contextlib.closing(DatabaseTokens(url)) as store:
        store.issue(token("a", at=0.0), limit=15)
        store.issue(token("b", at=10.0), limit=15)
    with contextlib.closing(DatabaseTokens(url)) as store:
        store.issue(token("c", at=1805.0 + DAY), limit=15)
        assert store.find(token("a").digest) is None
        assert store.find(token("b").digest) is not None


def test_threads_do_not_get_more_than_the_limit(store: DatabaseTokens) -> None:
    with ThreadPoolExecutor(8) as threads:
        issued = list(threads.map(lambda n: store.issue(token(str(n)), limit=15), range(60)))
    assert issued.count(None) == 15


def _issue_some(url: str, number: int) -> int:
    with contextlib.closing(DatabaseTokens(url)) as store:
        issued = [store.issue(token(f"{number}-{n}"), limit=30) for n in range(20)]
    return issued.count(None)


def test_processes_make_the_table_together_and_share_the_limit(url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        issued = processes.starmap(_issue_some, [(url, number) for number in range(4)])
    assert sum(issued) == 30


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with contextlib.closing(DatabaseTokens(f"sqlite:///{tmp_path}/tokens.db")) as store:
        store.issue(token("a"), limit=1)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u:s3cret@h/x", "tokens are kept in sqlite:// or postgresql://"),
        ("nonsense s3cret", "Could not parse SQLAlchemy URL"),
    ],
)
def test_another_database_is_refused(url: str, told: str) -> None:
    with pytest.raises(TokenStoreError, match=told) as caught:
        DatabaseTokens(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/tokens.db",
        "sqlite:////dev/null",
        "postgresql://u:s3cret@127.0.0.1:1/x",
        f"sqlite:///{Path(__file__)}",
    ],
)
def test_a_database_that_is_down_is_told_in_one_line(url: str) -> None:
    before = Path(__file__).read_bytes()
    with contextlib.closing(DatabaseTokens(url)) as store:
        for call in (
            lambda: store.find(b"\0" * 32),
            lambda: store.issue(token("a"), limit=1),
            lambda: store.revoke(b"\0" * 32, 1.0),
        ):
            with pytest.raises(TokenStoreError) as caught:
                call()
            assert len(str(caught.value).splitlines()) == 1
            assert "s3cret" not in str(caught.value)
    assert Path(__file__).read_bytes() == before


async def test_a_look_up_waits_no_longer_than_a_second_for_a_lock(postgresql: str) -> None:
    """Then the store is left alone for a second, and works where the lock is gone."""
    opaque, digest = b"x" * 43, hashlib.sha256(b"x" * 43).digest()
    with contextlib.closing(DatabaseTokens(postgresql)) as made:
        made.find(digest)
    engine = sa.create_engine(postgresql)
    tokens = Tokens(DatabaseTokens(postgresql), Verdicts())
    with engine.connect() as holder:
        holder.execute(sa.text("LOCK TABLE gatewaylog.access_tokens IN ACCESS EXCLUSIVE MODE"))
        assert (await tokens.ask(opaque, digest)).verdict is AUTH_UNAVAILABLE
    async with asyncio.timeout(20):
        while (await tokens.ask(opaque, digest)).verdict is AUTH_UNAVAILABLE:
            await asyncio.sleep(0.01)
    tokens.close()
    engine.dispose()


def test_a_connection_that_broke_is_replaced(postgresql: str) -> None:
    with contextlib.closing(DatabaseTokens(postgresql)) as store:
        store.find(b"\0" * 32)
        engine = sa.create_engine(postgresql)
        with engine.connect() as connection:
            others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
            end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
            connection.execute(sa.text(end))
        engine.dispose()
        assert store.find(b"\0" * 32) is None


def test_a_role_that_may_use_the_table_alone_is_enough(postgresql: str) -> None:
    owner = DatabaseTokens(postgresql)
    owner.find(b"\0" * 32)
    owner.close()
    engine = sa.create_engine(postgresql)
    with engine.begin() as connection:
        for statement in (
            "DROP ROLE IF EXISTS issuing",
            "CREATE ROLE issuing LOGIN",
            "GRANT USAGE ON SCHEMA gatewaylog TO issuing",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON gatewaylog.{access_tokens.name} TO issuing",
        ):
            connection.execute(sa.text(statement))
    with contextlib.closing(DatabaseTokens(postgresql.replace("owner@", "issuing@"))) as store:
        assert store.issue(token("role"), limit=15) is None
        assert store.find(token("role").digest) == token("role")
        store.revoke(token("role").digest, 1.0)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA gatewaylog CASCADE"))
        connection.execute(sa.text("DROP OWNED BY issuing"))
        connection.execute(sa.text("DROP ROLE issuing"))
    engine.dispose()


def test_the_first_call_makes_the_pools_connections(postgresql: str) -> None:
    """And no more than its most, however many ask; nothing is opened before."""
    pool = Pool(max_active=3, max_idle=3, initial_size=2, max_wait=-1)
    with contextlib.closing(DatabaseTokens(postgresql, pool=pool)) as store:
        connections = store._database._engine.pool
        assert "Connections in pool: 0" in connections.status()
        store.find(b"a")
        assert "Connections in pool: 2" in connections.status()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(store.find, [b"a"] * 40))
        assert "Connections in pool: 3" in connections.status()


def test_an_engine_is_handed_in(url: str) -> None:
    """Whoever made it has its pool as they like."""
    made = url.replace("sqlite:", "sqlite+pysqlite:")
    engine = sa.create_engine(made, poolclass=sa.pool.NullPool)
    store = DatabaseTokens(engine)
    store.issue(token("a"), limit=15)
    found = store.find(token("a").digest)
    assert found is not None
    store.close()
    with contextlib.closing(DatabaseTokens(url)) as other:
        assert other.find(token("a").digest) == found
