"""`gatewaylog tail`: what a person sees of a log, and what a terminal never gets."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.accesslog import AccessLog
from gatewaylog.cli.event_lines import EventLines
from gatewaylog.cli.growing import GrowingFile
from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from tests.cli.processes import COMMAND, at_terminal, environment, gatewaylog, said_once, started

if TYPE_CHECKING:
    from gatewaylog.events import Event

SEED = Path(__file__).parents[1] / "fixtures" / "seed_lines.txt"

EARLIEST = b"0001-01-01T00:00:00.000+1400"

INCOMING = IncomingRequest(
    message_id="urn:uuid:11111111-0000-4000-8000-000000000000",
    api="lzelus--Echo:v1.0.0",
    request_in_url="/echo?x=1",
    request_in_method="GET",
    remote_ip="192.0.2.1",
)
COMPLETE = RequestComplete(
    message_id="urn:uuid:22222222-0000-4000-8000-000000000000",
    response_to=INCOMING.message_id,
    api=INCOMING.api,
    request_in_url="/echo?x=1",
    request_in_method="GET",
    remote_ip="192.0.2.1",
    status_code=200,
    outcome="complete",
    duration_ms=1.25,
)
ERROR = RequestError(
    message_id="urn:uuid:33333333-0000-4000-8000-000000000000",
    error_source="main",
    error_code="404",
    error_message="Not Found",
    status_code=404,
    request_in_url="/nowhere",
    request_in_method="GET",
    remote_ip="192.0.2.1",
    outcome="complete",
    duration_ms=0.2,
)


def written(path: Path, *events: Event, form: str = "wso2") -> Path:
    log = AccessLog(path, format=form)
    for event in events:
        log.write(event)
    log.close()
    return path


def numbered(count: int) -> list[IncomingRequest]:
    return [INCOMING._replace(request_in_url=f"/echo/{number}") for number in range(count)]


def urls(text: str) -> list[str]:
    return re.findall(r" GET (\S+)", text)


@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_an_event_of_any_format_is_one_line_that_a_person_can_read(
    form: str, tmp_path: Path
) -> None:
    log = written(tmp_path / "log", INCOMING, COMPLETE, ERROR, form=form)
    done = gatewaylog("tail", str(log))
    assert (done.returncode, done.stderr) == (0, "")
    lines = [
        re.sub(r"^(\S+ )?\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in done.stdout.split("\n")
    ]
    assert lines == [
        "▸ 11111111               192.0.2.1       lzelus--Echo:v1.0.0 GET /echo?x=1",
        "✓ 11111111 200    1.2 ms 192.0.2.1       lzelus--Echo:v1.0.0 GET /echo?x=1",
        "✗ 33333333 404    0.2 ms 192.0.2.1       -                   GET /nowhere"
        " 404 Not Found (main)",
        "",
    ]


def test_the_lines_of_wso2_are_shown_with_their_date() -> None:
    done = gatewaylog("tail", str(SEED), TZ="America/Los_Angeles")
    assert done.stdout.splitlines()[0].startswith("2017-05-26 13:23:25.118 ▸ c78c4359 ")
    assert done.stdout.splitlines()[2].endswith(
        "900901 Invalid Credentials (_auth_failure_handler_)"
    )


def test_how_an_exchange_broke_off_is_told() -> None:
    lines = EventLines(colour=False)
    raw = AccessLog("-")._format.encode(COMPLETE._replace(outcome="client_abort"), 0.0, "t")
    assert lines.readable(raw).endswith(" GET /echo?x=1 client_abort")


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(0.04, "0.0 ms"), (999.4, "999.4 ms"), (61_250.0, "61.2 s")]
)
def test_durations_have_the_unit_that_suits_them(milliseconds: float, shown: str) -> None:
    raw = AccessLog("-")._format.encode(COMPLETE._replace(duration_ms=milliseconds), 0.0, "t")
    assert f" {shown} " in EventLines(colour=False).readable(raw)


@pytest.mark.parametrize(("count", "first"), [("3", 17), ("100", 0), ("1", 19)])
def test_n_says_how_many_of_the_last_are_shown(count: str, first: int, tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(20))
    shown = urls(gatewaylog("tail", "-n", count, str(log)).stdout)
    assert shown == [f"/echo/{number}" for number in range(first, 20)]


def test_ten_are_shown_where_nothing_is_said(tmp_path: Path) -> None:
    written(tmp_path / "api-access.log", *numbered(20))
    assert urls(gatewaylog("tail", cwd=tmp_path).stdout)[0] == "/echo/10"
    written(tmp_path / "logs" / "api-access.log", INCOMING)
    assert urls(gatewaylog("tail", cwd=tmp_path).stdout) == ["/echo?x=1"]


@given(
    lines=st.lists(st.binary(max_size=300).map(lambda raw: raw.replace(b"\n", b"")), max_size=50),
    count=st.integers(0, 60),
    room=st.integers(1, 100),
)
def test_the_last_lines_are_the_last_whatever_their_length(
    lines: list[bytes], count: int, room: int
) -> None:
    with tempfile.NamedTemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatewaylog.cli.growing._ROOM", room)
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        with contextlib.closing(GrowingFile(Path(file.name))) as growing:
            found = growing.last(count)
    assert found == (lines[-count:] if count else [])


def test_a_line_without_its_end_is_shown_as_it_is(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(2))
    log.write_bytes(log.read_bytes()[:-1])
    assert urls(gatewaylog("tail", "-n", "1", str(log)).stdout) == ["/echo/1"]


def test_several_files_stand_under_their_names(tmp_path: Path) -> None:
    one = written(tmp_path / "one", *numbered(1))
    two = written(tmp_path / "two", ERROR)
    done = gatewaylog("tail", str(one), str(two))
    assert [line for line in done.stdout.splitlines() if line.startswith("==>")] == [
        f"==> {one} <==",
        f"==> {two} <==",
    ]
    assert urls(done.stdout) == ["/echo/0", "/nowhere"]


def test_a_log_can_come_through_a_pipe(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(20))
    done = gatewaylog("tail", "-n", "2", "-", stdin=log.read_bytes())
    assert urls(done.stdout) == ["/echo/18", "/echo/19"]
    done = gatewaylog("tail", "-n", "2", "/dev/stdin", stdin=log.read_bytes())
    assert urls(done.stdout) == ["/echo/18", "/echo/19"]
    done = gatewaylog("tail", "-f", "-", stdin=log.read_bytes())
    assert len(urls(done.stdout)) == 20


def test_lines_that_cannot_be_read_are_shown_and_counted(tmp_path: Path) -> None:
    log = written(tmp_path / "log", INCOMING)
    with log.open("ab") as file:
        file.write(b"Traceback \x1b[2J(most recent call last)\n" + b"x" * 1000 + b"\n")
    done = gatewaylog("tail", str(log))
    assert done.returncode == 0
    assert done.stdout.count("\n? can't be read (") == 2
    assert r"Traceback \x1b[2J(most" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 300
    assert done.stderr == "gatewaylog: lines that could not be read: 2\n"


@given(st.text(), st.binary(max_size=40), st.sampled_from(["wso2", "json", "logfmt"]))
def test_no_value_reaches_a_terminal_but_as_printable_text(
    text: str, raw: bytes, form: str
) -> None:
    evil = text + raw.decode("utf-8", "surrogateescape")
    event = ERROR._replace(
        api=evil, request_in_url=evil, error_message=evil, remote_ip=evil, message_id=evil
    )
    line = AccessLog("-", format=form)._format.encode(event, 0.0, "t")
    for shown in (
        EventLines(colour=False).readable(line),
        EventLines(colour=False).readable(
            evil.encode("utf-8", "surrogateescape" if not text else "replace")
        ),
    ):
        assert shown.isprintable()


def test_marks_are_plain_where_the_terminal_does_not_know_others() -> None:
    raw = AccessLog("-")._format.encode(COMPLETE, 0.0, "t")
    assert " + 11111111 " in EventLines(colour=False, encoding="ascii").readable(raw)
    assert " ✓ 11111111 " in EventLines(colour=False, encoding="utf-8").readable(raw)


def test_today_s_events_are_shown_without_their_date() -> None:
    raw = AccessLog("-")._format.encode(COMPLETE, datetime.now(UTC).timestamp(), "t")
    assert re.match(r"(\S{10} )?\d\d:\d\d:\d\d\.\d{3} ✓", EventLines(colour=False).readable(raw))
    old = AccessLog("-")._format.encode(COMPLETE, 86_400.0 * 3, "t")
    assert re.match(r"1970-01-0\d \d\d:", EventLines(colour=False).readable(old))


def test_a_time_that_this_place_never_had_is_shown_as_it_stands() -> None:
    raw = SEED.read_bytes().splitlines()[0].replace(b"2017-05-26T13:23:25.118-0700", EARLIEST)
    shown = EventLines(colour=False).readable(raw)
    assert shown.startswith("0001-01-01 00:00:00.000+14:00 ▸ c78c4359 ")


def test_a_terminal_gets_colours_and_pipes_none(tmp_path: Path) -> None:
    log = written(tmp_path / "log", COMPLETE, ERROR)
    with at_terminal("tail", str(log)) as running:
        assert running.ended() == 0
        coloured = running.text
    assert "\x1b[32m✓\x1b[0m" in coloured
    assert "\x1b[31m✗\x1b[0m" in coloured
    plain = gatewaylog("tail", str(log)).stdout
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (("--no-colour",), {}),
        (("--no-color",), {}),
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
    ],
)
def test_colours_can_be_refused(
    arguments: tuple[str, ...], changed: dict[str, str], tmp_path: Path
) -> None:
    log = written(tmp_path / "log", COMPLETE)
    with at_terminal("tail", *arguments, str(log), cwd=None, **changed) as running:
        assert running.ended() == 0
        assert "\x1b" not in running.text
        assert "✓" in running.text


def test_it_follows_a_log_that_grows_until_ctrl_c(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(2))
    with at_terminal("tail", "-f", str(log)) as running:
        running.reads("/echo/1")
        with log.open("ab") as file:
            whole = written(tmp_path / "more", ERROR).read_bytes()
            file.write(whole[:50])
            file.flush()
            file.write(whole[50:])
        running.reads("/nowhere")
        running.types(b"\x03")
        assert running.ended() == 0
        assert "Traceback" not in running.text
        assert "can't be read" not in running.text


def test_it_follows_over_a_rename_and_reads_both_files(tmp_path: Path) -> None:
    log = written(tmp_path / "log", INCOMING._replace(request_in_url="/first"))
    with started("tail", "--follow", str(log)) as running:
        running.reads("/first")
        log.rename(tmp_path / "log.1")
        written(tmp_path / "log.1", INCOMING._replace(request_in_url="/between"))
        running.reads("/between")
        written(log, INCOMING._replace(request_in_url="/second"))
        running.reads("/second")
        written(tmp_path / "log.1", INCOMING._replace(request_in_url="/late"))
        running.reads("/late")
        log.rename(tmp_path / "log.2")
        written(log, INCOMING._replace(request_in_url="/third"))
        running.reads("/third")
        assert running.stopped_by(signal.SIGINT) == 0
        assert urls(running.text) == ["/first", "/between", "/second", "/late", "/third"]


def test_it_follows_a_log_that_was_cut_to_nothing(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(5))
    with started("tail", "-f", "-n", "1", str(log)) as running:
        running.reads("/echo/4")
        os.truncate(log, 0)
        written(log, ERROR)
        running.reads("/nowhere")
        assert running.stopped_by(signal.SIGINT) == 0
        assert urls(running.text) == ["/echo/4", "/nowhere"]


def test_it_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started("tail", "-f", str(log)) as running:
        running.reads("not there yet, waiting for it")
        written(log, ERROR)
        running.reads("/nowhere")
        assert running.stopped_by(signal.SIGINT) == 0


def test_it_ends_quietly_when_its_reader_leaves(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(5000))
    typed = " ".join(["tail", "-f", "-n", "5000", str(log)])
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {typed} | head -n 1', "sh", *COMMAND],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=20,
        check=False,
    )
    assert (urls(done.stdout), done.stderr) == (["/echo/0"], "")


def test_it_leaves_with_its_reader_though_nothing_more_comes(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(1))
    output, pipe = os.pipe()
    with subprocess.Popen(
        [*COMMAND, "tail", "-f", str(log)], stdout=pipe, stderr=subprocess.PIPE, env=environment()
    ) as process:
        os.close(pipe)
        assert b"/echo/0" in os.read(output, 4096)
        os.close(output)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", [("nowhere",), ("-f", "."), ()])
def test_a_file_that_is_no_log_is_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = gatewaylog("tail", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said_once(done).startswith("gatewaylog: ")


def test_the_backend_s_url_stands_behind_the_client_s() -> None:
    sent = COMPLETE._replace(request_out_url="http://backend/x")
    raw = AccessLog("-")._format.encode(sent, 0.0, "t")
    assert EventLines(colour=False).readable(raw).endswith(" GET /echo?x=1 → http://backend/x")
    ascii_lines = EventLines(colour=False, encoding="ascii")
    assert ascii_lines.readable(raw).endswith(" GET /echo?x=1 -> http://backend/x")


def test_a_query_chooses_among_all_lines(tmp_path: Path) -> None:
    log = written(tmp_path / "log", ERROR, *numbered(5000))
    assert urls(gatewaylog("tail", "StatusCode=404", str(log)).stdout) == ["/nowhere"]
    assert urls(gatewaylog("tail", "-n", "1", 'RequestInURL="/echo/*7"', str(log)).stdout) == [
        "/echo/4997"
    ]
    found = gatewaylog("tail", "StatusCode=404", "-", stdin=log.read_bytes())
    assert urls(found.stdout) == ["/nowhere"]


def test_a_query_chooses_among_new_lines_and_none_is_shown_twice(tmp_path: Path) -> None:
    log = written(tmp_path / "log", INCOMING, ERROR)
    with started("tail", "-f", 'StatusCode>=400 OR RequestInURL="/late"', str(log)) as running:
        running.reads("/nowhere")
        written(log, INCOMING, ERROR._replace(request_in_url="/new"))
        running.reads("/new")
        written(log, INCOMING._replace(request_in_url="/late"))
        running.reads("/late")
        assert running.stopped_by(signal.SIGINT) == 0
        assert urls(running.text) == ["/nowhere", "/new", "/late"]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("StatusCode=404 | stats count", "QUERY is a search without commands"),
        ("StatusCode=(", "^"),
    ],
)
def test_a_query_that_can_t_be_followed_is_told(query: str, line: str, tmp_path: Path) -> None:
    done = gatewaylog("tail", query, str(written(tmp_path / "log", ERROR)))
    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr
    assert "Traceback" not in done.stderr


def test_raw_is_the_lines_themselves(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(3), ERROR)
    done = gatewaylog("tail", "--raw", "-n", "2", str(log))
    assert done.stdout == "".join(log.read_text().splitlines(keepends=True)[-2:])


def test_the_log_of_the_configuration_is_the_usual_one(tmp_path: Path) -> None:
    written(tmp_path / "own.log", ERROR)
    (tmp_path / "gateway.toml").write_text('[log]\npath = "own.log"\n')
    assert urls(gatewaylog("tail", cwd=tmp_path).stdout) == ["/nowhere"]
