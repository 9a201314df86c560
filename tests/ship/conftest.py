"""A log, a state, a Loki, and databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from tests.postgresql import Cluster, cluster
from tests.ship.counterparts import Counterpart, LokiStore, listening
from tests.ship.databases import WRITER, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store() -> LokiStore:
    return LokiStore()


@pytest.fixture
def loki(store: LokiStore) -> Iterator[Counterpart]:
    with listening(store.take) as counterpart:
        yield counterpart


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


@pytest.fixture
def postgres(server: Cluster) -> Iterator[Target]:
    """Delivered to by a login that is nothing but `gatewaylog_writer`."""
    with server.fresh() as name:
        install(server.url(name))
        engine = engine_at(server.url(name))
        with engine.begin() as connection:
            roles = connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars().all()
            if WRITER not in roles:
                connection.execute(sa.text(f"CREATE ROLE {WRITER} LOGIN"))
                connection.execute(sa.text(f"GRANT gatewaylog_writer TO {WRITER}"))
        engine.dispose()
        yield Target(server.url(name, WRITER), server.url(name), server)


@pytest.fixture
def sqlite(tmp_path: Path) -> Target:
    url = f"sqlite:///{tmp_path}/store.db"
    install(url)
    return Target(url, url)


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.getfixturevalue(request.param)
    return found
