"""`gatewaylog search`: queries over files, and every way their results are shown."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run
from tests.cli.processes import COMMAND, environment, gatewaylog

if TYPE_CHECKING:
    from pytest import CaptureFixture  # noqa: PT013

LOG = Path(__file__).parents[1] / "search" / "access_log.txt"
COUNT = "INCOMING_REQUEST | stats count by API"


class Told:
    """What `run` gave in this process."""

    def __init__(self, capsys: CaptureFixture[str], *arguments: str) -> None:
        self.status = run(["search", *arguments])
        self.out, self.err = capsys.readouterr()

    @property
    def rows(self) -> list[dict[str, object]]:
        """The records of ndjson."""
        return [json.loads(line) for line in self.out.splitlines()]


def test_a_pipe_gets_one_json_object_a_row(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, COUNT, str(LOG))
    assert (told.status, told.err) == (0, "")
    assert told.rows == [
        {"API": "alice--Echo:v1", "count": 3},
        {"API": "bob--Orders:v2", "count": 1},
        {"API": "carol--News:v1", "count": 1},
    ]


def test_events_come_newest_first_with_their_time_and_without_their_line(
    capsys: CaptureFixture[str],
) -> None:
    rows = Told(capsys, "API=*Orders*", str(LOG)).rows
    assert [row["MessageID"] for row in rows] == ["e1", "b2", "b1"]
    assert all("_raw" not in row for row in rows)
    assert str(rows[0]["_time"]).startswith("2017-05-26T")


@pytest.mark.parametrize("arguments", [("--output", "csv"), ("--output=csv",)])
def test_options_may_stand_between_the_query_and_files(
    arguments: tuple[str, ...], capsys: CaptureFixture[str]
) -> None:
    told = Told(capsys, COUNT, *arguments, str(LOG))
    assert list(csv.reader(io.StringIO(told.out)))[:2] == [
        ["API", "count"],
        ["alice--Echo:v1", "3"],
    ]


def test_json_is_one_array(capsys: CaptureFixture[str]) -> None:
    assert json.loads(Told(capsys, COUNT, "--output", "json", str(LOG)).out)[2] == {
        "API": "carol--News:v1",
        "count": 1,
    }
    assert json.loads(Told(capsys, "nothing_at_all", "--output", "json", str(LOG)).out) == []


def test_csv_of_events_has_a_column_for_every_field(capsys: CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(Told(capsys, "*", "--output", "csv", str(LOG)).out)))
    assert len(rows) == len(LOG.read_bytes().splitlines())
    assert {"_time", "Event", "ERROR_CODE", "Outcome"} <= set(rows[0])


def test_raw_is_the_lines_themselves() -> None:
    done = subprocess.run(
        [*COMMAND, "search", "*", "--output", "raw", str(LOG)],
        capture_output=True,
        env=environment(),
        check=True,
    )
    assert done.stdout.splitlines() == LOG.read_bytes().splitlines()[::-1]


def test_a_table_in_a_pipe_is_plain_text(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, COUNT, "--output", "table", str(LOG))
    assert told.out.splitlines() == [
        "API             count",
        "--------------  -----",
        "alice--Echo:v1      3",
        "bob--Orders:v2      1",
        "carol--News:v1      1",
    ]


def test_since_and_until_bound_the_time_and_may_begin_with_a_dash(
    capsys: CaptureFixture[str],
) -> None:
    for since in (("--since", "-1d"), ("--since=-1d",), ("--since", "today")):
        assert Told(capsys, "*", *since, str(LOG)).out == ""
    until = Told(capsys, "*", "--until", "2017-05-26T09:00:01-07:00", str(LOG))
    everything = Told(capsys, "*", "--since", "-90y", str(LOG))
    assert 0 < len(until.rows) < len(everything.rows) == len(LOG.read_bytes().splitlines())


def test_a_query_that_is_wrong_is_shown_with_its_place(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, "API=x | statz count", str(LOG))
    assert (told.status, told.out) == (2, "")
    lines = told.err.splitlines()
    assert lines[:3] == [
        "API=x | statz count",
        "        ^^^^^",
        "the command statz is not known",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("*", "--output", "chart"), "--output chart needs a chart, timechart, stats or top"),
        ((COUNT, "--output", "raw"), "--output raw needs events: a table has no lines"),
        (("*", "--since", "-15x"), "--since -15x: this is no time"),
        (("*", "--output", "xml"), "argument --output: invalid choice: 'xml'"),
    ],
)
def test_what_can_t_be_done_is_one_line(
    arguments: tuple[str, ...], line: str, capsys: CaptureFixture[str]
) -> None:
    told = Told(capsys, *arguments, str(LOG))
    assert (told.status, told.out) == (2, "")
    (said,) = told.err.splitlines()
    assert line in said


def test_lines_that_can_t_be_read_are_counted_at_the_end_and_shown_on_request(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"Traceback \x1b[2J\n" + LOG.read_bytes() + b"2017-05-26T1")
    told = Told(capsys, "* | stats count", str(log))
    assert told.rows == [{"count": len(LOG.read_bytes().splitlines())}]
    assert told.err == "gatewaylog: 2 lines not read; --unread shows them\n"
    told = Told(capsys, "* | stats count", "--unread", str(log))
    assert told.err.count("\n") == 3
    assert f"{log}:1: " in told.err
    assert r"Traceback \x1b[2J" in told.err
    assert told.err.endswith("gatewaylog: 2 lines not read\n")


def test_an_unknown_index_means_the_given_files_with_one_note(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, f"index=soa_api_public_i {COUNT}", str(LOG))
    assert len(told.rows) == 3
    assert told.err.splitlines() == [
        "gatewaylog: no index 'soa_api_public_i' in gateway.toml: the given files are searched"
    ]


def test_an_index_of_the_configuration_is_its_files(
    tmp_path: Path, capsys: CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = LOG.read_bytes().splitlines(keepends=True)
    for name, part in (("a", lines[:4]), ("b", lines[4:])):
        Path(name).mkdir()
        Path(name, "api.log").write_bytes(b"".join(part))
    Path("gateway.toml").write_text('[log]\npath = "a/api.log"\n[search.index]\nold = ["b/*"]\n')
    assert Told(capsys, "* | stats count").rows == [{"count": 4}]
    assert Told(capsys, "index=old | stats count").rows == [{"count": len(lines) - 4}]
    told = Told(capsys, "index=old OR index=new | stats count by index")
    assert told.rows == [{"index": "old", "count": len(lines) - 4}]
    assert told.err.count("\n") == 1
    assert Told(capsys, "index=old | stats count", "a").rows == [{"count": 4}]


def test_the_gateway_s_own_log_is_read_with_what_was_rotated_from_it(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    lines = LOG.read_bytes().splitlines(keepends=True)
    (tmp_path / "api.log.1").write_bytes(b"".join(lines[:5]))
    (tmp_path / "api.log").write_bytes(b"".join(lines[5:]))
    config = tmp_path / "gateway.toml"
    config.write_text(f'[log]\npath = "{tmp_path}/api.log"\n')
    told = Told(capsys, "* | stats count", "--config", str(config))
    assert told.rows == [{"count": len(lines)}]


def test_a_missing_log_is_one_line(
    tmp_path: Path, capsys: CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in ((), ("nowhere.log",), ("--config", "nowhere.toml")):
        told = Told(capsys, "*", *arguments)
        assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ('[log]\npath = "-"\n', "which FILE? The gateway's log goes to its standard output"),
        ("[log]\npath = 7\n", "gateway.toml: log.path: must be text"),
        ("[log\n", "gateway.toml: is not TOML: "),
        ('[search.index]\nx = "*.log"\n', "search.index.x: must be a list of files, folders"),
        ('[log]\npath = "${NOWHERE}/x"\n', "the environment variable NOWHERE is not set"),
    ],
)
def test_a_configuration_that_names_no_log_is_one_line(
    toml: str,
    line: str,
    tmp_path: Path,
    capsys: CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gateway.toml").write_text(toml)
    told = Told(capsys, "index=x")
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
    assert line in told.err


def test_the_log_s_path_may_stand_in_the_environment(
    tmp_path: Path, capsys: CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGS", str(LOG.parent))
    Path("gateway.toml").write_text('[log]\npath = "${LOGS}/access_log.txt"\n')
    assert len(Told(capsys, COUNT).rows) == 3


def test_an_empty_log_gives_no_rows(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    log.touch()
    for query, out in (("*", ""), (COUNT, ""), ("* | stats count", '{"count": 0}\n')):
        told = Told(capsys, query, str(log))
        assert (told.status, told.out, told.err) == (0, out, "")


def test_standard_input_is_a_log() -> None:
    done = gatewaylog("search", "* | stats count", "-", stdin=LOG.read_bytes())
    assert json.loads(done.stdout) == {"count": len(LOG.read_bytes().splitlines())}


def test_it_ends_quietly_when_its_reader_leaves(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(LOG.read_bytes() * 500)
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" | head -n 1', "sh", *COMMAND, "search", "*", str(log)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=20,
        check=False,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_several_logs_are_one_whose_unread_lines_are_counted(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    lines = LOG.read_bytes().splitlines(keepends=True)
    (tmp_path / "one.log").write_bytes(b"".join(lines[::2]) + b"torn")
    (tmp_path / "two.log").write_bytes(b"odd\n" + b"".join(lines[1::2]))
    told = Told(capsys, "*", str(tmp_path))
    found, alone = told.rows, Told(capsys, "*", str(LOG)).rows
    assert [row["_time"] for row in found] == [row["_time"] for row in alone]
    assert {row["MessageID"] for row in found} == {row["MessageID"] for row in alone}
    assert told.err == "gatewaylog: 2 lines not read; --unread shows them\n"
