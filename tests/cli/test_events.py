"""`gatewaylog events`: the last records, searches, and a session told as a story."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.events import AuditEvent, EventLog, RequestorEvent, SessionState, UserEvent
from gatewaylog.audit.events import session_of as session
from gatewaylog.audit.rules.records import Finding, Severity
from gatewaylog.audit.rules.reporting import ToEventLog
from gatewaylog.cli import run as main
from tests.cli.processes import started

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = "urn:uuid:c78c4359-0000-4000-8000-000000000001"
SIGN_IN = [
    (RequestorEvent.AUTHN_INITIATION_SUCCESSFUL, SessionState.SESSION_CREATED, None),
    (UserEvent.USER_AUTHENTICATED, SessionState.AUTHN_OK, "TGT-1"),
    (UserEvent.USER_LOGGED_OUT, SessionState.USER_LOGOUT_SUCCESS, "TGT-1"),
]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EventLog:
    monkeypatch.chdir(tmp_path)
    log = EventLog("event.log", format="json", authority="idp")
    for step, (event, state, tgt) in enumerate(SIGN_IN):
        for who in ("ann", "bob"):
            log.record(
                AuditEvent(
                    event=event,
                    at=1_000_000.0 + 4 * step,
                    state=state,
                    session_id=f"of-{who}",
                    tgt_id=tgt and f"{tgt}-{who}",
                    user=who,
                    ip="192.0.2.1",
                    requestor="portal",
                )
            )
    return log


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["events", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("identity", ["of-ann", "TGT-1-ann"])
def test_a_session_is_told_as_a_story(identity: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "sessions", identity)
    assert lines[0] == "session of-ann: ann from 192.0.2.1 for portal"
    assert lines[-1].endswith(": the user logged out")
    assert lines[-2].split(maxsplit=2)[2] == (
        "+4      USER_LOGOUT_SUCCESS        User logged out (idp)"
    )
    # A TGT is given to a session when its user is authenticated; the session began before.
    assert lines[1].split(maxsplit=3)[3].startswith("SESSION_CREATED")
    assert len(lines) == 5


def test_a_session_that_is_not_over_says_where_it_is(
    log: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    state = SessionState.AUTHN_IN_PROGRESS
    log.record(AuditEvent(event="ASKED", state=state, session_id="s", detail="a code"))
    log.record(AuditEvent(event="LATER", session_id="t"))
    lines = said(capsys, "sessions", "s")
    assert lines[0] == "session s: an unknown user"
    assert lines[1].endswith("Asked: a code (idp)")
    assert lines[2] == "  1 records in 0 s: open: AUTHN_IN_PROGRESS is its last state"
    assert said(capsys, "sessions", "t")[-1].endswith("no state is told")


def test_an_exchange_is_found_by_its_message_id(
    log: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    log.record(AuditEvent(event="TOKEN_ISSUED", session_id=session(MESSAGE)))
    assert said(capsys, "sessions", MESSAGE)[0].startswith(f"session {session(MESSAGE)}: ")


def test_a_tgt_tells_all_sessions_that_carry_it(
    log: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    """Single sign-on: a second requestor's session, with what has no TGT."""
    for event, tgt in (("BEGIN", None), ("TAKEN", "TGT-1-ann"), ("END", None)):
        log.record(AuditEvent(event=event, session_id="second", tgt_id=tgt))
    log.record(AuditEvent(event="SWEPT", tgt_id="TGT-1-ann"))
    lines = said(capsys, "sessions", "TGT-1-ann")
    heads = [line.partition(":")[0] for line in lines if line.startswith("session")]
    assert heads == ["session of-ann", "session second", "session without an id"]
    assert [line.split()[3] for line in lines[6:9]] == ["Begin", "Taken", "End"]
    assert len(said(capsys, "sessions", "second")) == 5


def test_a_finding_is_found_by_the_message_id_of_a_call(
    log: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = Finding(
        rule="R06", severity=Severity.HIGH, client="shop", at=1.0, detail="20", rows=(MESSAGE,)
    )
    ToEventLog(log).tell(finding)
    lines = said(capsys, "sessions", MESSAGE)
    assert "Rule fired: R06 HIGH: 20" in lines[1]
    assert main(["events", "sessions", MESSAGE[:-1] + "2"]) == 1


@pytest.mark.usefixtures("log")
def test_a_session_that_is_not_there_is_the_answer_no(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "sessions", "x\x1b[2J"]) == 1
    assert capsys.readouterr().err == "no record of x\\x1b[2J\n"


@pytest.mark.usefixtures("log")
def test_records_are_searched_in_splunks_language(capsys: pytest.CaptureFixture[str]) -> None:
    found = [json.loads(line) for line in said(capsys, "search", "user=ann event=USER_*")]
    assert [record["event"] for record in found] == ["USER_LOGGED_OUT", "USER_AUTHENTICATED"]
    table = said(capsys, "search", "state=AUTHN_OK | stats count by user", "--output", "csv")
    assert table == ["user,count", "ann,1", "bob,1"]


@pytest.mark.usefixtures("log")
def test_the_last_records_stand_in_the_order_of_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = said(capsys, "tail", "-n", "2")
    assert [line.split("  ")[1] for line in lines] == ["USER_LOGGED_OUT [USER_LOGOUT_SUCCESS]"] * 2
    assert "user=ann" in lines[0]
    assert "user=bob" in lines[1]
    assert said(capsys, "tail", "--since", "-1h") == []


def test_several_files_are_put_in_order_of_time(
    log: EventLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = EventLog(tmp_path / "other.log", format="json")
    other.record(AuditEvent(event="BETWEEN", at=1_000_005.0))
    log.close()
    lines = said(capsys, "tail", "event.log", "other.log")
    assert "BETWEEN" in lines[4]


def test_records_show_as_they_come(log: EventLog, tmp_path: Path) -> None:
    with started("events", "tail", "-n", "1", "-f", cwd=tmp_path) as tail:
        tail.reads("user=bob")
        log.record(AuditEvent(event="FRESH", user="eve"))
        tail.reads("FRESH.*user=eve")
        assert tail.stopped_by(signal.SIGINT) == 0


@pytest.mark.usefixtures("log")
def test_lines_that_are_no_records_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "event.log").open("a") as file:
        file.write("nonsense\n")
    main(["events", "tail"])
    assert capsys.readouterr().err == "gatewaylog: 1 line not read\n"


@pytest.mark.usefixtures("log")
def test_the_log_of_the_configuration_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.log").rename(tmp_path / "audit.log")
    (tmp_path / "gateway.toml").write_text('[event_log]\npath = "audit.log"\n')
    assert len(said(capsys, "tail")) == 6


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["search"], "events search: which QUERY? (see gatewaylog events --help)"),
        (["sessions"], "events sessions: which ID? (see gatewaylog events --help)"),
        (["tail"], "events: which FILE? No gateway.toml here names an event_log.path"),
        (["tail", "-n", "-3"], "events: -n must be 0 or more"),
        (["list"], "events: argument action: invalid choice: 'list'"),
    ],
)
def test_a_wrong_call_is_told_in_a_line(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["events", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
