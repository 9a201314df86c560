"""The shipped lnav format: a real lnav reads a hostile log by it."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.real_log import real_log
from tests.integrations import hostile_log
from tests.integrations.tools import SHIPPED, run, tool
from tests.requirements import fixture_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

FORMAT = SHIPPED / "lnav" / "gatewaylog.json"
NUMBERS = {"StatusCode", "BytesIn", "BytesOut", "Attempts", "DurationMs", "BackendMs"}
COLUMNS = set(json.loads(FORMAT.read_text())["gatewaylog"]["value"])


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home in which the format is installed, as its page tells."""
    environ = os.environ | {"HOME": str(tmp_path), "TERM": "dumb"}
    run(tool("lnav"), "-i", FORMAT, env=environ)
    return environ


def asked(home: dict[str, str], query: str, log: Path) -> list[dict[str, Any]]:
    printed = run(tool("lnav"), "-n", "-c", f";{query}", "-c", ":write-json-to -", log, env=home)
    rows: list[dict[str, Any]] = json.loads(printed)
    return rows


def test_lnav_finds_no_fault_in_the_format(home: dict[str, str]) -> None:
    assert "error" not in run(tool("lnav"), "-C", env=home)


def test_every_line_is_read_with_its_level(home: dict[str, str], tmp_path: Path) -> None:
    lines = hostile_log.write(tmp_path / "api.log")
    query = "SELECT Event, log_level AS level, count(*) AS n FROM gatewaylog GROUP BY 1, 2"
    found = {
        (row["Event"], row["level"]): row["n"] for row in asked(home, query, tmp_path / "api.log")
    }
    levels = {"ERROR": "error", "LOG_LOSS": "warning"}
    events = Counter(hostile_log.written(line)["Event"] for line in lines)
    assert found == {(event, levels.get(event, "info")): n for event, n in events.items()}
    assert sum(found.values()) == hostile_log.COUNT


def test_every_field_is_a_column(home: dict[str, str], tmp_path: Path) -> None:
    lines = hostile_log.write(tmp_path / "api.log")
    rows = asked(home, "SELECT * FROM gatewaylog", tmp_path / "api.log")
    assert len(rows) == len(lines)
    for raw, row in zip(lines, rows, strict=True):
        fields = hostile_log.written(raw)
        shown = {key: row[key] for key in COLUMNS if key in row and row[key] is not None}
        assert {
            key: str(value) for key, value in shown.items() if key in fields and key not in NUMBERS
        } == {key: value for key, value in fields.items() if key in COLUMNS - NUMBERS}
        for key in NUMBERS & set(fields):
            found = float(shown[key]) if key in shown else None
            assert found == (None if fields[key] == "null" else float(fields[key]))
        assert shown["node"] == "AM"
        assert not set(shown) - set(fields) - {"node", "thread", "logger", "exchange", "more"}


def test_an_exchange_is_one_operation(home: dict[str, str], tmp_path: Path) -> None:
    fixture_file("real_requests.ndjson")
    log = real_log(tmp_path / "api.log")
    count = "SELECT count(*) AS n, count(DISTINCT log_opid) AS operations FROM gatewaylog"
    (row,) = asked(home, count, log)
    with log.open("rb") as file:
        assert row["n"] == sum(1 for _ in file)
    (begun,) = asked(
        home, "SELECT count(*) AS n FROM gatewaylog WHERE Event = 'INCOMING_REQUEST'", log
    )
    assert row["operations"] == begun["n"]
