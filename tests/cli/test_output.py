"""Tables and charts: what a person sees of a result."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.cli import run
from gatewaylog.cli.output import Screen, charts, show
from gatewaylog.search import Result
from tests.cli.processes import COMMAND, at_terminal, environment
from tests.cli.test_search import COUNT, LOG
from tests.cli.test_tail import ERROR, written

if TYPE_CHECKING:
    from pathlib import Path

    from pytest import CaptureFixture  # noqa: PT013

    from gatewaylog.search.values import Record

PLAIN = Screen(terminal=True, width=60)
BY_API = "NOT INCOMING_REQUEST | chart count by API, StatusCode"
STATUSES = ["200", "304", "404", "500", "504", "null"]


def drawn(
    capsys: CaptureFixture[str],
    rows: list[Record],
    *,
    kind: str = "table",
    output: str = "auto",
    axis: str = "",
    screen: Screen = PLAIN,
) -> list[str]:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    show(Result(columns, iter(rows), kind, axis), output, verb="search", screen=screen)
    return capsys.readouterr().out.splitlines()


def test_bars_are_stacked_and_as_long_as_their_numbers(capsys: CaptureFixture[str]) -> None:
    rows: list[Record] = [
        {"API": "a", "Success": 30, "Not Found": 10},
        {"API": "b", "Success": 0, "Not Found": 20},
    ]
    first, second, _, legend = drawn(capsys, rows, kind="chart", axis="API")
    assert first.endswith(" 40")
    assert second.endswith(" 20")
    assert (first.count("█"), first.count("▓")) == (38, 13)
    assert (second.count("█"), second.count("▓")) == (0, 26)
    assert legend == "█ Success  ▓ Not Found"


def test_a_part_that_is_not_nothing_is_seen(capsys: CaptureFixture[str]) -> None:
    rows: list[Record] = [{"API": "a", "ok": 100_000, "bad": 1}, {"API": "b", "ok": 0, "bad": 0}]
    first, second, *_ = drawn(capsys, rows, kind="chart", axis="API")
    assert "▓" in first
    assert second == "b   0"


def test_a_table_drawn_as_a_chart_shows_its_first_numbers(capsys: CaptureFixture[str]) -> None:
    rows: list[Record] = [{"IP": "1.1.1.1", "count": 4, "percent": 80.0}, {"IP": "::1", "count": 2}]
    lines = drawn(capsys, rows, output="chart")
    assert [re.sub("█+", "#", line) for line in lines] == ["1.1.1.1  # 4", "::1      # 2"]


def test_a_time_chart_has_a_band_for_each_series_and_times_beneath(
    capsys: CaptureFixture[str],
) -> None:
    rows: list[Record] = [{"_time": 60 * at, "a": at, "b": 9 - at} for at in range(10)]
    lines = drawn(capsys, rows, kind="timechart", axis="_time")
    assert len(lines) == 2 + 2 + 2
    assert [line[:4] for line in lines[:4]] == ["  9 ", "a 0 ", "  9 ", "b 0 "]
    assert lines[1].endswith(" 45")
    assert lines[3].endswith(" 45")
    assert lines[4].strip().startswith("└┬")
    assert re.fullmatch(r" +\d\d:\d\d( +\d\d:\d\d)+", lines[5])
    places = [match.start() for match in re.finditer("┬", lines[4])]
    assert places == [match.start() for match in re.finditer(r"\d\d:\d\d", lines[5])]


def test_bands_share_a_scale_or_have_their_own_where_few_stand_beside_many(
    capsys: CaptureFixture[str],
) -> None:
    rows: list[Record] = [
        {"_time": 60 * at, "a": 900, "b": int(at == 7), "c": 0} for at in range(9)
    ]
    shown = {}
    for apart in (False, True):
        charts.show(
            Result(("_time", "a", "b", "c"), iter(rows), "timechart", "_time"), PLAIN, apart=apart
        )
        shown[apart] = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line[:5].strip() for line in shown[False][:6:2]] == ["900", "900", "900"]
    assert [line[:5].strip() for line in shown[True][:6:2]] == ["900", "1", ""]
    assert "█" not in "".join(shown[False][2:4])
    assert all(line.count("█") == 4 for line in shown[True][2:4])  # five columns less their gap
    assert len({line.index("┤") for lines in shown.values() for line in lines[:6]}) == 1


def test_columns_are_as_wide_as_there_is_room(capsys: CaptureFixture[str]) -> None:
    rows: list[Record] = [{"_time": 86_400 * at, "count": 1} for at in range(7)]
    for width in (60, 120, 200):
        screen = Screen(terminal=True, width=width)
        lines = drawn(capsys, rows, kind="timechart", axis="_time", screen=screen)
        assert width * 3 // 4 < max(map(len, lines)) <= width


def test_more_spans_than_columns_are_put_together_and_it_is_said(
    capsys: CaptureFixture[str],
) -> None:
    rows: list[Record] = [{"_time": 86_400 * at, "count": at == 77} for at in range(400)]
    lines = drawn(capsys, rows, kind="timechart", axis="_time")
    assert max(map(len, lines)) <= 60
    assert sum("█" in line for line in lines) == 8
    assert "each column: the highest of" in lines[-1]


def test_a_terminal_without_unicode_gets_ascii(capsys: CaptureFixture[str]) -> None:
    screen = Screen(terminal=True, width=60, encoding="ascii")
    rows: list[Record] = [{"_time": 60 * at, "a": at, "b": 9 - at} for at in range(10)]
    assert "".join(drawn(capsys, rows, kind="timechart", axis="_time", screen=screen)).isascii()
    bars: list[Record] = [{"API": "a" * 99, "ok": 1, "bad": 2}]
    assert "".join(drawn(capsys, bars, kind="chart", axis="API", screen=screen)).isascii()
    assert "".join(drawn(capsys, bars, screen=screen)).isascii()


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["_time", "a", "\x1b[2J", "b"]),
            st.one_of(
                st.text(max_size=20),
                st.integers(-(10**9), 10**9),
                st.floats(-1e9, 1e9),
                st.tuples(st.text(max_size=5), st.text(max_size=5)),
            ),
        ),
        max_size=5,
    ),
    st.sampled_from(["auto", "table", "chart"]),
    st.sampled_from([("table", ""), ("chart", "a"), ("timechart", "_time")]),
    st.integers(40, 200),
)
def test_any_result_can_be_drawn_and_none_steers_the_terminal(
    rows: list[Record], output: str, kind: tuple[str, str], width: int
) -> None:
    columns = tuple(dict.fromkeys([kind[1] or "a", *(name for row in rows for name in row)]))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        result = Result(columns, iter(rows), *kind)
        show(result, output, verb="search", screen=Screen(terminal=True, width=width))
    assert all(line.isprintable() for line in out.getvalue().split("\n"))


def test_a_terminal_gets_colours_and_none_with_no_color() -> None:
    for query in (BY_API, "* | timechart count by API", COUNT, "API=*Echo*"):
        with at_terminal("search", query, str(LOG)) as running:
            assert running.ended() == 0
            coloured = running.text
        with at_terminal("search", query, str(LOG), NO_COLOR="1") as running:
            assert running.ended() == 0
            assert "\x1b" in coloured
            assert "\x1b" not in running.text


def test_hostile_events_reach_a_terminal_as_printable_text(tmp_path: Path) -> None:
    evil = "/\x1b]0;x\x07\u202e\x9b2J"
    log = written(tmp_path / "log", ERROR._replace(request_in_url=evil, error_message=evil))
    for arguments in (
        ("search", "*"),
        ("search", "* | eval a=ERROR_MESSAGE | fields a"),
        *(("search", "*", "--output", kind) for kind in ("table", "json", "csv", "raw", "ndjson")),
        ("search", "* | chart count by RequestInURL, ERROR_MESSAGE"),
        ("search", "* | timechart count by RequestInURL"),
        ("report",),
        ("show", "33333333"),
    ):
        with at_terminal(*arguments, str(log), NO_COLOR="1") as running:
            assert running.ended() == 0, arguments
            assert all(line.isprintable() for line in running.text.split("\n")), arguments


def test_many_rows_come_in_pages_each_with_its_head(capsys: CaptureFixture[str]) -> None:
    rows: list[Record] = [{"a": at} for at in range(1200)]
    lines = drawn(capsys, rows)
    assert [line.strip() for line in lines].count("a") == 3
    assert sum(line.strip().replace(",", "").isdigit() for line in lines) == 1200


def test_a_table_without_room_has_a_line_for_each_field(capsys: CaptureFixture[str]) -> None:
    rows: list[Record] = [{f"column{at}": "x" * 30 for at in range(10)}]
    lines = drawn(capsys, rows)
    assert lines == [f"column{at}  {'x' * 30}" for at in range(10)] + [""]


def test_several_values_stand_beneath_each_other(capsys: CaptureFixture[str]) -> None:
    assert run(["search", "* | stats values(StatusCode) as s", "--output", "table", str(LOG)]) == 0
    assert capsys.readouterr().out.split() == ["s", "----", *STATUSES]
    assert run(["search", "* | stats values(StatusCode) as s", str(LOG)]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["s"] == STATUSES


def test_without_rich_tables_are_plain_and_that_is_said_once(
    capsys: CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    show(Result(("a",), iter([{"a": 1}]), "table"), "auto", verb="search", screen=PLAIN)
    told = capsys.readouterr()
    assert told.out.splitlines() == ["a", "-", "1"]
    assert told.err == (
        "gatewaylog: tables are plain without rich: pip install 'gatewaylog[reading]'\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "*", "--output", "csv"),
        ("search", "*", "--output", "raw"),
        ("search", "*", "--output", "table"),
        ("convert", "--to", "json"),
    ],
)
def test_a_broken_pipe_is_quiet(arguments: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(LOG.read_bytes() * 500)
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" | head -n 1', "sh", *COMMAND, *arguments, str(log)],
        capture_output=True,
        env=environment(),
        timeout=20,
        check=False,
    )
    assert (done.stdout.count(b"\n"), done.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("first", "step", "form"),
    [
        (0, 1, r"\d\d:\d\d:\d\d"),
        (0, 60, r"\d\d:\d\d"),
        (0, 3600 * 5, r"\d\d-\d\d \d\d:\d\d"),
        (86_400 * 40, 86_400, r"\d\d-\d\d"),
        (0, 86_400 * 28, r"\d{4}-\d\d"),
        (-(10**15), 10**14, r"0*1-01"),
    ],
)
def test_times_are_written_with_no_more_than_differs(
    first: int, step: int, form: str, capsys: CaptureFixture[str]
) -> None:
    rows: list[Record] = [{"_time": first + step * at, "n": 1.5} for at in range(10)]
    lines = drawn(capsys, rows, kind="timechart", axis="_time")
    assert re.fullmatch(rf" +{form}(  +{form})*", lines[-1])


def test_a_time_out_of_range_is_shown_as_its_number(capsys: CaptureFixture[str]) -> None:
    assert drawn(capsys, [{"_time": 1e17}])[-1].strip() == "1e+17"


def test_a_long_legend_has_several_lines(capsys: CaptureFixture[str]) -> None:
    row: Record = {"API": "a", **{f"a rather long name, {at}": 1 for at in range(6)}}
    *_, last = lines = drawn(capsys, [row], kind="chart", axis="API")
    assert len(lines) == 2 + 3
    assert max(map(len, lines)) <= 60
    assert "a rather long name, 5" in last
