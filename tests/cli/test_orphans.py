"""`gatewaylog orphans`: which requests have no end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run
from gatewaylog.formats import JsonFormat, Line, LineOptions
from tests.cli.processes import at_terminal, started
from tests.cli.test_tail import COMPLETE, ERROR, INCOMING, written
from tests.running import api, launched, toml, until
from tests.strict_backend import StrictBackend
from tests.system.test_gateway_kill import call_until_it_dies

if TYPE_CHECKING:
    from pytest import CaptureFixture  # noqa: PT013

    from gatewaylog.events import Event

SEED = Path(__file__).parents[1] / "fixtures" / "seed_lines.txt"
START = datetime(2026, 5, 26, 12, tzinfo=UTC)


def log_of(path: Path, *events: tuple[float, Event]) -> str:
    """A log whose events were written so many seconds behind START."""
    form = JsonFormat(LineOptions())
    lines = [
        form.write(Line(time=START + timedelta(seconds=after), event=event))
        for after, event in events
    ]
    path.write_bytes(b"".join(lines))
    return str(path)


def found(capsys: CaptureFixture[str]) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(row["orphan"], row["MessageID"]) for row in rows]


def test_a_request_without_an_end_is_one_when_it_is_older_than_grace(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    other = INCOMING._replace(message_id="other")
    log = log_of(tmp_path / "log", (0, INCOMING), (30, other), (61, other._replace(message_id="x")))
    assert run(["orphans", log]) == 1
    assert found(capsys) == [("no end", INCOMING.message_id)]
    assert run(["orphans", log, "--grace", "30s"]) == 1
    assert found(capsys) == [("no end", INCOMING.message_id), ("no end", "other")]
    assert run(["orphans", log, "--grace", "2m"]) == 0
    assert found(capsys) == []


def test_an_end_without_a_beginning_is_one_unless_it_began_before_the_log(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    early = COMPLETE._replace(duration_ms=5000.0)
    late = COMPLETE._replace(message_id="late", response_to="nothing", duration_ms=5.0)
    log = log_of(tmp_path / "log", (0, INCOMING._replace(message_id="a")), (1, early), (2, late))
    assert run(["orphans", log]) == 1
    told = capsys.readouterr()
    (row,) = [json.loads(line) for line in told.out.splitlines()]
    assert (row["orphan"], row["MessageID"]) == ("no beginning", "late")
    assert told.err.startswith("gatewaylog: begun before the log, no orphans: 1\n")


def test_requests_too_young_to_be_named_are_told_of_and_no_grace_names_them_all(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    """The last of a log whose writer was killed are as old as the newest line."""
    events = [INCOMING._replace(message_id=name) for name in "abc"]
    log = log_of(tmp_path / "log", (0, events[0]), (70, events[1]), (70, events[2]))
    assert run(["orphans", log]) == 1
    assert capsys.readouterr().err == (
        "gatewaylog: 2 requests without an end are younger than --grace 60s:"
        " --grace 0s names them\n"
    )
    assert run(["orphans", log, "--grace", "0s"]) == 1
    told = capsys.readouterr()
    assert [json.loads(line)["MessageID"] for line in told.out.splitlines()] == ["a", "b", "c"]
    assert told.err == ""
    assert run(["orphans", log_of(tmp_path / "one", (0, INCOMING))]) == 0
    assert capsys.readouterr() == (
        "",
        "gatewaylog: 1 request without an end is younger than --grace 60s: --grace 0s names it\n",
    )


def test_whole_exchanges_are_none(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    assert run(["orphans", log_of(tmp_path / "log", (0, INCOMING), (1, COMPLETE))]) == 0
    assert capsys.readouterr() == ("", "")
    empty = tmp_path / "empty"
    empty.touch()
    assert run(["orphans", str(empty)]) == 0


def test_errors_that_can_t_be_paired_are_said(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    """The seed's own ERRORs carry no ResponseTo."""
    log = tmp_path / "log"
    later = SEED.read_bytes().splitlines()[0].replace(b"2017-05-26T13:23", b"2017-05-26T12:00")
    log.write_bytes(later.replace(b"c78c4359", b"00000000") + b"\n" + SEED.read_bytes())
    assert run(["orphans", str(log)]) == 1
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1
    assert "ERRORs without ResponseTo, which can't be paired: 1; " in told.err


