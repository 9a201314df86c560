"""A PostgreSQL for the tests of databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.postgresql import cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of its database `postgres`, as the superuser `owner`."""
    with cluster() as found:
        yield found.url()
