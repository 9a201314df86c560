"""The pool of connections to a database, by the names that OpenASelect has for its settings."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """At most `max_active` connections (0: no limit), of which `max_idle` are kept when idle
    (-1: all). `initial_size` are made at once, `min_idle` at least. `max_wait` is milliseconds to
    wait for one (-1: for ever).
    """

    max_active: int = 10
    max_idle: int = 10
    min_idle: int = 0
    initial_size: int = 0
    max_wait: int = 10_000

    def __post_init__(self) -> None:
        if self.max_active < 0 or self.min_idle < 0 or self.initial_size < 0:
            raise ValueError("max_active, min_idle, initial_size: must be 0 or more")
        if self.max_idle < -1 or self.max_wait < -1:
            raise ValueError("max_idle, max_wait: must be -1 or more")
        if self.max_active and max(self.min_idle, self.initial_size) > self.max_active:
            raise ValueError("min_idle, initial_size: must not be over max_active")

    def options(self) -> dict[str, Any]:
        """Return SQLAlchemy's words for it."""
        limit = self.max_active or None
        kept = self.max_idle if self.max_idle >= 0 else (limit or 0)
        if limit is not None:
            kept = min(kept, limit)
        # Of a size 0 SQLAlchemy's pool keeps all connections: one is the least that it can keep.
        size = max(kept, 1) if limit is not None or self.max_idle >= 0 else 0
        return {
            "poolclass": sa.pool.QueuePool,
            "pool_size": size,
            "max_overflow": -1 if limit is None else limit - size,
            "pool_timeout": None if self.max_wait < 0 else self.max_wait / 1000,
            "pool_pre_ping": True,
        }


def engine_of(url: str, pool: Pool) -> Engine:
    """Return an engine with this pool; its first connections are made. Raises SQLAlchemyError."""
    if sa.make_url(url).database in {None, "", ":memory:"} and url.startswith("sqlite"):
        return sa.create_engine(url)  # a database that is its one connection
    engine = sa.create_engine(url, **pool.options())
    fill(engine, pool)
    return engine


def fill(engine: Engine, pool: Pool) -> None:
    """Make the first connections of an engine. Raises SQLAlchemyError."""
    with ExitStack() as stack:
        for _ in range(max(pool.initial_size, pool.min_idle)):
            stack.enter_context(engine.connect())
