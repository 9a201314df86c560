"""`gatewaylog show`: one exchange, by any of its ids."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run
from tests.cli.test_tail import COMPLETE, INCOMING, written

if TYPE_CHECKING:
    from pytest import CaptureFixture  # noqa: PT013

LOG = Path(__file__).parents[1] / "search" / "access_log.txt"
REQUEST, TRACE = "req-4711", "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "identity",
    [
        "urn:uuid:11111111-0000-4000-8000-000000000000",
        "11111111-0000-4000-8000-000000000000",
        "11111111",
        "22222222",
        REQUEST,
        TRACE,
    ],
)
def test_any_id_shows_both_events(
    identity: str, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = written(
        tmp_path / "log",
        INCOMING._replace(request_id=REQUEST, trace_id=TRACE),
        COMPLETE._replace(request_id=REQUEST, trace_id=TRACE),
    )
    assert run(["show", "--output", "table", identity, str(log)]) == 0
    out = capsys.readouterr().out
    assert out.index("INCOMING_REQUEST  2") < out.index("REQUEST_COMPLETE  2")
    assert out.count("RequestInURL      /echo?x=1") == 2


def test_the_events_come_in_order_with_the_time_between(capsys: CaptureFixture[str]) -> None:
    assert run(["show", "--output", "table", "f2", str(LOG)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "GET /echo/x → GET https://backend/echo/x → 500 complete 400 ms"
    assert lines[2].startswith("INCOMING_REQUEST  2017-05-26T")
    (second,) = [line for line in lines if line.startswith("REQUEST_COMPLETE")]
    assert second.endswith("  +400 ms")
    assert "  ResponseTo        f1" in lines


def test_what_is_missing_is_said(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    log = written(tmp_path / "log", INCOMING)
    assert run(["show", "--output", "table", "11111111", str(log)]) == 0
    assert capsys.readouterr().out.endswith("\nno terminal event: not ended yet, or cut off\n")
    log = written(tmp_path / "other", COMPLETE)
    assert run(["show", "--output", "table", "22222222", str(log)]) == 0
    assert capsys.readouterr().out.endswith("\nits INCOMING_REQUEST is not in what was read\n")


def test_an_id_that_nothing_has_is_the_answer_no(capsys: CaptureFixture[str]) -> None:
    assert run(["show", "\x1bnothing", str(LOG)]) == 1
    assert capsys.readouterr() == ("", "gatewaylog: no exchange with the id '\\x1bnothing'\n")


def test_nothing_of_the_log_steers_the_terminal(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    evil = "/\x1b[2J\u202e\n"
    log = written(tmp_path / "log", INCOMING._replace(request_in_url=evil, user_agent=evil))
    assert run(["show", "--output", "table", "11111111", str(log)]) == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.split("\n"))


def test_a_trace_may_have_several_exchanges(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    calls = [INCOMING._replace(message_id=f"call-{at}", trace_id=TRACE) for at in range(3)]
    assert run(["show", "--output", "table", TRACE, str(written(tmp_path / "log", *calls))]) == 0
    assert capsys.readouterr().out.count("\n\nGET /echo?x=1\n") == 2


def test_programs_get_the_events_and_raw_is_the_lines(capsys: CaptureFixture[str]) -> None:
    assert run(["show", "f2", str(LOG)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["Event"] for row in rows] == ["INCOMING_REQUEST", "REQUEST_COMPLETE"]
    assert rows[1]["DurationMs"] == "400.000"
    assert run(["show", "f2", str(LOG), "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == rows
    assert run(["show", "f2", str(LOG), "--output", "csv"]) == 0
    assert capsys.readouterr().out.startswith("_time,Event,MessageID,API,")
    assert run(["show", "f2", str(LOG), "--output", "raw"]) == 0
    lines = [line for line in LOG.read_text().splitlines() if '"f1"' in line]
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_events_are_the_same_records_in_every_verb(
    form: str, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    """Their fields are texts as they stand in the log; `null` and nothing are told apart."""
    content = LOG.read_bytes().replace(b'"50.000"', b'"50"').replace(b'"curl/7.1"', b'"null"')
    (tmp_path / "log").write_bytes(content)
    log = str(tmp_path / form)
    assert run(["convert", "--to", form, str(tmp_path / "log"), "-o", log]) == 0
    if form == "wso2":
        log = str(tmp_path / "log")
    capsys.readouterr()
    found = {}
    for output in ("ndjson", "csv"):
        for verb in (["search", "REQUEST_COMPLETE a1"], ["show", "a2"], ["tail", "a2"]):
            assert run([*verb, log, "--output", output]) == 0
            found[verb[0], output] = capsys.readouterr().out
    (searched,) = map(json.loads, found["search", "ndjson"].splitlines())
    assert json.loads(found["show", "ndjson"].splitlines()[-1]) == searched
    assert json.loads(found["tail", "ndjson"]) == searched
    assert all(isinstance(value, str) for value in searched.values())
    assert searched["UserAgent"] == "null"
    if form == "wso2":
        assert searched["DurationMs"] == "50"
    for name in ("StatusCode", "DurationMs"):
        values = [
            next(csv.DictReader(found[verb, "csv"].splitlines()[:: len(lines) - 1]))[name]
            for verb in ("search", "show", "tail")
            for lines in [found[verb, "csv"].splitlines()]
        ]
        assert values == [searched[name]] * 3


@pytest.mark.parametrize("asked", ["URN:UUID:ABCDEF12-3456-4000-8000-00000000ABCD", "ABCDEF12"])
def test_the_case_of_hexadecimal_digits_does_not_matter(
    asked: str, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    identity = "urn:uuid:abcdef12-3456-4000-8000-00000000abcd"
    for logged in (identity, "urn:uuid:" + identity[9:].upper()):
        begun = INCOMING._replace(message_id=logged)
        log = written(tmp_path / logged[9:], begun, COMPLETE._replace(response_to=logged))
        for one in (asked, asked.lower()):
            assert run(["show", one, str(log)]) == 0
            assert len(capsys.readouterr().out.splitlines()) == 2


def test_an_id_of_other_letters_is_found_as_it_stands(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = str(written(tmp_path / "log", INCOMING._replace(request_id="aBcDeF0123", trace_id="Xyz")))
    for asked, status in (("aBcDeF0123", 0), ("Xyz", 0), ("xyz", 1)):
        assert run(["show", asked, log]) == status


def test_a_span_of_time_bounds_where_it_looks(capsys: CaptureFixture[str]) -> None:
    assert run(["show", "f1", str(LOG), "--since", "2017-05-26T11:15:00.1-07:00"]) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row["Event"] == "REQUEST_COMPLETE"
    assert run(["show", "f1", str(LOG), "--until", "2017-05-26T11:15:00-07:00"]) == 1
    assert "no exchange with the id" in capsys.readouterr().err


def test_lines_with_the_id_that_can_t_be_read_are_told(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = written(tmp_path / "log", INCOMING)
    with log.open("ab") as file:
        file.write(b"torn 11111111\nother\n")
    assert run(["show", "11111111", str(log)]) == 0
    assert capsys.readouterr().err == "gatewaylog: 1 line not read; --unread shows them\n"
    assert run(["show", "11111111", str(log), "--unread"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0].endswith(": torn 11111111")
    assert told[1] == "gatewaylog: 1 line not read"
