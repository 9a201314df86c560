"""`gatewaylog demo` keeps what it prints: each line to type gives the events it names."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli.demo import configuration, guide
from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from tests.cli.processes import Running, at_terminal, curls, gatewaylog, said_once, started
from tests.logged import Log, assert_linked
from tests.requirements import program
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.events import CallEvent


class Demo:
    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.port = int(running.reads(r"http://127\.0\.0\.1:(\d+)")[1])
        running.reads("Ctrl-C")
        self.calls = curls(running.text)
        self.log = Log(folder / "api-access.log")

    def types(self, line: str) -> tuple[str, list[CallEvent]]:
        """Type a line into a shell; return what it prints, and the events it adds to the log."""
        program("curl")
        before, ends = len(self.log.events()), len(self.log.terminals())
        typed = subprocess.run(
            ["/bin/sh", "-c", line], capture_output=True, text=True, check=True, timeout=20
        )
        wait_for(lambda: len(self.log.terminals()) > ends)
        return typed.stdout, self.log.events()[before:]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with started("demo", "--folder", str(tmp_path), "--port", "0") as running:
        yield Demo(running, tmp_path)


def shows(events: list[CallEvent]) -> list[str]:
    """The events as the demo's text names them."""
    return [
        f"ERROR {event.error_source} {event.error_code}"
        if isinstance(event, RequestError)
        else "INCOMING_REQUEST"
        if isinstance(event, IncomingRequest)
        else f"REQUEST_COMPLETE {event.status_code}"
        for event in events
    ]


def test_each_line_to_type_gives_the_events_that_are_told_below_it(demo: Demo) -> None:
    shown = [shows(demo.types(call)[1]) for call in demo.calls]
    assert shown == [
        ["INCOMING_REQUEST", "REQUEST_COMPLETE 200"],
        ["INCOMING_REQUEST", "ERROR _auth_failure_handler_ 900902"],
        ["ERROR main 404"],
        ["INCOMING_REQUEST", "REQUEST_COMPLETE 200"],
        ["INCOMING_REQUEST", "ERROR fault 101503"],
    ]
    told = re.findall(r"^ {6}[^:]+: (.*)$", demo.running.text, re.MULTILINE)
    for events, text in zip(shown, told, strict=True):
        assert ", ".join(events).replace(" 200", "") == text
    assert_linked(demo.log.events())


def test_the_backend_answers_with_what_reached_it(demo: Demo) -> None:
    answer, (_, complete) = demo.types(f"{demo.calls[0]} -d body")
    told = json.loads(answer)
    assert (told["method"], told["path"], told["query"]) == ("POST", "/_echo/hello", "name=you")
    assert told["body_bytes"] == 4
    assert "via: 1.1 gatewaylog" in told["headers"]
    assert isinstance(complete, RequestComplete)
    assert complete.api == "lzelus--Echo:v1.0.0"


def test_the_api_that_is_down_fails_alike_each_time(demo: Demo) -> None:
    down = demo.calls[-1]
    shown = [shows(demo.types(down)[1]) for _ in range(3)]
    assert shown == [["INCOMING_REQUEST", "ERROR fault 101503"]] * 3


def test_the_key_belongs_to_the_application_of_the_file(demo: Demo) -> None:
    _, (_, complete) = demo.types(demo.calls[3])
    assert isinstance(complete, RequestComplete)
    assert (complete.application_name, complete.end_user_name) == ("mobile", "lzelus")
    key = demo.calls[3].split("'")[1].removeprefix("apikey: ")
    folder = demo.log.path.parent
    kept = b"".join(file.read_bytes() for file in folder.iterdir())
    assert key.encode() not in kept


def test_its_configuration_is_good_for_check_and_for_serve(demo: Demo, tmp_path: Path) -> None:
    done = gatewaylog("check", "gateway.toml", cwd=tmp_path)
    assert done.stdout == "gateway.toml: good: 3 APIs, 1 application\n"
    assert demo.running.stopped_by(signal.SIGINT) == 0
    with started("serve", "gateway.toml", cwd=tmp_path) as serving:
        serving.reads("listening on")
        _, events = demo.types(demo.calls[2])
    assert shows(events) == ["ERROR main 404"]


