"""A log, a state, and a Loki."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ship.counterparts import Counterpart, LokiStore, listening

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
