"""`gatewaylog tokens log|vendors|suspicious|timeline|prune|status`, as a user runs them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from sqlalchemy import make_url

from gatewaylog.audit.edfi import Installation
from gatewaylog.audit.queries.hours import OTHER
from gatewaylog.audit.queries.statements import Window
from gatewaylog.audit.store.install import install
from gatewaylog.audit.store.tables import ship_checkpoints
from gatewaylog.cli import run as main
from gatewaylog.cli.tokens import suspicious
from gatewaylog.cli.tokens.hours import charted
from tests.audit.edfi.conftest import connected
from tests.audit.edfi.test_trigger import logs_in
from tests.audit.queries.conftest import add
from tests.cli.processes import COMMAND, at_terminal, environment, gatewaylog, said_once
from tests.cli.test_tail import COMPLETE, dated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.cli.tokens.asked import Row

VERBS = ("log", "vendors", "suspicious", "timeline", "status")
DAY = timedelta(days=1)
HOSTILE = "Evil \x1b[31mred\x1b]0;title\x07 \u202egnp.exe\r\nline"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a busy client, a hostile name, and one of whom nothing is known."""
    made = f"sqlite:///{tmp_path}/gatewaylog.db"
    install(made)
    now = datetime.now(UTC)
    shop = {"vendor_name": "Acme", "application_name": "shop", "api_client_key": "key:0a1b2c3d"}
    evil = {"vendor_name": HOSTILE, "application_name": HOSTILE, "api_client_key": HOSTILE}
    rows: list[dict[str, Any]] = [
        shop | {"access_time": now - timedelta(seconds=n), "token_ref": f"{n % 7:032x}"}
        for n in range(120)
    ]
    rows += [evil | {"access_time": now - timedelta(hours=3), "request_url": HOSTILE}]
    rows += [{"access_time": now - timedelta(days=days)} for days in (2, 100)]
    add(made, rows)
    return made


class Told(Protocol):
    """Runs a verb over a database; the objects that it prints."""

    def __call__(self, verb: str, url: str, *more: str) -> list[dict[str, Any]]: ...


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    def run(verb: str, url: str, *more: str) -> list[dict[str, Any]]:
        status = main(["tokens", verb, "--database", url, *more])
        printed = capsys.readouterr()
        assert (status, printed.err) == (0, "")
        return [json.loads(line) for line in printed.out.splitlines()]

    return run


def test_vendors_are_told_by_the_number_of_their_accesses(url: str, told: Told) -> None:
    acme, evil = told("vendors", url)
    assert (acme["vendor_name"], acme["access_count"], acme["unique_tokens"]) == ("Acme", 120, 7)
    assert acme["last_access"].endswith("+00:00")
    assert evil["vendor_name"] == HOSTILE
    assert "vendor_name" not in told("vendors", url, "--since", "-10d")[-1]


def test_the_log_is_told_whole_and_since_a_time(url: str, told: Told) -> None:
    assert len(told("log", url)) == 123
    assert len(told("log", url, "--since", "-3d", "--until", "-1d")) == 1
    first, *_, last = told("log", url)
    assert (first["vendor_name"], first["application_name"]) == ("Acme", "shop")
    assert set(last) == {"log_id", "token_ref", "access_time", "message_id"}  # all else is null


def test_clients_over_the_threshold_and_findings_are_told(url: str, told: Told) -> None:
    (often,) = told("suspicious", url)
    assert (often["api_client_key"], often["access_count"]) == ("key:0a1b2c3d", 120)
    assert told("suspicious", url, "--threshold", "120") == []
    now = datetime.now(UTC)
    add(
        url,
        [
            {"access_time": now - timedelta(seconds=60 - n), "remote_ip": "192.0.2.1"}
            | {"status_code": 401 if n < 25 else 200, "application_name": "app"}
            for n in range(26)
        ],
    )
    found = [row for row in told("suspicious", url) if "rule" in row]
    assert [(row["rule"], row["severity"], row["client"]) for row in found] == [
        ("R06", "high", "app")
    ]
    assert found[0]["rows"].startswith("urn:uuid:")
    assert [row for row in told("suspicious", url, "--no-rules") if "rule" in row] == []


