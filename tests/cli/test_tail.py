"""`gatewaylog tail`: what a person sees of a log, and what a terminal never gets."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.accesslog import AccessLog
from gatewaylog.cli.event_lines import EventLines
from gatewaylog.events import IncomingRequest, LogLoss, RequestComplete, RequestError
from tests.cli.processes import COMMAND, at_terminal, environment, gatewaylog, said_once, started
from tests.waiting import wait_for

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


def dated(event: Event, seconds: float) -> bytes:
    """The line of an event so many seconds behind a time long ago."""
    return AccessLog("-")._format.encode(event, 1.7e9 + seconds, "t")


def call(number: int, *, status: int = 200) -> tuple[IncomingRequest, RequestComplete]:
    """The two events of one of several calls."""
    begun = INCOMING._replace(message_id=f"in-{number}", request_in_url=f"/{number}")
    ended = COMPLETE._replace(
        message_id=f"out-{number}",
        response_to=f"in-{number}",
        status_code=status,
        request_in_url=f"/{number}",
    )
    return begun, ended


def numbered(count: int) -> list[IncomingRequest]:
    return [
        INCOMING._replace(message_id=f"in-{number}", request_in_url=f"/echo/{number}")
        for number in range(count)
    ]


def urls(text: str) -> list[str]:
    return re.findall(r" GET (\S+)", text)


def marks(text: str) -> list[tuple[str, str]]:
    """Which URLs began, completed or failed, in the order in which they are shown."""
    return re.findall(r" ([▸✓✗]) .* GET (\S+)", text)


@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_an_exchange_in_any_format_is_one_line_that_a_person_can_read(
    form: str, tmp_path: Path
) -> None:
    log = written(tmp_path / "log", INCOMING, COMPLETE, ERROR, form=form)
    done = gatewaylog("tail", str(log))
    assert (done.returncode, done.stderr) == (0, "")
    lines = [
        re.sub(r"^(\S+ )?\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in done.stdout.split("\n")
    ]
    assert lines == [
        "✓ 200    1.2 ms lzelus--Echo:v1.0.0 GET /echo?x=1 192.0.2.1 11111111",
        "✗ 404    0.2 ms -                   GET /nowhere 404 Not Found (main) 192.0.2.1 33333333",
        "",
    ]


def test_the_lines_of_wso2_are_shown_with_their_date_and_how_long_it_took_between_them() -> None:
    done = gatewaylog("tail", str(SEED), TZ="America/Los_Angeles")
    first, second = done.stdout.splitlines()
    assert first.startswith("2017-05-26 13:23:25.127 ✓ 200    9.0 ms lzelus--Echo:v1.0.0 GET ")
    assert first.endswith(" - c78c4359")
    assert "900901 Invalid Credentials (_auth_failure_handler_) 172.16.180.45 " in second


def test_how_an_exchange_broke_off_is_told() -> None:
    lines = EventLines(colour=False)
    raw = AccessLog("-")._format.encode(COMPLETE._replace(outcome="client_abort"), 0.0, "t")
    assert " GET /echo?x=1 client_abort " in lines.readable(raw)


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


def test_a_line_without_its_end_is_shown_as_it_is(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(2))
    log.write_bytes(log.read_bytes()[:-1])
    assert urls(gatewaylog("tail", "-n", "1", str(log)).stdout) == ["/echo/1"]


def test_several_files_and_rotated_ones_are_read_as_one_in_the_order_of_time(
    tmp_path: Path,
) -> None:
    lines = [dated(event, at) for at, event in enumerate(numbered(9))]
    (tmp_path / "api.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:3])))
    (tmp_path / "api.log.1").write_bytes(b"".join(lines[3:6]))
    (tmp_path / "api.log").write_bytes(lines[6] + lines[8])
    (tmp_path / "other.log").write_bytes(lines[7])
    all_of_them = [f"/echo/{at}" for at in range(9)]
    assert urls(gatewaylog("tail", str(tmp_path)).stdout) == all_of_them
    assert urls(gatewaylog("tail", "-n", "5", str(tmp_path)).stdout) == all_of_them[-5:]
    assert urls(gatewaylog("tail", str(tmp_path / "api.log*")).stdout) == [
        *all_of_them[:7],
        "/echo/8",
    ]
    (tmp_path / "gateway.toml").write_text('[log]\npath = "api.log"\n')
    assert urls(gatewaylog("tail", "-n", "4", cwd=tmp_path).stdout) == [
        "/echo/4",
        "/echo/5",
        "/echo/6",
        "/echo/8",
    ]


def test_an_index_names_the_files(tmp_path: Path) -> None:
    written(tmp_path / "one.log", ERROR._replace(request_in_url="/one"))
    written(tmp_path / "two.log", ERROR._replace(request_in_url="/two"))
    (tmp_path / "gateway.toml").write_text('[search.index]\na = ["one.log"]\nb = ["two.log"]\n')
    shown = gatewaylog("tail", "index=a StatusCode=404", cwd=tmp_path)
    assert (urls(shown.stdout), shown.stderr) == (["/one"], "")
    both = gatewaylog("tail", "(index=a RequestInURL=/none) OR index=b", cwd=tmp_path)
    assert urls(both.stdout) == ["/two"]


def test_a_log_can_come_through_a_pipe(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *numbered(20))
    done = gatewaylog("tail", "-n", "2", "-", stdin=log.read_bytes())
    assert urls(done.stdout) == ["/echo/18", "/echo/19"]
    done = gatewaylog("tail", "-n", "2", "/dev/stdin", stdin=log.read_bytes())
    assert urls(done.stdout) == ["/echo/18", "/echo/19"]
    done = gatewaylog("tail", "-f", "-", stdin=log.read_bytes())
    assert len(urls(done.stdout)) == 20


def test_lines_that_cannot_be_read_are_counted_and_shown_when_asked_for(tmp_path: Path) -> None:
    log = written(tmp_path / "log", INCOMING)
    with log.open("ab") as file:
        file.write(b"Traceback \x1b[2J(most recent call last)\n" + b"x" * 1000 + b"\n")
    done = gatewaylog("tail", str(log))
    assert (done.returncode, len(urls(done.stdout))) == (0, 1)
    assert done.stderr == "gatewaylog: 2 lines not read; --unread shows them\n"
    done = gatewaylog("tail", "--unread", str(log))
    *lines, count = sorted(done.stderr.splitlines(), key=lambda line: line.startswith("gateway"))
    assert count == "gatewaylog: 2 lines not read"
    assert any(r"log:2: " in line and r"Traceback \x1b[2J(most" in line for line in lines)
    assert max(map(len, lines)) < 500


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


def test_a_long_url_is_cut_in_its_middle_at_a_terminal_alone(tmp_path: Path) -> None:
    url = f"/begin{'x' * 4000}end"
    log = str(written(tmp_path / "log", INCOMING._replace(request_in_url=url)))
    for verb in (["tail"], ["search", "*"], ["orphans", "--grace", "0s"]):
        with at_terminal(*verb, log, COLUMNS="80", NO_COLOR="1") as running:
            running.ended()
        (shown,) = urls(running.text)
        assert len(shown) == 80
        assert re.fullmatch("/beginx+…x+end", shown)
    assert urls(gatewaylog("tail", log, COLUMNS="80").stdout) == [url]
    with at_terminal("tail", "--raw", log, COLUMNS="80") as running:
        running.ended()
    assert url in running.text.replace("\n", "")


def test_marks_are_plain_where_the_terminal_does_not_know_others() -> None:
    raw = AccessLog("-")._format.encode(COMPLETE, 0.0, "t")
    assert " + 200 " in EventLines(colour=False, encoding="ascii").readable(raw)
    assert " ✓ 200 " in EventLines(colour=False, encoding="utf-8").readable(raw)


def test_today_s_events_are_shown_without_their_date() -> None:
    raw = AccessLog("-")._format.encode(COMPLETE, datetime.now(UTC).timestamp(), "t")
    assert re.match(r"(\S{10} )?\d\d:\d\d:\d\d\.\d{3} ✓", EventLines(colour=False).readable(raw))
    old = AccessLog("-")._format.encode(COMPLETE, 86_400.0 * 3, "t")
    assert re.match(r"1970-01-0\d \d\d:", EventLines(colour=False).readable(old))


def test_a_time_that_this_place_never_had_is_shown_as_it_stands() -> None:
    raw = SEED.read_bytes().splitlines()[0].replace(b"2017-05-26T13:23:25.118-0700", EARLIEST)
    shown = EventLines(colour=False).readable(raw)
    assert shown.startswith("0001-01-01 00:00:00.000+14:00 ▸ ")


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


@pytest.mark.parametrize("arguments", [("nowhere",), (".",), ("-f",), ()])
def test_a_file_that_is_no_log_is_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = gatewaylog("tail", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said_once(done).startswith("gatewaylog: ")


def test_the_backend_s_url_stands_behind_the_client_s() -> None:
    sent = COMPLETE._replace(request_out_url="http://backend/x")
    raw = AccessLog("-")._format.encode(sent, 0.0, "t")
    assert " GET /echo?x=1 → http://backend/x " in EventLines(colour=False).readable(raw)
    ascii_lines = EventLines(colour=False, encoding="ascii")
    assert " GET /echo?x=1 -> http://backend/x " in ascii_lines.readable(raw)


def test_a_query_chooses_among_all_lines(tmp_path: Path) -> None:
    log = written(tmp_path / "log", ERROR, *numbered(5000))
    assert urls(gatewaylog("tail", "StatusCode=404", str(log)).stdout) == ["/nowhere"]
    assert urls(gatewaylog("tail", "-n", "1", 'RequestInURL="/echo/*7"', str(log)).stdout) == [
        "/echo/4997"
    ]
    found = gatewaylog("tail", "StatusCode=404", "-", stdin=log.read_bytes())
    assert urls(found.stdout) == ["/nowhere"]


def test_a_word_that_is_no_file_is_searched_for_where_a_file_follows_it(tmp_path: Path) -> None:
    log = written(tmp_path / "log", ERROR, INCOMING)
    assert urls(gatewaylog("tail", "ERROR", str(log)).stdout) == ["/nowhere"]
    assert urls(gatewaylog("tail", "ERROR", "-", stdin=log.read_bytes()).stdout) == ["/nowhere"]
    assert urls(gatewaylog("tail", "ERROR", "lo*", cwd=tmp_path).stdout) == ["/nowhere"]
    (tmp_path / "ERROR").write_bytes(written(tmp_path / "b", INCOMING).read_bytes())
    assert len(urls(gatewaylog("tail", "ERROR", "log", cwd=tmp_path).stdout)) == 3


def test_a_word_that_is_no_file_is_told_with_how_it_is_searched_for(tmp_path: Path) -> None:
    done = gatewaylog("tail", "ERROR", cwd=tmp_path)
    assert done.returncode == 2
    assert said_once(done) == (
        "gatewaylog: tail: ERROR: no such file; to search for it write '\"ERROR\"'"
    )
    written(tmp_path / "api-access.log", ERROR, INCOMING)
    assert urls(gatewaylog("tail", '"ERROR"', cwd=tmp_path).stdout) == ["/nowhere"]


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


def test_raw_lines_are_followed_and_bounded_in_time_as_well(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = [dated(event, at) for at, event in enumerate(numbered(4))]
    log.write_bytes(b"".join(lines[:3]))
    shown = gatewaylog("tail", "--raw", "--since", "1700000001", str(log)).stdout
    assert shown.encode() == b"".join(lines[1:3])
    with started("tail", "--raw", "-f", "-n", "1", "NOT RequestInURL=*/2", str(log)) as running:
        running.reads("/echo/1")
        with log.open("ab") as file:
            file.write(lines[2] + lines[3])
        running.reads("/echo/3")
        assert running.stopped_by(signal.SIGINT) == 0
    assert running.seen == lines[1] + lines[3]


def test_what_is_packed_gets_no_more_lines_so_that_f_ends_behind_it(tmp_path: Path) -> None:
    packed = tmp_path / "log.gz"
    done = gatewaylog("tail", "-f", str(packed))
    assert (done.returncode, "No such file" in said_once(done)) == (2, True)
    packed.write_bytes(gzip.compress(dated(ERROR, 0)))
    done = gatewaylog("tail", "-f", str(packed))
    assert (done.returncode, urls(done.stdout), done.stderr) == (0, ["/nowhere"], "")


def test_the_log_of_the_configuration_is_the_usual_one(tmp_path: Path) -> None:
    written(tmp_path / "own.log", ERROR)
    (tmp_path / "gateway.toml").write_text('[log]\npath = "own.log"\n')
    assert urls(gatewaylog("tail", cwd=tmp_path).stdout) == ["/nowhere"]


def test_an_exchange_is_one_line_and_what_has_no_end_is_shown_as_begun(tmp_path: Path) -> None:
    (a, a_end), (b, _), (c, c_end) = call(1), call(2), call(3)
    log = written(tmp_path / "log", a, b, c, c_end, a_end)
    assert marks(gatewaylog("tail", str(log)).stdout) == [("▸", "/2"), ("✓", "/3"), ("✓", "/1")]
    assert marks(gatewaylog("tail", "-n", "2", str(log)).stdout) == [("✓", "/3"), ("✓", "/1")]
    assert gatewaylog("tail", "-n", "0", str(log)).stdout == ""


@pytest.mark.parametrize(
    "query", ["Event=INCOMING_REQUEST", 'MessageID="in-*"', "NOT StatusCode=*", "StatusCode<300"]
)
def test_an_exchange_is_shown_when_any_of_its_events_matches(query: str, tmp_path: Path) -> None:
    (a, a_end), (b, b_end) = call(1), call(2)
    log = written(tmp_path / "log", a, b, b_end, ERROR, a_end)
    both = [("✓", "/2"), ("✓", "/1")]
    first = marks(gatewaylog("tail", query, str(log)).stdout)
    assert [one for one in first if one[1] != "/nowhere"] == both
    with log.open("rb") as whole, started("tail", "-f", query, "-", stdin=whole) as running:
        assert running.ended() == 0
        assert [one for one in marks(running.text) if one[1] != "/nowhere"] == both


def test_a_request_that_stays_open_is_shown_while_it_is_followed_and_its_end_too(
    tmp_path: Path,
) -> None:
    (a, a_end), (b, b_end) = call(1), call(2)
    log = written(tmp_path / "log", ERROR)
    with started("tail", "-f", str(log)) as running:
        running.reads("/nowhere")
        written(log, a, b, b_end)
        running.reads("▸ .*/1 ")
        written(log, a_end)
        running.reads("✓ .*/1 ")
        written(log, call(3)[0])
        assert running.stopped_by(signal.SIGINT) == 0
    assert marks(running.text) == [
        ("✗", "/nowhere"),
        ("✓", "/2"),
        ("▸", "/1"),
        ("✓", "/1"),
        ("▸", "/3"),
    ]


def test_what_was_open_before_is_told_again_when_it_ends(tmp_path: Path) -> None:
    begun, ended = call(1)
    log = tmp_path / "log"
    log.write_bytes(dated(begun, 0))
    with started("tail", "-f", "Event=INCOMING_REQUEST", str(log)) as running:
        running.reads("▸ .*/1 ")
        written(log, ended)
        running.reads("✓ .*/1 ")
        assert running.stopped_by(signal.SIGINT) == 0


def test_logs_that_appear_in_a_folder_are_followed(tmp_path: Path) -> None:
    with started("tail", "-f", str(tmp_path)) as running:
        running.reads("not there yet, waiting for it")
        for name in ("a.log", "b.log"):
            written(tmp_path / name, ERROR._replace(request_in_url=f"/{name}"))
            running.reads(f"/{name}")
        (tmp_path / "a.log").rename(tmp_path / "a.log.1")
        written(tmp_path / "a.log", ERROR._replace(request_in_url="/new"))
        running.reads("/new")
        (tmp_path / "b.log").unlink()
        written(tmp_path / "b.log", ERROR._replace(request_in_url="/again"))
        running.reads("/again")
        assert running.stopped_by(signal.SIGINT) == 0
    assert urls(running.text) == ["/a.log", "/b.log", "/new", "/again"]


def test_a_named_pipe_is_followed_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    lines = written(tmp_path / "log", ERROR).read_bytes()
    with started("tail", "-f", str(tmp_path / "pipe")) as running:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            pipe.write(lines[:40])
            pipe.write(lines[40:])
            running.reads("/nowhere")
            pipe.write(lines[:-1])
        assert running.ended() == 0
    assert urls(running.text) == ["/nowhere"] * 2


def test_a_span_of_time_is_shown_whole_unless_n_bounds_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(dated(event, at) for at, event in enumerate(numbered(60))))
    since, until = ("--since", "1700000020"), ("--until", "1700000050")
    shown = gatewaylog("tail", *since, str(log)).stdout
    assert urls(shown) == [f"/echo/{at}" for at in range(20, 60)]
    shown = gatewaylog("tail", *since, *until, "-n", "2", str(log)).stdout
    assert urls(shown) == ["/echo/48", "/echo/49"]
    shown = gatewaylog("tail", *until, "--raw", str(log)).stdout
    assert shown.encode() == b"".join(log.read_bytes().splitlines(keepends=True)[40:50])
    done = gatewaylog("tail", "--since", "soon", str(log))
    assert said_once(done).startswith("gatewaylog: --since soon: this is no time; known: -15m")


def test_programs_get_records_as_they_come(tmp_path: Path) -> None:
    log = written(tmp_path / "log", *call(1), ERROR)
    done = gatewaylog("tail", "--output", "ndjson", str(log))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["Event"], row["StatusCode"]) for row in rows] == [
        ("REQUEST_COMPLETE", "200"),
        ("ERROR", "404"),
    ]
    assert rows[0]["ResponseTo"] == "in-1"
    assert datetime.fromisoformat(rows[0]["_time"]).tzinfo is not None
    assert json.loads(gatewaylog("tail", "--output", "json", str(log)).stdout) == rows
    csv = gatewaylog("tail", "--output", "csv", str(log)).stdout.splitlines()
    assert csv[0].startswith("_time,Event,API,")
    assert ",/nowhere,,404,complete,0.200,main,404,Not Found," in csv[2]
    table = gatewaylog("tail", "--output", "table", str(log)).stdout
    assert "Not Found" in table
    with started("tail", "-f", "--output", "ndjson", str(log)) as running:
        running.reads("/nowhere")
        written(log, *call(2))
        running.reads('"ResponseTo": "in-2"')
        assert running.stopped_by(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-f", "--output", "table"), "a table has an end"),
        (("--raw", "--output", "csv"), "exclude each other"),
        (("-n", "some"), "whole number"),
    ],
)
def test_what_makes_no_sense_is_told(arguments: tuple[str, ...], told: str) -> None:
    done = gatewaylog("tail", *arguments, str(SEED))
    assert done.returncode == 2
    assert told in said_once(done)


@pytest.mark.alone
@pytest.mark.parametrize("count", [1, 20])
def test_a_line_is_shown_within_a_fifth_of_a_second_and_an_idle_tail_costs_little(
    tmp_path: Path, count: int
) -> None:
    names = [tmp_path / f"{at}.log" for at in range(count)]
    for name in names:
        written(name, *call(1))
    with started("tail", "-f", "-n", "1", *map(str, names)) as running:
        running.reads("/1")
        took = []
        for at in range(40):
            begun = time.monotonic()
            written(names[at % count], ERROR._replace(request_in_url=f"/new-{at}"))
            running.reads(f"/new-{at} ")
            took.append(time.monotonic() - begun)
        before = cpu_of(running.process.pid)
        begun = time.monotonic()
        with pytest.raises(AssertionError):
            wait_for(lambda: False, 2)
        share = (cpu_of(running.process.pid) - before) / (time.monotonic() - begun)
        assert running.stopped_by(signal.SIGINT) == 0
    assert max(took) < 0.2
    assert share < 0.05


def cpu_of(process: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_what_could_not_be_written_is_shown_in_its_place(tmp_path: Path) -> None:
    loss = LogLoss("urn:uuid:1", 3, 4, 6, "No space\x1b left")
    done = gatewaylog("tail", str(written(tmp_path / "log", INCOMING, loss)))
    assert "! LOG_LOSS: 3 events were not written: No space\\x1b left" in done.stdout
