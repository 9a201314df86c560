"""`gatewaylog report`: the ready reports, and the page of the main ones."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run
from gatewaylog.cli.output.lines import records
from gatewaylog.cli.report_page import page_of
from gatewaylog.cli.reports import PAGE, REPORTS
from gatewaylog.events import RequestComplete, RequestError
from gatewaylog.formats import LineOptions, Wso2Format
from gatewaylog.search import compile_query, gathering_of
from tests.cli.processes import at_terminal, gatewaylog

if TYPE_CHECKING:
    from pytest import CaptureFixture  # noqa: PT013

LOG = Path(__file__).parents[1] / "search" / "access_log.txt"
BEGIN = 1_700_000_000
TEXTS = LOG.read_text().splitlines()


def rows(capsys: CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert run(["report", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def values(key: str, *having: str) -> list[str]:
    """The values of a key on the lines that hold each text."""
    found = (
        re.search(rf'[ ,]{key}="([^"]*)"', line) for line in TEXTS if all(h in line for h in having)
    )
    return [match[1] for match in found if match]


def test_apis_are_counted_with_their_errors_durations_and_bytes(
    capsys: CaptureFixture[str],
) -> None:
    found = {row["API"]: row for row in rows(capsys, "apis", str(LOG))}
    completes = Counter(values("API", 'Event="REQUEST_COMPLETE"'))
    errors = Counter(values("API", 'Event="ERROR"'))
    assert {api: row["calls"] for api, row in found.items()} == dict(completes + errors)
    assert {api: row["errors"] for api, row in found.items() if row["errors"]} == dict(errors)
    api = "alice--Echo:v1"
    durations = sorted(
        float(value) for value in values("DurationMs", f'API="{api}"') if value != "null"
    )
    assert found[api]["p50"] == durations[(len(durations) + 1) // 2 - 1]
    assert found[api]["p99"] == durations[-1]
    sent = [value for value in values("BytesOut", f'API="{api}"') if value != "null"]
    assert found[api]["out"] == sum(map(int, sent))


def test_errors_unmatched_urls_and_refusals_are_counted(capsys: CaptureFixture[str]) -> None:
    errors = rows(capsys, "errors", str(LOG))
    assert Counter({str(row["ERROR_MESSAGE"]): row["count"] for row in errors}) == Counter(
        values("ERROR_MESSAGE", 'Event="ERROR"')
    )
    unmatched = rows(capsys, "unmatched", str(LOG))
    assert [(row["URL"], row["count"]) for row in unmatched] == [("/CCES/list", 1)]
    refused = rows(capsys, "auth-failures", str(LOG))
    assert [row["RemoteIP"] for row in refused] == values("RemoteIP", "_auth_failure_handler_")


def test_clients_backends_and_the_slowest(capsys: CaptureFixture[str]) -> None:
    clients = rows(capsys, "clients", str(LOG))
    assert sum(row["calls"] for row in clients if isinstance(row["calls"], int)) == sum(
        "INCOMING_REQUEST" not in line for line in TEXTS
    )
    backends = rows(capsys, "backends", str(LOG))
    assert [row["backend"] for row in backends] == ["https://backend", "https://news"]
    slow = [float(str(row["ms"])) for row in rows(capsys, "slow", str(LOG))]
    assert slow == sorted(
        (float(value) for value in values("DurationMs") if value != "null"), reverse=True
    )


def test_without_a_name_the_main_ones_come_on_one_page(capsys: CaptureFixture[str]) -> None:
    found = rows(capsys, str(LOG))
    assert list(dict.fromkeys(row["report"] for row in found)) == ["summary", "activity", *PAGE]
    assert run(["report", str(LOG), "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert run(["report", str(LOG), "--output", "table"]) == 0
    out = capsys.readouterr().out
    assert "\n5 requests   4 completed   3 errors (42.9 %)   3 APIs   6 clients\n" in out
    assert all(report.title in out for report in PAGE.values())


def test_the_page_s_parts_are_what_search_gives(capsys: CaptureFixture[str]) -> None:
    found: dict[object, list[dict[str, object]]] = {name: [] for name in page_of()}
    for row in rows(capsys, str(LOG)):
        found[row.pop("report")].append(row)
    for name, report in page_of().items():
        assert run(["search", report.query, str(LOG)]) == 0
        assert found[name] == list(map(json.loads, capsys.readouterr().out.splitlines())), name
        plan = compile_query(report.query, now=2e9)
        result = plan.run(plan.rows(reversed(LOG.read_bytes().splitlines())), prefiltered=True)
        assert found[name] == list(records(result)), name


def test_a_terminal_gets_tables(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(f'[log]\npath = "{LOG}"\n')
    with at_terminal("report", cwd=tmp_path, NO_COLOR="1") as running:
        assert running.ended() == 0
        assert "\x1b" not in running.text
        assert re.search(r"^alice--Echo:v1 +3 +0 ", running.text, re.MULTILINE)


def test_one_error_among_many_calls_is_seen_over_time(tmp_path: Path) -> None:
    log, form = tmp_path / "log", Wso2Format(LineOptions())
    with log.open("wb") as file:
        for at in range(600):
            event = RequestComplete(api="a") if at != 300 else RequestError("fault", api="a")
            file.write(form.encode(event, 1.7e9 + at / 10, "t"))
    with at_terminal("report", str(log), NO_COLOR="1", COLUMNS="100") as running:
        assert running.ended() == 0
        lines = running.text.splitlines()
    last = next(at for at, line in enumerate(lines) if re.match("errors +0 ┤", line))
    assert all("█" in line for line in lines[last - 1 : last + 1])
    assert re.match(" +1 ┤", lines[last - 1])


def test_standard_input_can_be_reported_too() -> None:
    done = gatewaylog("report", "-", stdin=LOG.read_bytes())
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > len(PAGE)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_standard_input_is_that_of_the_file(
    name: str, capsys: CaptureFixture[str]
) -> None:
    done = gatewaylog("report", name, "-", stdin=LOG.read_bytes())
    assert (done.returncode, done.stderr) == (0, "")
    assert list(map(json.loads, done.stdout.splitlines())) == rows(capsys, name, str(LOG))


def test_folders_and_globs_are_reported_with_what_was_rotated(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    lines = LOG.read_bytes().splitlines(keepends=True)
    (tmp_path / "access.log.1.gz").write_bytes(gzip.compress(b"".join(lines[:5])))
    (tmp_path / "access.log").write_bytes(b"".join(lines[5:9]))
    (tmp_path / "other.log").write_bytes(b"".join(lines[9:]))
    whole = rows(capsys, str(LOG))
    assert rows(capsys, str(tmp_path)) == whole
    assert rows(capsys, str(tmp_path / "*.log*")) == whole
    (tmp_path / "access.log.1.gz").unlink()
    log = tmp_path / "rest"
    log.write_bytes(b"".join(lines[5:]))
    for name in ([], ["apis"]):
        rest = rows(capsys, *name, str(log))
        assert rows(capsys, *name, str(tmp_path / "*.log")) == rest
        assert rest != whole
    assert run(["report", str(tmp_path / "no*.log")]) == 2
    assert "no*.log" in capsys.readouterr().err


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 s of a call a second, with lines that can't be read in the middle."""
    log, form = tmp_path_factory.mktemp("log") / "access.log", Wso2Format(LineOptions())
    with log.open("wb") as file:
        for at in range(10_000):
            event = RequestComplete(api=f"a{at % 3}", request_in_url="/", duration_ms=at / 8)
            file.write(form.encode(event, BEGIN + at, "t"))
            if 2000 < at < 8000 and at % 100 == 0:
                file.write(b"what a report of the begin or the end does not come by\n")
    return log


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        (("--since", str(BEGIN + 9900)), range(9900, 10_000)),
        (("--until", str(BEGIN + 100)), range(100)),
        (("--since", str(BEGIN + 500), "--until", str(BEGIN + 700)), range(500, 700)),
    ],
)
def test_what_lies_outside_a_span_is_not_counted_nor_read(
    span: tuple[str, ...], seconds: range, long_log: Path, capsys: CaptureFixture[str]
) -> None:
    for output in ("ndjson", "table"):
        assert run(["report", *span, str(long_log), "--output", output]) == 0
        assert capsys.readouterr().err == ""
    summary, *activity = rows(capsys, *span, str(long_log))[: 2 + len(seconds)]
    assert summary["completed"] == len(seconds)
    spans = [row for row in activity if row["report"] == "activity"]
    assert sum(int(str(row["complete"])) for row in spans) == len(seconds)
    calls = [int(str(row["calls"])) for row in rows(capsys, "apis", *span, str(long_log))]
    assert sum(calls) == len(seconds)
    slowest = rows(capsys, "slow", *span, str(long_log))[0]
    assert float(str(slowest["ms"])) == seconds[-1] / 8


