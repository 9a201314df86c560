"""Which lines `tokens watch` takes: both logs, told apart by their form, wherever they stand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.audit.events import AuditEvent, EventLog
from gatewaylog.audit.rules.lines import life_of, row_of
from gatewaylog.events import RequestComplete
from gatewaylog.formats import parse_line
from tests.cli.processes import gatewaylog
from tests.cli.test_watching import watching

if TYPE_CHECKING:
    from pathlib import Path


def use_ended_token(access: Path, events: Path, form: str, client: str = "shop") -> None:
    """Call now with a token that ended half an hour ago; its issue is written after the call."""
    now = time.time()
    log = AccessLog(access, format="json" if form == "json" else "wso2")
    log.write(RequestComplete(status_code=200, token_ref=client, application_name=client))
    end = datetime.fromtimestamp(now - 1800, UTC).isoformat()
    detail = f"token_ref={client} expires_at={end}"
    record = AuditEvent(event="TOKEN_ISSUED", at=now - 3600, requestor=client, detail=detail)
    EventLog(events, format=form).record(record)


@pytest.mark.parametrize("form", ["line", "json"])
@pytest.mark.parametrize(
    ("access", "events", "given"),
    [
        ("a.log", "b.log", ["a.log", "b.log"]),
        ("b.log", "a.log", ["."]),
        ("both.log", "both.log", ["both.log"]),
        ("both.log", "both.log", ["-"]),
    ],
    ids=["files", "folder", "one file", "standard input"],
)
def test_lines_of_both_logs_are_taken_in_the_order_of_time(
    tmp_path: Path, form: str, access: str, events: str, given: list[str]
) -> None:
    use_ended_token(tmp_path / access, tmp_path / events, form)
    piped = (tmp_path / access).read_bytes() if given == ["-"] else b""
    done = gatewaylog("tokens", "watch", "--once", *given, cwd=tmp_path, stdin=piped)
    assert "R07 high   shop: token shop was good" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("form", ["line", "json"])
def test_an_event_log_that_is_given_is_followed(tmp_path: Path, form: str) -> None:
    AccessLog(tmp_path / "a.log").write(RequestComplete())
    with watching(tmp_path, "b.log", "a.log") as running:
        for number in range(1000):
            record_and_call(tmp_path / "a.log", tmp_path / "b.log", form, f"other{number}")
            if running.has_more(0.2):  # as nobody says when the logs are being followed
                break
        running.reads("R07 high   other")
        running.process.kill()


def test_standard_input_is_told_as_it_comes_until_it_ends(tmp_path: Path) -> None:
    record_and_call(tmp_path / "a.log", tmp_path / "b.log", "line", "shop")
    piped = (tmp_path / "b.log").read_bytes() + (tmp_path / "a.log").read_bytes()
    done = gatewaylog("tokens", "watch", "-", cwd=tmp_path, stdin=piped)
    assert (done.returncode, done.stderr) == (0, "")
    assert "R07 high   shop" in done.stdout


def record_and_call(access: Path, events: Path, form: str, client: str) -> None:
    use_ended_token(access.with_name("call"), events, form, client)
    with access.open("ab") as file:
        file.write((access.with_name("call")).read_bytes())
    access.with_name("call").unlink()


def test_a_line_that_tells_rules_nothing_is_none_of_their_rows() -> None:
    for raw in (
        b"TOKEN_",
        b"[0001-01-01 00:00:00] null, null, null, null, null, null, 2, TOKEN_ISSUED, a, null, b",
        b"[2026-01-01 00:00:00] null, null, null, null, null, null, 2, TOKEN_ISSUED, a, null, b",
        b"[2026-01-01 00:00:00] null, null, null, null, null, null, 2, KEY_CREATED, a, null, b",
    ):
        assert row_of(parse_line(raw)) is None
    end = b"token_ref=t expires_at=0001-01-01T00:00:00"
    life = life_of(
        b"\xef\xbb\xbf[2026-01-01 00:00:00] null, null, null, null, null, null, 2, "
        b"TOKEN_ISSUED, a, null, " + end
    )
    assert life is not None
    assert (life.token_ref, life.expires_at) == ("t", None)