def test_of_thousands_a_terminal_shows_the_first_and_says_how_many_more(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/many.db"
    install(url)
    now = datetime.now(UTC)
    rows = [
        {"access_time": now - timedelta(seconds=60), "api_client_key": f"client-{n:02}"}
        for n in range(60)
    ]
    add(url, rows)
    words = ("tokens", "suspicious", "--database", url, "--no-rules", "--threshold", "0")
    with at_terminal(*words, NO_COLOR="1", COLUMNS="120") as running:
        assert running.ended() == 0
        shown = running.text
    assert "client-49" in shown
    assert "client-50" not in shown
    assert "and 10 more; --output csv tells all" in shown
    assert gatewaylog(*words, "--output", "table").stdout.count("client-") == 60


def test_findings_at_a_terminal_are_the_worst_and_of_those_the_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    rows: list[Row] = [
        {"severity": "high" if n == 3 else "low", "at": first + n * DAY, "client": str(n)}
        for n in range(100)
    ]
    monkeypatch.setattr("gatewaylog.cli.tokens.suspicious._is_terminal", lambda: True)
    shown, more = suspicious.worst(iter(rows))
    assert [row["client"] for row in shown] == ["3", *map(str, range(51, 100))]
    assert more == 50


def test_columns_without_room_are_named_in_lines_as_wide_as_the_terminal(url: str) -> None:
    with at_terminal("tokens", "log", "--database", url, NO_COLOR="1", COLUMNS="80") as running:
        assert running.ended() == 0
        lines = running.text.replace("\r", "").split("\n")
    assert any(line.startswith("no room for ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_configurations_rules_and_database_are_taken(url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    rows = [
        {"access_time": now - timedelta(seconds=60 - n), "remote_ip": "192.0.2.1"}
        | {"status_code": 401 if n < 5 else 200, "application_name": "app"}
        for n in range(6)
    ]
    add(url, rows)
    (tmp_path / "gateway.toml").write_text(
        '[database]\nurl = "sqlite:///gatewaylog.db"\n[rules.thresholds.R06]\nrefusals = 3\n'
    )
    done = gatewaylog("tokens", "suspicious", "--severity", "high", cwd=tmp_path)
    assert [json.loads(line).get("rule") for line in done.stdout.splitlines()] == [None, "R06"]
    (tmp_path / "gateway.toml").write_text("[rules]\nother = 1\n")
    done = gatewaylog("tokens", "suspicious", cwd=tmp_path)
    assert done.returncode == 2
    assert "[rules]" in said_once(done)


def test_the_timeline_tells_hours_of_utc(url: str, told: Told) -> None:
    rows = told("timeline", url)
    assert sum(row["access_count"] for row in rows) == 122
    assert all(row["access_hour"].endswith(":00:00+00:00") for row in rows)


def test_an_output_is_a_table_of_csv_or_json(url: str) -> None:
    done = gatewaylog("tokens", "vendors", "--database", url, "--output", "csv")
    heads, *rows = csv.reader(io.StringIO(done.stdout))
    assert heads == ["vendor_name", "access_count", "last_access", "unique_tokens"]
    assert [row[1] for row in rows] == ["120", "1"]
    done = gatewaylog("tokens", "vendors", "--database", url, "--output", "json")
    assert len(json.loads(done.stdout)) == 2
    done = gatewaylog("tokens", "suspicious", "--database", url, "--output", "table")
    assert "Clients with more than 100 accesses in the last hour:" in done.stdout


@pytest.mark.parametrize("verb", ["log", "vendors", "suspicious", "timeline"])
def test_the_sql_that_is_shown_gives_the_same_rows(
    verb: str, url: str, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--since", "-3d", *(["--threshold", "0"] if verb == "suspicious" else [])]
    assert main(["tokens", verb, "--database", url, "--sql", *more]) == 0
    sql = capsys.readouterr().out
    with sqlite3.connect(url.removeprefix("sqlite:///")) as session:
        rows = session.execute(sql.rpartition(";")[0]).fetchall()
    told_rows = told(verb, url, *more, *(["--no-rules"] if verb == "suspicious" else []))
    assert len(rows) == len(told_rows) > 0


@pytest.mark.parametrize("verb", [*VERBS, "prune"])
def test_sql_needs_no_database_to_be_there(
    verb: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ["--keep", "90d"] if verb == "prune" else []
    for url in ("sqlite:///none.db", "postgresql://nobody@/x?host=/nowhere"):
        assert main(["tokens", verb, "--database", url, "--sql", *more]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert ("gatewaylog." in printed.out) == url.startswith("postgresql")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("verb", [*VERBS, "timeline --by vendor", "log --since -1d"])
def test_nothing_of_the_database_reaches_a_terminal_but_to_be_seen(
    verb: str, columns: int, url: str
) -> None:
    words = [*verb.split(), "--database", url]
    with at_terminal("tokens", *words, NO_COLOR="1", COLUMNS=str(columns)) as running:
        assert running.ended() == 0
        shown = running.text
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert shown.strip()


def test_at_a_terminal_the_timeline_is_a_chart(url: str) -> None:
    words = ("tokens", "timeline", "--database", url, "--by", "vendor")
    with at_terminal(*words, NO_COLOR="1", COLUMNS="100") as running:
        running.reads(r"Acme\s+0 ┤.*█.*120")
        running.reads("unknown")
    charts = gatewaylog("tokens", "timeline", "--database", url, "--output", "chart").stdout
    assert "Acme / shop / key:0a1b2c3d" in charts


def test_ten_series_are_charted_and_the_others_together() -> None:
    hour = datetime(2026, 3, 2, 9, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        {"access_hour": hour, "vendor_name": f"v{n:02}", "access_count": n} for n in range(1, 14)
    ]
    rows.append({"access_hour": hour + timedelta(hours=2), "vendor_name": None, "access_count": 99})
    result = charted(rows, ["vendor_name"], Window())
    records = list(result.rows)
    busiest = [*(f"v{n:02}" for n in range(5, 14)), "unknown"]
    assert result.columns == ("_time", *sorted(busiest), OTHER)
    assert [record[OTHER] for record in records] == [1 + 2 + 3 + 4, 0, 0]
    assert [record["unknown"] for record in records] == [0, 0, 99]


def test_hours_without_use_are_filled_up_to_now_but_not_those_of_decades() -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    row: dict[str, Any] = {"access_hour": now - 5 * DAY, "vendor_name": "v", "access_count": 1}
    week = charted([row], ["vendor_name"], Window(last=7 * DAY))
    assert len(list(week.rows)) in {169, 170}  # an hour may begin meanwhile
    old = row | {"access_hour": datetime(1971, 1, 1, tzinfo=UTC)}
    assert len(list(charted([row, old], ["vendor_name"], Window()).rows)) == 2
    assert list(charted([], ["vendor_name"], Window(last=7 * DAY)).rows) == []


def test_prune_tells_what_goes_and_keeps_what_is_to_be_kept(url: str, told: Told) -> None:
    (would,) = told("prune", url, "--keep", "90d", "--dry-run")
    assert (would["table"], would["rows"]) == ("client_access_token_logs", 1)
    assert len(told("log", url)) == 123
    (went,) = told("prune", url, "--keep", "90d")
    assert went["rows"] == 1
    assert told("prune", url, "--keep", "90d") == []
    assert len(told("log", url)) == 122
    with at_terminal("tokens", "prune", "--keep", "90d", "--database", url) as running:
        running.reads("nothing is older than 90d")
    with at_terminal("tokens", "prune", "--keep", "1d", "--dry-run", "--database", url) as running:
        running.reads("nothing was dropped: --dry-run")


def test_the_state_tells_how_far_behind_the_log_the_store_is(
    url: str, tmp_path: Path, told: Told
) -> None:
    (before,) = told("status", url)
    assert (before["rows"], "behind_seconds" in before) == (123, False)
    log = tmp_path / "api-access.log"
    log.write_bytes(dated(COMPLETE, 0) + dated(COMPLETE, 10))
    at = datetime.fromtimestamp(1.7e9 + 10, UTC)
    checkpoint = {"shipper": "s", "file": "f", "name": "n", "position": 1, "at": at}
    add(url, [checkpoint | {"line_time": at - timedelta(seconds=90)}], ship_checkpoints)
    (told_now,) = told("status", url, str(log))
    assert told_now["behind_seconds"] == 90.0
    with at_terminal("tokens", "status", str(log), "--database", url, NO_COLOR="1") as running:
        running.reads(r"rows\s+123")
        running.reads(r"behind\s+1\.5 min")


def test_the_state_of_an_ed_fi_database_is_that_of_its_trigger(edfi: str, told: Told) -> None:
    Installation(edfi).install()
    with connected(edfi) as session:
        logs_in(session)
    (state,) = told("status", edfi)
    assert (state["edfi_trigger"], state["edfi_rows"]) == ("enabled", 1)
    assert told("vendors", edfi)[0]["vendor_name"] == "Northridge SIS"
    assert len(told("suspicious", edfi, "--threshold", "0")) == 1


def test_a_store_on_postgresql_tells_its_partitions(empty_postgresql: str, told: Told) -> None:
    install(empty_postgresql)
    (state,) = told("status", empty_postgresql)
    assert state["partitions"] >= 2
    with at_terminal("tokens", "status", "--database", empty_postgresql) as running:
        running.reads(r"partitions\S*\s+\d+ partitions, \d{4}-\d\d-01 to \d{4}-\d\d-01 \(UTC\)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["vendors", "--database", "sqlite:///no.db"], "gatewaylog tokens init --database sqlite"),
        (["vendors", "--database", "mysql://x/y"], "--database must be like"),
        (["log", "--database", "{url}", "--since", "soon"], "--since soon: this is no time"),
        (["log", "--database", "{url}", "--since", "999999999999"], "out of range"),
        (["suspicious", "--database", "{url}", "--until", "999999999999"], "out of range"),
        (["suspicious", "--database", "{url}", "--threshold", "-1"], "must be 0 or more"),
        (["suspicious", "--database", "{url}", "--threshold", "x"], "invalid int value"),
        (["prune", "--database", "{url}"], "--keep must be how long"),
        (["prune", "--database", "{url}", "--keep", "90"], "--keep must be how long"),
        (["prune", "--database", "{url}", "--keep", "999999y"], "out of range"),
        (["status", "none.log", "--database", "{url}"], "none.log"),
        (["timeline", "--database", "{url}", "--by", "colour"], "invalid choice"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    arguments: list[str], words: str, url: str, tmp_path: Path
) -> None:
    given = [word.format(url=url) for word in arguments]
    done = gatewaylog("tokens", *given, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in said_once(done)


def test_a_reader_that_has_enough_ends_it_quietly(url: str) -> None:
    add(url, [{"access_time": datetime.now(UTC) - DAY} for _ in range(20_000)])
    command = [*COMMAND, "tokens", "log", "--database", url]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_each_verb_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokens", "--help"]) == 0
    overview = capsys.readouterr().out
    for verb in (*VERBS, "prune", "edfi"):
        assert f"\n  {verb:<12}" in overview
        assert main(["tokens", verb, "--help"]) == 0
        assert f"example:\n  gatewaylog tokens {verb}" in capsys.readouterr().out


@pytest.fixture
def roles(empty_postgresql: str) -> Iterator[dict[str, str]]:
    """Addresses of a store by logins that have one of its roles each."""
    install(empty_postgresql)
    now = datetime.now(UTC)
    add(empty_postgresql, [{"access_time": now - days * DAY} for days in (0, 200)])
    names = {role: f"{role}_{uuid.uuid4().hex[:8]}" for role in ("reader", "retention")}
    with connected(empty_postgresql) as session:
        for role, name in names.items():
            session.execute(f"CREATE ROLE {name} LOGIN IN ROLE gatewaylog_{role}")
    url = make_url(empty_postgresql)
    yield {
        role: url.set(username=name).render_as_string(hide_password=False)
        for role, name in names.items()
    }
    with connected(empty_postgresql) as session:
        for name in names.values():
            session.execute(f"DROP ROLE {name}")


def test_the_readers_role_is_enough_to_ask_and_retentions_to_prune(
    roles: dict[str, str], told: Told
) -> None:
    verbs = ("log", "vendors", "timeline")
    assert [len(told(verb, roles["reader"])) for verb in verbs] == [2, 1, 1]
    assert told("suspicious", roles["reader"]) == []
    (state,) = told("status", roles["reader"])
    assert state["rows"] == 2
    assert len(told("prune", roles["retention"], "--keep", "90d", "--dry-run")) >= 1
    assert len(told("prune", roles["retention"], "--keep", "90d")) >= 1
    assert len(told("log", roles["reader"])) == 1


def test_store_and_trigger_in_one_database_are_told_of(
    edfi: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Installation(edfi).install()
    install(edfi)
    assert main(["tokens", "log", "--database", edfi]) == 0
    assert capsys.readouterr().err == ""  # no rows of the trigger's yet
    with connected(edfi) as session:
        logs_in(session)
    for words in (["log"], ["suspicious"], ["timeline", "--output", "chart"], ["vendors"]):
        assert main(["tokens", *words, "--database", edfi]) == 0
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert "clientaccesstokenlogs, of Ed-Fi's trigger, holds rows too" in said[0]
    reader = f"reader_{uuid.uuid4().hex[:8]}"
    with connected(edfi) as session:
        session.execute(f"CREATE ROLE {reader} LOGIN IN ROLE gatewaylog_reader")
    url = make_url(edfi).set(username=reader).render_as_string(hide_password=False)
    assert main(["tokens", "status", "--database", url, "--output", "table"]) == 0
    assert "not known: permission denied" in capsys.readouterr().out
    with connected(edfi) as session:
        session.execute(f"DROP ROLE {reader}")


def test_what_went_is_told_where_the_triggers_rows_can_not_go(
    edfi: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Installation(edfi).install()
    install(edfi)
    add(edfi, [{"access_time": datetime.now(UTC) - 400 * DAY}])
    name = f"retention_{uuid.uuid4().hex[:8]}"
    with connected(edfi) as session:
        session.execute(f"CREATE ROLE {name} LOGIN IN ROLE gatewaylog_retention")
    url = make_url(edfi).set(username=name).render_as_string(hide_password=False)
    assert main(["tokens", "prune", "--keep", "90d", "--database", url]) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert "rows of gatewaylog.clientaccesstokenlogs are kept: permission denied" in printed.err
    with connected(edfi) as session:
        session.execute(f"DROP ROLE {name}")


def test_a_newer_store_is_told_in_one_line(url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as session:
        session.execute("UPDATE store_version SET version_num = '0099'")
    for words in (["init"], ["log"], ["status"], ["prune", "--keep", "90d"]):
        done = gatewaylog("tokens", *words, "--database", url)
        assert (done.returncode, done.stdout) == (2, "")
        assert "the store is newer than this gatewaylog: of version 0099" in said_once(done)


def test_a_role_that_may_not_is_told_in_one_line(
    roles: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tokens", "prune", "--keep", "90d", "--database", roles["reader"]]) == 2
    assert main(["tokens", "log", "--database", roles["retention"]]) == 2
    told_to = capsys.readouterr().err.splitlines()
    assert len(told_to) == 2
    assert all("permission denied" in line for line in told_to)