def test_the_line_that_watches_the_log_can_be_typed_as_it_stands(demo: Demo) -> None:
    demo.types(demo.calls[2])
    line = demo.running.reads(r"^ +(.* tail -f .*)$")[1]
    typed = shlex.split(line.replace("tail -f", "tail"))
    shown = subprocess.run(typed, capture_output=True, text=True, check=True, timeout=20)
    assert "404 Not Found (main)" in shown.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_everything_it_started(demo: Demo, number: signal.Signals) -> None:
    demo.types(demo.calls[0])
    backend = json.loads(demo.types(demo.calls[0])[0])["headers"][0].rpartition(":")[2]
    assert demo.running.stopped_by(number) == 0
    assert demo.running.text.endswith("The demo is over.\n")
    assert "Traceback" not in demo.running.text
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.running.process.pid, 0)
    for port in (demo.port, int(backend)):
        socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_it_listens_ends_it_as_well(tmp_path: Path, number: signal.Signals) -> None:
    with started("demo", "--folder", str(tmp_path), "--port", "0") as running:
        running.reads("Ctrl-C")
        assert running.stopped_by(number) == 0
        assert "Traceback" not in running.text


def test_closing_its_terminal_ends_it() -> None:
    with at_terminal("demo", "--port", "0") as running:
        log = Path(running.reads(r"log +(\S+)")[1])
        running.reads("Ctrl-C")
        running.hang_up()
        running.process.wait(20)
    assert not log.parent.exists()


def test_a_temporary_folder_goes_with_it() -> None:
    with started("demo", "--port", "0") as running:
        log = Path(running.reads(r"log +(\S+)")[1])
        running.reads("Ctrl-C")
        there = log.parent.is_dir()
        assert running.stopped_by(signal.SIGTERM) == 0
    assert there
    assert not log.parent.exists()


def test_a_given_folder_is_made_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b c"
    for _ in range(2):  # the second writes the first one's file again
        with started("demo", "--folder", str(folder), "--port", "0") as running:
            running.reads("the folder stays")
            assert running.stopped_by(signal.SIGTERM) == 0
    assert (folder / "gateway.toml").is_file()


def test_it_never_overwrites_a_configuration_that_is_not_its_own(tmp_path: Path) -> None:
    mine = tmp_path / "gateway.toml"
    mine.write_text("[server]\n")
    done = gatewaylog("demo", "--folder", str(tmp_path), "--port", "0")
    assert done.returncode == 2
    assert "is not the demo's" in said_once(done)
    assert mine.read_text() == "[server]\n"


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = gatewaylog("demo", "--port", str(port))
    assert done.returncode == 2
    assert said_once(done) == (
        f"gatewaylog: demo: port {port} is taken, or not for this user: give another --port"
    )


def test_the_usual_port_is_left_to_whoever_has_it(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # whoever else has it serves as well
            stack.enter_context(socket.create_server(("127.0.0.1", 8080)))
        with started("demo", "--folder", str(tmp_path)) as running:
            told = running.reads(r"http://127\.0\.0\.1:(\d+) \(port 8080 is taken\)$")
            assert int(told[1]) != 8080


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_what_is_no_port_is_refused(port: str) -> None:
    done = gatewaylog("demo", f"--port={port}")
    assert done.returncode == 2
    assert "must be a port" in said_once(done)


def test_the_command_is_told_as_this_installation_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        demo = configuration.Demo(file=tmp_path / "x", log=Path("/a b/log"), port=1, key="k")
        return guide.text(demo, usual_port=None, kept=True)

    python = tmp_path / "bin" / "python"
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setenv("PATH", "")
    assert f"\n  {python} -m gatewaylog tail -f '/a b/log'\n" in told()
    python.parent.mkdir()
    (python.parent / "gatewaylog").touch(0o755)
    assert f"\n  {python.parent}/gatewaylog tail -f '/a b/log'\n" in told()
    monkeypatch.setenv("PATH", str(python.parent))
    assert "\n  gatewaylog tail -f '/a b/log'\n" in told()
