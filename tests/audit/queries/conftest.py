"""Stores of token use, each test its own: SQLite and PostgreSQL."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from gatewaylog.audit.store.tables import client_access_token_logs as use
from tests.audit.edfi.conftest import connected, edfi, edfi_template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

__all__ = ["edfi", "edfi_template"]


@contextmanager
def database(postgresql: str, locale: str) -> Iterator[str]:
    """A database of its own, and who it is asked by."""
    name = f"queries_{uuid.uuid4().hex[:12]}"
    with connected(postgresql) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {locale}")
    yield sa.make_url(postgresql).set(database=name).render_as_string(hide_password=False)
    with connected(postgresql) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgresql(postgresql: str) -> Iterator[str]:
    """One that orders texts as people do, and has a time zone of half hours."""
    with database(postgresql, "LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C.UTF-8'") as url:
        with connected(url) as connection:
            name = sa.make_url(url).database
            connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'")
        yield url


@pytest.fixture
def guides_postgresql(postgresql: str) -> Iterator[str]:
    """One that orders texts by code point, for the guide's own queries."""
    with database(postgresql, "LC_COLLATE 'C'") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store without rows, on each database."""
    url: str = f"sqlite:///{tmp_path}/use.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgresql")
    install(url)
    return url


def add(url: str, rows: list[dict[str, Any]], table: sa.Table = use) -> None:
    """Put rows into a store; each has a `message_id` of its own where it is given none."""
    engine = engine_at(url)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql" and table is use:
            for month in {row["access_time"].replace(day=1) for row in rows}:
                _ensure(connection, month)
        whole = [_whole(row) if table is use else row for row in rows]
        for at in range(0, len(whole), 1000):
            connection.execute(sa.insert(table).inline(), whole[at : at + 1000])
    engine.dispose()


def _ensure(connection: sa.Connection, moment: datetime) -> None:
    connection.execute(sa.text("SELECT gatewaylog.ensure_partition(:at)"), {"at": moment})


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {column.name: None for column in use.columns if column.name != "log_id"}
    return named | {"message_id": f"urn:uuid:{uuid.uuid4()}", "token_ref": "0" * 32} | row
