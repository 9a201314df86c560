"""What a test needs of its surroundings: skipped without, and said; a failure where all is due."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_REPOSITORY = Path(__file__).parent.parent
_FIXTURES = os.environ.get("GATEWAYLOG_FIXTURES", _REPOSITORY.parent / "shared" / "fixtures")


def fixture_file(name: str) -> Path:
    """A file of real data that lies beside the repository, or in GATEWAYLOG_FIXTURES."""
    path = Path(_FIXTURES) / name
    if not path.is_file():
        missing(f"{name} is not in {path.parent}: set GATEWAYLOG_FIXTURES")
    return path


def program(name: str) -> str:
    """The path of a program."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        missing(f"{name} is not installed")
    return path


def missing(reason: str) -> NoReturn:
    if os.environ.get("GATEWAYLOG_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