def test_errors_that_can_t_be_paired_are_said_where_no_request_lacks_its_end_too(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    unpaired = ERROR._replace(error_source="fault", api="a", response_to=None)
    assert run(["orphans", log_of(tmp_path / "log", (0, unpaired))]) == 0
    assert capsys.readouterr().err == (
        "gatewaylog: ERRORs without ResponseTo, which can't be paired: 1\n"
    )


def test_a_terminal_gets_a_line_for_each(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", (0, INCOMING), (90, INCOMING._replace(message_id="x")))
    with at_terminal("orphans", log, NO_COLOR="1") as running:
        assert running.ended() == 1
        assert re.fullmatch(
            r"no end {8}.* ▸ .* GET /echo\?x=1 192.0.2.1 11111111\ngatewaylog: 1 .*\n", running.text
        )
    with at_terminal("orphans", log, "--grace", "2m") as running:
        assert running.ended() == 0
        assert running.text.startswith("no orphans\ngatewaylog: 2 requests without an end ")


@pytest.mark.parametrize("grace", ["soon", "-1s", "1w", ""])
def test_a_grace_that_is_no_time_is_one_line(grace: str, capsys: CaptureFixture[str]) -> None:
    assert run(["orphans", f"--grace={grace}", str(SEED)]) == 2
    assert "must be a time such as 500ms, 60s, 5m or 1h" in capsys.readouterr().err


def test_programs_and_people_get_them_as_they_ask(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = log_of(tmp_path / "log", (0, INCOMING), (90, INCOMING._replace(message_id="x")))
    assert run(["orphans", log, "--output", "raw"]) == 1
    assert capsys.readouterr().out == Path(log).read_text().splitlines(keepends=True)[0]
    assert run(["orphans", log, "--output", "csv"]) == 1
    assert capsys.readouterr().out.startswith("orphan,_time,API,")
    assert run(["orphans", log, "--output", "table"]) == 1
    assert "no end" in capsys.readouterr().out


def test_a_span_of_time_is_looked_at_as_if_it_were_the_log(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    late = COMPLETE._replace(duration_ms=100_000.0)
    log = log_of(tmp_path / "log", (0, INCOMING), (90, ERROR), (100, late))
    assert run(["orphans", log]) == 0
    until = (START + timedelta(seconds=95)).isoformat()
    assert run(["orphans", log, "--until", until]) == 1
    assert found(capsys) == [("no end", INCOMING.message_id)]
    since = (START + timedelta(seconds=50)).isoformat()
    assert run(["orphans", log, "--since", since]) == 0
    assert capsys.readouterr().err == "gatewaylog: begun before the log, no orphans: 1\n"


def test_lines_that_can_t_be_read_are_told(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    (tmp_path / "log").write_bytes(b"torn\nworn\n")
    assert run(["orphans", str(tmp_path / "log")]) == 0
    assert capsys.readouterr().err == "gatewaylog: 2 lines not read; --unread shows them\n"
    assert run(["orphans", str(tmp_path / "log"), "--unread"]) == 0
    assert capsys.readouterr().err.splitlines()[1].endswith("log:2: no key=value at column 1: worn")


@pytest.mark.parametrize(
    "arguments", [("--output", "table"), ("--until", "now")], ids=["table", "until"]
)
def test_what_has_an_end_does_not_go_with_f(
    arguments: tuple[str, str], capsys: CaptureFixture[str]
) -> None:
    assert run(["orphans", "-f", *arguments, str(SEED)]) == 2
    assert "without" in capsys.readouterr().err


def test_with_f_each_is_named_once_when_it_is_old_enough_at_present_and_when_it_ends_late(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    log_of(log, (0, INCOMING))  # long ago, though the newest line is no younger
    with started("orphans", "-f", "--grace", "1s", str(log)) as running:
        running.reads(f'"no end".*{INCOMING.message_id}')
        fresh = INCOMING._replace(message_id="fresh")
        quick = INCOMING._replace(message_id="quick")
        written(log, fresh, quick, COMPLETE._replace(response_to="quick"))
        running.reads('"no end".*"fresh"')
        written(log, COMPLETE._replace(message_id="at last", response_to="fresh"))
        running.reads('"ended late".*"at last"')
        written(log, COMPLETE._replace(message_id="alone", response_to="x", duration_ms=1.0))
        running.reads('"no beginning".*"alone"')
        assert running.stopped_by(signal.SIGINT) == 1
    rows = [json.loads(line) for line in running.text.splitlines()]
    assert [row["orphan"] for row in rows] == ["no end", "no end", "ended late", "no beginning"]


def test_with_f_it_is_well_where_all_that_were_named_have_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log_of(log, (0, INCOMING))
    with at_terminal("orphans", "-f", "--grace", "1s", str(log), NO_COLOR="1") as running:
        running.reads("^no end        2026-05-26 ")
        written(log, COMPLETE)
        running.reads(r"^ended late    .* ✓ 200    1\.2 ms ")
        running.types(b"\x03")
        assert running.ended() == 0


HELD = b"PUT /echo/held HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\n"
_LINE = re.compile(r'^\S+ .*Event="(\w+)".* MessageID="([^"]+)"(?:.* ResponseTo="([^"]+)")?.*"$')


def without_end(text: str) -> set[str]:
    """The ids of requests that no line refers to, by plain text."""
    lines = [found.groups() for line in text.split("\n") if (found := _LINE.match(line))]
    begun = {identity for name, identity, _ in lines if name.startswith("INC")}
    return begun - {linked for *_, linked in lines}


@pytest.mark.system
async def test_a_log_cut_by_kill_9_names_exactly_the_exchanges_that_had_no_end(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = tmp_path / "api.log"
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url))) as gateway,
    ):
        assert isinstance(gateway.where, int)
        _, held = await asyncio.open_connection("127.0.0.1", gateway.where)
        held.write(HELD)  # whose body never comes
        await until(lambda: log.exists() and b"/echo/held" in log.read_bytes())
        load = [asyncio.create_task(call_until_it_dies(gateway, one)) for one in range(8)]
        await until(lambda: len(backend.requests) > 100, 30)
        os.killpg(gateway.process.pid, signal.SIGKILL)
        await gateway.exit()
        await asyncio.gather(*load)
        held.close()
    assert run(["orphans", str(log), "--grace", "0s"]) == 1
    named = found(capsys)
    assert {fault for fault, _ in named} == {"no end"}
    assert {identity for _, identity in named} == without_end(log.read_text())
