"""What `verify` knows of the ends of writers: of orderly ones all, of others nothing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.audit.events import EventLog
from gatewaylog.audit.events.ends import End, end_of, told
from gatewaylog.audit.events.line import parse_line
from gatewaylog.audit.events.records import AuditEvent
from gatewaylog.cli import run as main
from gatewaylog.events import IncomingRequest
from gatewaylog.formats import Line
from gatewaylog.formats import parse_line as parse_access
from gatewaylog.gateway.records import close
from tests.http_client import request
from tests.running import api, launched, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of a writer that ended in order after four lines, with the event log that tells so."""
    log = AccessLog(tmp_path / "api.log")
    for number in range(4):
        log.write(IncomingRequest(request_in_url=f"/{number}"))
    events = EventLog(tmp_path / "event.log")
    close(log, events)
    events.close()
    return tmp_path


def verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    capsys.readouterr()
    status = main(["verify", f"{folder}/api.log", "--events", f"{folder}/event.log"])
    return status, capsys.readouterr().out.splitlines()


def test_a_whole_log_says_that_its_writers_ended_in_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(folder, capsys) == (
        0,
        [
            "1 file, 4 lines of 1 writer: whole",
            "1 of 1 writers ended in order, as the event log tells",
        ],
    )


def test_a_tail_that_was_cut_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = folder / "api.log"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]))
    status, said = verified(folder, capsys)
    assert status == 1
    assert re.fullmatch(
        "writer [0-9a-f]{16}: behind its last line Seq 4 is missing: it ended in order at Seq 4",
        said[0],
    )
    assert said[1] == "1 file, 3 lines of 1 writer: no number is missing"
    log.write_bytes(lines[0])
    assert "Seq 2 to 4 are missing, 3 events" in verified(folder, capsys)[1][0]


def test_a_line_behind_the_end_is_none_of_its_writers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = folder / "api.log"
    last = log.read_text().splitlines()[-1]
    with log.open("a") as file:
        file.write(last.replace('Seq="4"', 'Seq="5"') + "\n")
    status, said = verified(folder, capsys)
    assert (status, said[0].partition(": ")[2]) == (1, "has Seq 5, but ended in order at Seq 4")


def test_the_end_of_a_writer_that_closed_nothing_is_unknown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    AccessLog(folder / "api.log").write(IncomingRequest(request_in_url="/x"))
    with (folder / "event.log").open("a") as file:
        gone = AuditEvent(event="LOG_CLOSED", at=1.0, detail=told(End("ab", 7), "api.log"))
        file.write(f"[2026-11-21 10:22:33] null, {'null, ' * 5}1, LOG_CLOSED, null, null, ")
        file.write(f"{gone.detail}\n")
    status, said = verified(folder, capsys)
    assert (status, said[1]) == (
        0,
        "1 of 2 writers ended in order, as the event log tells; of 1 the end is unknown:"
        " still running, killed, or no gateway's; of 1 more that it names no line is here",
    )


@pytest.mark.parametrize("detail", [None, "", "writer=ab last_seq=0 log=x", "writer= last_seq=1"])
def test_what_tells_no_end_is_none(detail: str | None) -> None:
    assert end_of(AuditEvent(event="LOG_CLOSED", detail=detail)) is None
    assert end_of(AuditEvent(event="LOG_LOST", detail="writer=ab last_seq=1 log=x")) is None


def writers(folder: Path) -> set[str | None]:
    lines = map(parse_access, (folder / "api.log").read_bytes().splitlines())
    return {line.writer for line in lines if isinstance(line, Line)}


@pytest.mark.system
async def test_a_gateways_workers_tell_their_ends_but_the_one_that_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events = f'[event_log]\npath = "{tmp_path}/event.log"\n'
    async with StrictBackend() as backend:
        text = toml(tmp_path, events, api(backend.url), server="workers = 3")
        async with launched(tmp_path, text) as gateway:
            while len(writers(tmp_path)) < 3:  # the kernel chooses who accepts a connection
                await asyncio.gather(*(gateway.ask(request(b"/echo/x")) for _ in range(20)))
            served = writers(tmp_path)
            victim = gateway.workers()[0]
            os.kill(victim, signal.SIGKILL)
            await until(lambda: victim not in gateway.workers())
            assert await gateway.stop() == 0
    recorded = [parse_line(raw) for raw in (tmp_path / "event.log").read_bytes().splitlines()]
    ends = [end for record in recorded if (end := end_of(record))]
    assert len(ends) == 2
    assert {end.writer for end in ends} < served
    assert main(["verify"]) == 0
    assert "2 of 3 writers ended in order" in capsys.readouterr().out
    lines = (tmp_path / "api.log").read_bytes().splitlines(keepends=True)
    cut = next(raw for raw in reversed(lines) if ends[0].writer.encode() in raw)
    (tmp_path / "api.log").write_bytes(b"".join(raw for raw in lines if raw != cut))
    assert main(["verify"]) == 1
    assert f"writer {ends[0].writer}: behind its last line" in capsys.readouterr().out