def test_a_span_without_calls_is_an_empty_page(long_log: Path, capsys: CaptureFixture[str]) -> None:
    found = rows(capsys, "--since", str(BEGIN + 20_000), str(long_log))
    assert [(row["report"], row["completed"]) for row in found if "completed" in row] == [
        ("summary", 0)
    ]
    assert rows(capsys, "apis", "--until", str(BEGIN), str(long_log)) == []


def test_every_report_can_be_had_in_one_pass() -> None:
    reports = {**REPORTS, **page_of()}
    assert all(gathering_of(compile_query(each.query, now=2e9)) for each in reports.values())


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_a_query_that_search_takes(name: str, capsys: CaptureFixture[str]) -> None:
    assert run(["report", name, "--query"]) == 0
    query = capsys.readouterr().out.strip()
    assert run(["search", query, str(LOG)]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows(
        capsys, name, str(LOG)
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("apsi",), "there is no report or file 'apsi'; did you mean apis?"),
        ((str(LOG), "--output", "csv"), "--output csv needs a NAME: apis, errors"),
        ((str(LOG), "--output", "parquet"), "parquet"),
        (("apis", "--output", "raw"), "--output raw needs events: a report has no lines"),
        (("--output", "chart", str(LOG)), "--output chart needs a NAME: apis, errors"),
    ],
)
def test_what_can_t_be_done_is_one_line(
    arguments: tuple[str, ...], line: str, capsys: CaptureFixture[str]
) -> None:
    assert run(["report", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert line in err


def test_an_empty_log_is_an_empty_page(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    log.touch()
    found = rows(capsys, str(log))
    assert [(row["report"], row["requests"]) for row in found] == [("summary", 0)]


def test_one_is_no_plural_and_what_has_no_rows_is_said_so(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(LOG.read_bytes().splitlines(keepends=True)[:2]))
    assert run(["report", "--output", "table", str(log)]) == 0
    told = capsys.readouterr().out
    assert "\n1 request   1 completed   0 errors (0.0 %)   1 API   1 client\n" in told
    assert "\nURLs that no API matched\nnone\n" in told
    assert run(["report", "unmatched", "--output", "table", str(log)]) == 0
    assert capsys.readouterr().out == "no results\n"


def test_lines_that_can_t_be_read_are_counted_once(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"torn\n" + LOG.read_bytes())
    for output in ("ndjson", "table"):
        assert run(["report", "--output", output, str(log)]) == 0
        assert capsys.readouterr().err == ("gatewaylog: 1 line not read; --unread shows them\n")

    for arguments in ([], ["apis"]):
        assert run(["report", *arguments, "--unread", str(log)]) == 0
        told = capsys.readouterr().err
        assert told.startswith(f"{log}:1: ")
        assert told.endswith("gatewaylog: 1 line not read\n")


def test_a_pipe_is_read_once_so_that_its_unread_lines_are_gone() -> None:
    done = gatewaylog("report", "apis", "--unread", "-", stdin=b"torn\n" + LOG.read_bytes())
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 3
    assert "--unread needs files" in done.stderr


def test_the_page_cuts_long_texts_and_a_report_shows_them_whole(tmp_path: Path) -> None:
    log, url = tmp_path / "log", "/" + "x" * 300
    log.write_bytes(LOG.read_bytes().replace(b"/CCES/list", url.encode()))
    for arguments, whole in (((), False), (("unmatched",), True)):
        with at_terminal("report", *arguments, str(log), NO_COLOR="1", COLUMNS="80") as running:
            assert running.ended() == 0
            assert (running.text.count("x") >= 300) is whole
            assert ("xxx…" in running.text) is not whole
