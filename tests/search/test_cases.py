from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.search.access_log import searched

CASES = [
    case
    for path in sorted(Path(__file__).parent.glob("cases/*.toml"))
    for case in tomllib.loads(path.read_text("utf-8"))["case"]
]


@pytest.mark.parametrize("case", CASES, ids=[case["query"] for case in CASES])
def test_a_query_gives_what_splunk_documents(case: dict[str, Any]) -> None:
    result = searched(case["query"])
    rows = list(result.rows)
    if "events" in case:
        assert result.kind == "events"
        assert " ".join(str(row["MessageID"]) for row in rows) == case["events"]
        return
    assert list(result.columns or ()) == case["columns"]
    found = [[_shown(row.get(column)) for column in case["columns"]] for row in rows]
    assert found == [[_near(value) for value in row] for row in case["rows"]]


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return "<null>" if value is None else value


def _near(value: object) -> object:
    """Numbers are the same to 1e-9 on every engine."""
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_there_are_enough_cases_and_none_twice() -> None:
    queries = [case["query"] for case in CASES]
    assert len(queries) >= 150
    assert len(set(queries)) == len(queries)
    assert all(case["page"] for case in CASES)
