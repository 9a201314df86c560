from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.remote.stores import clickhouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.remote.stores import RunningClickHouse


@pytest.fixture(scope="session")
def running_clickhouse() -> Iterator[RunningClickHouse]:
    with clickhouse() as running:
        yield running
