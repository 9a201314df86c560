"""Parquet as an output: of a search's result, and of a whole log."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.analytics.parquet import write
from gatewaylog.formats import Line, parse_line
from gatewaylog.formats.line import number_text, numbered_pairs
from tests.cli.processes import COMMAND, at_terminal, environment, gatewaylog, said_once
from tests.cli.test_convert import EVENTS
from tests.cli.test_tail import written

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG = Path(__file__).parents[1] / "search" / "access_log.txt"


def rows(path: Path, columns: str = "*") -> list[dict[str, Any]]:
    found = duckdb.connect().execute(f"SELECT {columns} FROM '{path}'")
    names = [part[0] for part in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def types(path: Path) -> dict[str, str]:
    found = duckdb.connect().execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    return {row[0]: row[1] for row in found}


def run(path: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    with path.open("wb") as output:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            stdout=output,
            stderr=subprocess.PIPE,
            env=environment(TZ="America/Los_Angeles"),
            check=False,
        )


def test_a_result_has_numbers_moments_texts_and_lists(tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    query = (
        "INCOMING_REQUEST | stats count, avg(count), latest(_time) as _time, values(RemoteIP) as ip"
        " by API | eval half=count/2"
    )
    done = run(path, "search", query, str(LOG), "--output", "parquet")
    assert (done.returncode, done.stderr) == (0, b"")
    assert types(path) == {
        "API": "VARCHAR",
        "count": "BIGINT",
        "avg(count)": "VARCHAR",  # there is no such field: null in all rows
        "_time": "TIMESTAMP WITH TIME ZONE",
        "ip": "VARCHAR[]",
        "half": "DOUBLE",
    }
    first, *others = rows(path, "API, count, epoch(_time) AS moment, ip, half")
    assert first["API"] == "alice--Echo:v1"
    assert (first["count"], first["moment"], first["half"]) == (3, 1495822500.0, 1.5)
    assert [row["API"] for row in others] == ["bob--Orders:v2", "carol--News:v1"]


def test_events_come_in_order_with_their_fields_as_texts(tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    done = run(path, "search", "*", str(LOG), "--output", "parquet")
    assert (done.returncode, done.stderr) == (0, b"")
    plain = gatewaylog("search", "* | table MessageID", str(LOG), "--output", "csv").stdout
    assert [row["MessageID"] for row in rows(path, "MessageID")] == plain.splitlines()[1:]
    found = types(path)
    assert found.pop("_time") == "TIMESTAMP WITH TIME ZONE"
    assert set(found.values()) == {"VARCHAR"}


def test_nothing_found_is_a_file_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    for query, columns in (("API=nobody", ["_time"]), ("API=nobody | top API", ["API", "count"])):
        assert run(path, "search", query, str(LOG), "--output", "parquet").returncode == 0
        assert rows(path) == []
        assert list(types(path))[: len(columns)] == columns


def test_a_terminal_is_refused(tmp_path: Path) -> None:
    for arguments in (("search", "*", "--output", "parquet"), ("convert", "--to", "parquet")):
        with at_terminal(*arguments, str(LOG), cwd=tmp_path) as running:
            assert running.ended() == 2
        assert "parquet is nothing for a terminal: > FILE.parquet" in running.text


def test_a_query_s_mistake_is_told_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    query = "* | timechart span=1ms count"
    done = run(path, "search", query, str(LOG), "--output", "parquet")
    assert done.returncode == 2
    assert path.read_bytes() == b""


@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_a_converted_log_has_every_field_and_line(form: str, tmp_path: Path) -> None:
    log = written(tmp_path / "log", *EVENTS, form=form)
    done = gatewaylog("convert", "--to", "parquet", "log", "-o", "new.parquet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    path = tmp_path / "new.parquet"
    assert path.stat().st_mode & 0o777 == 0o600
    found = rows(path, "* REPLACE (epoch_us(_time) AS _time)")
    raws = log.read_bytes().splitlines()
    assert [row.pop("_raw") for row in found] == raws
    for raw, row in zip(raws, found, strict=True):
        line = parse_line(raw)
        assert isinstance(line, Line)
        assert row.pop("_time") == round(line.time.timestamp() * 1e6)
        pairs = numbered_pairs(line.event, "full", line.writer, line.seq)
        expected = {key: shown(value) for key, value in pairs if value is not None}
        assert {key: value for key, value in row.items() if value is not None} == expected


def shown(value: str | float) -> str:
    text = value if isinstance(value, str) else number_text(value)
    return text.encode("utf-8", "backslashreplace").decode()


def test_lines_that_can_t_be_read_are_rows_with_the_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.parquet"
    lines = LOG.read_bytes().splitlines()
    torn = b"torn \xff\0 'line'\r"
    content = b"\n".join([torn, lines[0], b"", torn])
    done = run(path, "convert", "--to", "parquet", "-", stdin=content)
    assert done.returncode == 0
    assert done.stderr == b"gatewaylog: 2 lines not read; they have _raw alone\n"
    found = rows(path, "* EXCLUDE (_time)")
    assert [row["_raw"] for row in found] == [torn, lines[0], torn]
    assert {name for name, value in found[0].items() if value is not None} == {"_raw"}


def test_without_duckdb_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['duckdb'] = None")
    for arguments in (("search", "*", "--output", "parquet"), ("convert", "--to", "parquet")):
        done = gatewaylog(*arguments, str(LOG), PYTHONPATH=str(tmp_path))
        assert done.returncode == 2
        assert "parquet needs DuckDB: pip install 'gatewaylog[analytics]'" in said_once(done)


texts = st.text(st.characters(exclude_categories=()), max_size=8)
values = st.one_of(
    texts,
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(max_size=5),
    st.lists(texts, min_size=2, max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(texts, values, max_size=4), max_size=5))
def test_any_records_make_a_file_with_as_many_rows(
    tmp_path_factory: pytest.TempPathFactory, records: list[Mapping[str, Any]]
) -> None:
    output = io.BytesIO()
    write(records, output)
    path = tmp_path_factory.mktemp("made") / "found.parquet"
    path.write_bytes(output.getvalue())
    assert len(rows(path, "1 AS one")) == len(records)
