"""What `tokens watch` does: rules over a log, findings to the terminal, event log and webhook."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.audit.events import AuditEvent, EventLog, GatewayEvent
from gatewaylog.audit.events.line import parse_line
from gatewaylog.audit.rules.lines import event_of, use_of
from gatewaylog.audit.rules.told import Told
from gatewaylog.cli.tokens import PARTS
from gatewaylog.cli.verbs import WrongCall, part
from gatewaylog.events import IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.formats import Line
from gatewaylog.formats import parse_line as parse_access
from gatewaylog.sinks import MemorySink
from tests.audit.rules.test_places import places
from tests.cli.processes import Running, environment
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.events import Event

_WATCH = [sys.executable, "-m", "gatewaylog", "tokens", "watch"]


def guess(log: AccessLog, count: int = 20) -> None:
    for number in range(count):
        log.write(
            RequestError(
                message_id=f"m{number}",
                status_code=401,
                error_code="900901",
                remote_ip="192.0.2.1",
                token_ref=f"g{number}",
            )
        )
    log.write(
        RequestComplete(
            message_id="good",
            application_name="shop",
            status_code=200,
            remote_ip="192.0.2.1",
            token_ref="key",
            bytes_out=5,
        )
    )


def watch(*arguments: str) -> int:
    verb, parser = part("tokens", "watch", PARTS)
    return verb.run(parser.parse_args(arguments))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text(
        '[log]\npath = "api.log"\n[event_log]\npath = "event.log"\n'
    )
    return tmp_path


def test_findings_of_a_log_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guess(AccessLog(folder / "api.log"))
    assert watch("--once") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split("  ", 1)[1].startswith("R06 high   shop: 20 refusals from 192.0.2.1")
    watch("--once", "--json", "api.log")
    told = json.loads(capsys.readouterr().out)
    assert (told["rule"], told["severity"], told["rows"][-1]) == ("R06", "high", "good")


def test_findings_are_recorded(folder: Path) -> None:
    guess(AccessLog(folder / "api.log"))
    watch("--once", "--record")
    record = parse_line((folder / "event.log").read_bytes())
    assert (record.event, record.requestor) == (GatewayEvent.RULE_FIRED, "shop")
    assert (record.detail or "").startswith("R06 HIGH: 20 refusals")


def test_thresholds_are_the_configurations(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guess(AccessLog(folder / "api.log"), 4)
    with (folder / "gateway.toml").open("a") as file:
        file.write("[rules.thresholds.R06]\nrefusals = 4\n")
    watch("--once")
    assert "R06" in capsys.readouterr().out


def test_the_life_of_tokens_comes_from_the_event_log(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = EventLog(folder / "event.log", format="json")
    for n in range(20):
        detail = f"token_ref=t{n} expires_at=1970-01-02T00:30:00Z"
        events.record(
            AuditEvent(event="TOKEN_ISSUED", at=86400.0 + n, requestor="shop", detail=detail)
        )
    guess(AccessLog(folder / "api.log"), 0)
    watch("--once", "--severity", "medium")
    rules = [line.split()[2] for line in capsys.readouterr().out.splitlines()]
    assert rules == []  # the calls came years later
    events.record(AuditEvent(event="E", at=1.0))
    assert event_of(AuditEvent(event="TOKEN_ISSUED", at=1.0)) is None
    life = event_of(AuditEvent(event="TOKEN_REVOKED", at=1.0, detail="token_ref=t expires_at=soon"))
    assert life is not None
    assert (life.kind, life.expires_at) == ("revoked", None)


def parsed(event: Event) -> Line:
    sink = MemorySink()
    AccessLog(sink).write(event)
    line = parse_access(sink.lines[0].rstrip(b"\n"))
    assert isinstance(line, Line)
    return line


def test_lines_without_a_token_are_no_use() -> None:
    for event in (IncomingRequest(), LogLoss("m", 1, 1, 1, "full"), RequestComplete()):
        assert use_of(parsed(event)) is None


class Hook(BaseHTTPRequestHandler):
    """Takes findings."""

    took: ClassVar[list[dict[str, object]]] = []

    def do_POST(self) -> None:
        self.took.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.took.clear()
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/secret"
        server.shutdown()
        thread.join()


def test_findings_are_posted(folder: Path, hook: str) -> None:
    guess(AccessLog(folder / "api.log"))
    watch("--once", "--webhook", hook)
    assert [told["client"] for told in Hook.took] == ["shop"]


def test_a_webhook_that_is_down_is_told_without_its_address(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guess(AccessLog(folder / "api.log"))
    assert watch("--once", "--webhook", "http://127.0.0.1:1/secret") == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("gatewaylog: the webhook does not take findings: ")
    assert said[-1] == "gatewaylog: the webhook did not take R06 of shop"
    assert "secret" not in "".join(said)


def test_new_findings_are_told_as_lines_come_and_old_ones_are_not(folder: Path) -> None:
    log = AccessLog(folder / "api.log")
    guess(log)
    with watching(folder) as running:
        threading.Thread(target=_guess_again, args=(log, running), daemon=True).start()
        running.reads("R06 high   other")
        assert running.stopped_by(signal.SIGTERM) == 0
    assert "shop" not in running.text


def _guess_again(log: AccessLog, running: Running) -> None:
    """Guess until it is seen, as nobody says when the log is being followed."""
    pause, turn = threading.Event(), 0
    while running.process.poll() is None:
        # Each time of another client: a finding is told once in 24 hours.
        turn += 1
        guess_of(log, f"other{turn}")
        pause.wait(0.2)


def guess_of(log: AccessLog, client: str) -> None:
    for _ in range(20):
        log.write(RequestError(status_code=401, remote_ip="192.0.2.9", token_ref="x"))
    log.write(
        RequestComplete(
            status_code=200, remote_ip="192.0.2.9", token_ref="y", application_name=client
        )
    )


@pytest.mark.parametrize(
    ("arguments", "rules", "told"),
    [
        (("--webhook", "ftp://a"), "", "--webhook must be a URL like https://"),
        ((), "[rules]\nother = 1\n", r"\[rules\]: "),
        ((), "[rules.thresholds.R99]\na = 1\n", r"\[rules\]: "),
        ((), "[rules.thresholds.R04]\na = 1\n", "a: R04 has no such threshold"),
    ],
)
def test_a_wrong_call_is_told(
    folder: Path, arguments: tuple[str, ...], rules: str, told: str
) -> None:
    with (folder / "gateway.toml").open("a") as file:
        file.write(rules)
    with pytest.raises(WrongCall, match=told):
        watch("--once", *arguments)


def test_findings_are_recorded_only_where_it_is_said_where(folder: Path) -> None:
    (folder / "gateway.toml").write_text('[log]\npath = "api.log"\n')
    guess(AccessLog(folder / "api.log"))
    with pytest.raises(WrongCall, match=r"--record needs event_log\.path"):
        watch("--once", "--record")


@contextmanager
def watching(folder: Path, *arguments: str) -> Iterator[Running]:
    with subprocess.Popen(
        [*_WATCH, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        try:
            yield Running(process, process.stdout.fileno())
        finally:
            process.kill()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_tells_what_came_meanwhile_and_nothing_twice(
    folder: Path, end: signal.Signals
) -> None:
    log, state = AccessLog(folder / "api.log"), folder / ".api.log.watched"
    number = 0
    with watching(folder) as running:
        while not running.has_more():  # as nobody says when the log is being followed
            guess_of(log, f"other{number}")
            number += 1
        guess_of(log, last := f"other{number}")
        # One that is not kept yet may be told again.
        wait_for(lambda: state.exists() and f'"{last}"' in state.read_text())
        running.stopped_by(end)
    before = running.text
    guess(log)
    with watching(folder) as running:
        running.reads("R06 high   shop:")
        assert running.stopped_by(signal.SIGTERM) == 0
    told = [line.split()[4] for line in (before + running.text).splitlines()]
    assert sorted(told) == sorted(set(told))
    assert told[-1] == "shop:"
    assert f"{last}:" in told


def test_once_tells_what_was_not_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(folder / "api.log")
    guess(log)
    for _ in range(2):
        watch("--once", "--state", "told", "--record")
    assert capsys.readouterr().out.count("R06") == 1
    assert (folder / "event.log").read_text().count("RULE_FIRED") == 1
    watch("--once")
    assert capsys.readouterr().out.count("R06") == 1


def test_what_a_webhook_did_not_take_is_posted_by_the_next_process(folder: Path, hook: str) -> None:
    guess(AccessLog(folder / "api.log"))
    watch("--once", "--state", "told", "--webhook", "http://127.0.0.1:1/")
    assert not Hook.took
    watch("--once", "--state", "told", "--webhook", hook)
    watch("--once", "--state", "told", "--webhook", hook)
    assert [told["client"] for told in Hook.took] == ["shop"]


def test_a_webhook_that_does_not_answer_holds_no_finding_back(folder: Path) -> None:
    log = AccessLog(folder / "api.log")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with watching(folder, "--webhook", url) as running:
            threading.Thread(target=_guess_again, args=(log, running), daemon=True).start()
            running.reads(r"(.*R06 high   other\d+: .*\n){3}")


def test_the_configuration_names_webhook_places_and_state(
    folder: Path,
    hook: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOK", hook)
    (folder / "places.mmdb").write_bytes(b"none")
    with (folder / "gateway.toml").open("a") as file:
        file.write('[rules]\nwebhook = "${HOOK}"\nstate = "told"\ngeoip = "places.mmdb"\n')
    guess(AccessLog(folder / "api.log"))
    with pytest.raises(WrongCall, match=r"--geoip places\.mmdb: is no file of places"):
        watch("--once")
    places(folder)
    watch("--once")
    watch("--once")
    assert [told["client"] for told in Hook.took] == ["shop"]
    assert capsys.readouterr().out.count("R06") == 1


def test_two_can_not_watch_with_one_memory(folder: Path) -> None:
    AccessLog(folder / "api.log")
    with Told(folder / "told"), pytest.raises(WrongCall, match="another process watches with it"):
        watch("--once", "--state", "told")
    (folder / "told").write_text("a shopping list")
    with pytest.raises(WrongCall, match="told: is not what tokens watch keeps there"):
        watch("--once", "--state", "told")
    with pytest.raises(WrongCall, match="--state no/told: No such file"):
        watch("--once", "--state", "no/told")


def test_what_can_not_be_kept_is_told_and_stops_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guess(AccessLog(folder / "api.log"))
    (folder / "told.new").mkdir()
    assert watch("--once", "--state", "told") == 0
    said = capsys.readouterr()
    assert "R06" in said.out
    assert said.err.count("can't keep what was told: Is a directory") == 1
