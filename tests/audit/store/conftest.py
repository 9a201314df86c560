"""Databases with the store's tables, and without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from tests.postgresql import Cluster, cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


@dataclass(frozen=True, slots=True)
class Store:
    """A database of one test's own; `owner` of PostgreSQL's is a superuser."""

    url: str
    server: Cluster | None = None
    name: str = ""

    @property
    def schema(self) -> str:
        return "gatewaylog." if self.server else ""

    def run(self, statement: str, *, user: str = "owner", **values: Any) -> list[Any]:
        """Run a statement by itself, `{s}` for the schema; return its rows."""
        url = self.server.url(self.name, user) if self.server else self.url
        engine = engine_at(url, timeout=10)
        try:
            with engine.begin() as connection:
                found = connection.execute(sa.text(statement.replace("{s}", self.schema)), values)
                return list(found.all()) if found.returns_rows else []
        finally:
            engine.dispose()

    def login(self, *roles: str) -> str:
        """Make a login with these roles alone; return its name."""
        name = f"{self.name}_{'_'.join(roles) or 'nobody'}"
        granted = f"IN ROLE {', '.join(roles)}" if roles else ""
        self.run(f"CREATE ROLE {name} LOGIN {granted}")
        return name

    def url_as(self, user: str) -> str:
        return self.server.url(self.name, user) if self.server else self.url


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database without a table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
        (tmp_path / "store.db").touch()
        yield Store(url)
        return
    server: Cluster = request.getfixturevalue("server")
    with server.fresh() as name:
        yield Store(server.url(name), server, name)


@pytest.fixture
def store(bare: Store) -> Store:
    """A database with the tables."""
    install(bare.url)
    return bare


@pytest.fixture
def postgres(server: Cluster) -> Iterator[Store]:
    """A PostgreSQL with the tables."""
    with server.fresh() as name:
        made = Store(server.url(name), server, name)
        install(made.url)
        yield made
