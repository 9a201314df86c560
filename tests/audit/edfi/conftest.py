"""A database like EdFi_Admin, each test its own."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA = (Path(__file__).parent / "edfi_admin.sql").read_text()


def connected(url: str, **options: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection of its own, each statement a transaction."""
    parsed = sa.make_url(url).update_query_dict(options)
    return psycopg.connect(
        parsed.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    )


@pytest.fixture(scope="session")
def edfi_template(postgresql: str) -> str:
    """The name of a database with the stand-in's schema and rows."""
    name = f"edfi_template_{uuid.uuid4().hex[:12]}"  # several folders of tests have their own
    with connected(postgresql) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = sa.make_url(postgresql).set(database=name).render_as_string(hide_password=False)
    with connected(url) as connection:
        connection.execute(_SCHEMA)
    return name


@pytest.fixture
def edfi(postgresql: str, edfi_template: str) -> Iterator[str]:
    """The address of a database like EdFi_Admin."""
    name = f"edfi_{uuid.uuid4().hex[:12]}"
    with connected(postgresql) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {edfi_template}")
    yield sa.make_url(postgresql).set(database=name).render_as_string(hide_password=False)
    with connected(postgresql) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
