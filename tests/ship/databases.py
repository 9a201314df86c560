"""A database that lines go to: SQLite, or PostgreSQL by a login that can only insert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gatewaylog.audit.store.engine import engine_at
from tests.ship.logs import once

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql import Cluster

WRITER = "shipper"


class Target:
    """A database: `url` is for who delivers, `owner` for who looks."""

    def __init__(self, url: str, owner: str, server: Cluster | None = None) -> None:
        self.url, self.owner, self.server = url, owner, server

    def rows(self, table: str, columns: str = "*") -> list[dict[str, Any]]:
        engine = engine_at(self.owner, reads=True)
        schema = "gatewaylog." if self.server else ""
        with engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT {columns} FROM {schema}{table}"))
            rows = [dict(row) for row in found.mappings()]
        engine.dispose()
        return rows


def to(target: Target, log: Path, state: Path, **settings: Any) -> None:
    once(log, state, to="database", url=target.url, **settings)


def run(target: Target, statement: str) -> Any:
    engine = engine_at(target.owner)
    try:
        with engine.begin() as connection:
            found = connection.execute(sa.text(statement))
            return found.all() if found.returns_rows else None
    finally:
        engine.dispose()
