"""What `tokens watch` does: rules over a log, findings to the terminal, event log and webhook."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.audit.events import AuditEvent, EventLog, GatewayEvent
from gatewaylog.audit.events.line import parse_line
from gatewaylog.audit.rules.lines import event_of, use_of
from gatewaylog.cli import watching
from gatewaylog.cli.verbs import Parser, WrongCall
from gatewaylog.events import IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.formats import Line
from gatewaylog.formats import parse_line as parse_access
from gatewaylog.sinks import MemorySink
from tests.cli.processes import Running, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.events import Event

_WATCH = """
import sys
from gatewaylog.cli import watching
from gatewaylog.cli.verbs import Parser
parser = Parser("gatewaylog tokens")
from gatewaylog.cli import logs
logs.configure(parser)
watching.configure(parser)
sys.exit(watching.run(parser.parse_args(sys.argv[1:])))
"""


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
    from gatewaylog.cli import logs

    parser = Parser("gatewaylog tokens")
    logs.configure(parser)
    watching.configure(parser)
    return watching.run(parser.parse_args(arguments))


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
    said = capsys.readouterr().err
    assert said.startswith("gatewaylog: the webhook did not take R06 of shop: ")
    assert "secret" not in said


def test_new_findings_are_told_as_lines_come_and_old_ones_are_not(folder: Path) -> None:
    log = AccessLog(folder / "api.log")
    guess(log)
    with subprocess.Popen(
        [sys.executable, "-c", _WATCH],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        running = Running(process, process.stdout.fileno())
        try:
            threading.Thread(target=_guess_again, args=(log, running), daemon=True).start()
            running.reads("R06 high   other")
            assert running.stopped_by(signal.SIGTERM) == 0
        finally:
            process.kill()
    assert "shop" not in running.text


def _guess_again(log: AccessLog, running: Running) -> None:
    """Guess until it is seen, as nobody says when the log is being followed."""
    pause, turn = threading.Event(), 0
    while running.process.poll() is None:
        # Each time of another client: a finding is told once in 24 hours.
        turn += 1
        for _ in range(20):
            log.write(RequestError(status_code=401, remote_ip="192.0.2.9", token_ref="x"))
        name = f"other{turn}"
        log.write(
            RequestComplete(
                status_code=200, remote_ip="192.0.2.9", token_ref="y", application_name=name
            )
        )
        pause.wait(0.2)


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
