"""Logs to a database: each use of a token is a row, once, whatever becomes of the database."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gatewaylog.audit.events import AuditEvent, GatewayEvent
from gatewaylog.audit.events.line import encode_json, encode_line
from gatewaylog.audit.store.clients import Application, Known
from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from gatewaylog.exceptions import ShipError
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings, destination_of
from gatewaylog.ship.stopping import Stop, stop_by
from tests.postgresql import Cluster, cluster
from tests.reader.logs import BEGIN, complete, encoded, error, incoming
from tests.ship.logs import QUICK, ndjson, once, pack, rotate
from tests.ship.shipping import shipping
from tests.ship.token_logs import append, count, expected, held, record, reference, use
from tests.sinks.full_disk import fill, small_file_system
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITER = "shipper"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


class Target:
    """A database: `url` is for who delivers, `owner` for who looks."""

    def __init__(self, url: str, owner: str, server: Cluster | None = None) -> None:
        self.url, self.owner, self.server = url, owner, server

    def rows(self, table: str, columns: str = "*") -> list[dict[str, Any]]:
        engine = engine_at(self.owner, reads=True)
        schema = "gatewaylog." if self.server else ""
        with engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT {columns} FROM {schema}{table}"))
            rows = [dict(row) for row in found.mappings()]
        engine.dispose()
        return rows


@pytest.fixture
def postgres(server: Cluster) -> Iterator[Target]:
    """Delivered to by a login that is nothing but `gatewaylog_writer`."""
    with server.fresh() as name:
        install(server.url(name))
        engine = engine_at(server.url(name))
        with engine.begin() as connection:
            roles = connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars().all()
            if WRITER not in roles:
                connection.execute(sa.text(f"CREATE ROLE {WRITER} LOGIN"))
                connection.execute(sa.text(f"GRANT gatewaylog_writer TO {WRITER}"))
        engine.dispose()
        yield Target(server.url(name, WRITER), server.url(name), server)


@pytest.fixture
def sqlite(tmp_path: Path) -> Target:
    url = f"sqlite:///{tmp_path}/store.db"
    install(url)
    return Target(url, url)


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.getfixturevalue(request.param)
    return found


def to(target: Target, log: Path, state: Path, **settings: Any) -> None:
    once(log, state, to="database", url=target.url, **settings)


def test_each_line_is_the_row_that_it_tells_of(log: Path, state: Path, target: Target) -> None:
    append(log, range(100))
    to(target, log, state)
    assert held(target.owner) == expected(100)
    assert ndjson(state / "dead-letters.ndjson") == []


def test_the_same_lines_again_change_nothing(
    log: Path, state: Path, target: Target, tmp_path: Path
) -> None:
    """Though the state was lost, and the log rotated and packed meanwhile."""
    append(log, range(100))
    to(target, log, state)
    rotate(log)
    pack(log.with_name(f"{log.name}.1"))
    to(target, log, tmp_path / "another")
    assert held(target.owner) == expected(100)
    assert ndjson(tmp_path / "another" / "dead-letters.ndjson") == []


def test_an_error_and_a_completion_keep_all_that_their_line_tells(
    log: Path, state: Path, target: Target
) -> None:
    told = error(
        1,
        token_ref="ab",
        error_code="900902",
        request_in_url="/shop/é",
        request_in_method="GET",
        remote_ip="2001:db8::1",
        user_agent='odd "agent", \u202e\n',
        outcome="refused",
        duration_ms=1.5,
    )
    log.write_bytes(encoded(told, 0.25))
    to(target, log, state)
    (row,) = target.rows("client_access_token_logs")
    assert {name: value for name, value in row.items() if value is not None} == {
        "log_id": 1,
        "token_ref": "ab",
        "access_time": row["access_time"],
        "api": "acme--Shop:v1",
        "method": "GET",
        "request_url": "/shop/é",
        "status_code": 504,
        "error_code": "900902",
        "remote_ip": "2001:db8::1",
        "user_agent": 'odd "agent", \u202e\n',
        "message_id": told.message_id,
        "outcome": "refused",
        "duration_ms": 1.5,
    }
    moment = row["access_time"]
    if target.server:
        assert moment.timestamp() == BEGIN + 0.25
    else:
        assert moment == "2023-11-14 22:13:20.250000"


def test_who_called_is_told_by_the_configuration(log: Path, state: Path, target: Target) -> None:
    digest = "ab" * 32
    shop = Application(name="Shop", vendor="Acme", client_id="shop-1", keys=(f"sha256:{digest}",))
    lines = [
        complete(1, token_ref=digest[:32], application_name="Shop"),
        complete(2, token_ref="00", application_name="Shop"),
        complete(3, token_ref="00"),
    ]
    log.write_bytes(b"".join(map(encoded, lines)))
    to(target, log, state, clients=Known(applications=(shop,)).text())
    found = target.rows("client_access_token_logs", "api_client_key, application_name, vendor_name")
    assert sorted(tuple(map(str, row.values())) for row in found) == [
        ("None", "None", "None"),
        (f"key:{digest[:8]}", "Shop", "Acme"),
        ("shop-1", "Shop", "Acme"),
    ]


@pytest.mark.parametrize("form", ["line", "json"])
def test_both_logs_go_by_one_shipper(log: Path, state: Path, target: Target, form: str) -> None:
    events = log.with_name("event.log")
    recorded = AuditEvent(
        event=GatewayEvent.TOKEN_REFUSED, requestor="x, y", ip="::1", detail="reason=bad secret"
    )
    encode = encode_line if form == "line" else encode_json
    events.write_bytes(encode(recorded, BEGIN) + record(2))
    log.write_bytes(use(1))
    settings = Settings(to="database", url=target.url)
    ship(settings, [log, events], state, Stop(), once=True, pace=QUICK)
    assert len(target.rows("client_access_token_logs")) == 1
    (life,) = target.rows("token_events", "kind, token_ref, client_id, reason, remote_ip")
    assert list(life.values()) == ["refused", None, "x, y", "bad secret", "::1"]
    found = target.rows("event_log", "event, requestor_id, ip, message")
    assert [row["event"] for row in found] == ["TOKEN_REFUSED", "CONFIGURATION_LOADED"]
    assert found[0]["message"] == "reason=bad secret"
    assert len(target.rows("ship_checkpoints")) == 2


def test_two_equal_records_of_one_second_are_two_rows(
    log: Path, state: Path, target: Target
) -> None:
    log.write_bytes(record(7) * 3)
    to(target, log, state)
    assert len(target.rows("token_events")) == len(target.rows("event_log")) == 3


def test_the_checkpoint_is_in_the_database_too(log: Path, state: Path, target: Target) -> None:
    append(log, range(10))
    to(target, log, state, job="edge", host="gw1")
    append(log, range(10, 30))
    to(target, log, state, job="edge", host="gw1")
    (row,) = target.rows("ship_checkpoints", "shipper, name, position")
    assert row == {"shipper": "edge@gw1", "name": str(log), "position": log.stat().st_size}


def test_what_can_have_no_row_is_a_dead_letter(log: Path, state: Path, target: Target) -> None:
    late = encoded(complete(5, token_ref="ab"), 8e9)
    log.write_bytes(use(1) + b"nonsense \xff\n" + late + use(3) + b"[2026-11-21 10:00:00] a, b\n")
    to(target, log, state)
    assert len(target.rows("client_access_token_logs")) == 2
    assert [letter["reason"] for letter in ndjson(state / "dead-letters.ndjson")] == [
        "is no event, and no record of the event log",
        "is not of the years 1970 to 2199",
        "is no event, and no record of the event log",
    ]


def test_odd_values_keep_no_row_out(log: Path, state: Path, target: Target) -> None:
    """NUL and lone surrogates, which PostgreSQL refuses; an identity too long for its index."""
    odd = {"token_ref": "r" * 3000, "user_agent": "a\0b\udcff", "remote_ip": "x" * 5000}
    message = "".join(chr(256 + number) for number in range(3000))  # that packs badly
    lines = [
        encoded(complete(1, **odd)),
        encoded(complete(2, message_id=message, token_ref="a")),
        encode_json(AuditEvent(event="E\0", user="u\udc80" * 500, detail="\0" * 999), BEGIN),
        use(3),
    ]
    log.write_bytes(b"".join(lines))
    to(target, log, state)
    assert len(target.rows("client_access_token_logs")) == 3
    assert len(target.rows("event_log")) == 1
    assert ndjson(state / "dead-letters.ndjson") == []


def test_a_row_that_the_database_refuses_for_good_is_a_dead_letter(
    log: Path, state: Path, postgres: Target
) -> None:
    """A check that somebody has added: the others go in."""
    run(postgres, "ALTER TABLE gatewaylog.client_access_token_logs ADD CHECK (status_code < 500)")
    numbers = range(1, 40, 2)
    bad = encoded(complete(99, token_ref="a", status_code=500))
    log.write_bytes(b"".join(map(use, numbers)) + bad)
    to(postgres, log, state)
    assert len(postgres.rows("client_access_token_logs")) == len(numbers)
    (letter,) = ndjson(state / "dead-letters.ndjson")
    assert "violates check constraint" in letter["reason"]


def run(target: Target, statement: str) -> Any:
    engine = engine_at(target.owner)
    try:
        with engine.begin() as connection:
            found = connection.execute(sa.text(statement))
            return found.all() if found.returns_rows else None
    finally:
        engine.dispose()


def test_without_tables_it_says_who_makes_them(log: Path, state: Path, server: Cluster) -> None:
    append(log, range(10))
    with server.fresh() as name, pytest.raises(ShipError, match="tokens init"):
        once(log, state, to="database", url=server.url(name))
    path = log.with_name("none.db")
    with pytest.raises(ShipError, match="tokens init"):
        once(log, state, to="database", url=f"sqlite:///{path}")
    assert not path.exists()
    path.touch()
    with pytest.raises(ShipError, match=r"no such table.*tokens init"):
        once(log, state, to="database", url=f"sqlite:///{path}")


def test_what_is_no_database_is_told(log: Path, state: Path) -> None:
    append(log, range(10))
    log.with_name("text.db").write_text("this is no database, and never was\n" * 100)
    with pytest.raises(ShipError, match="file is not a database"):
        once(log, state, to="database", url=f"sqlite:///{log.parent}/text.db")


def test_a_login_that_may_not_is_told(log: Path, state: Path, postgres: Target) -> None:
    append(log, range(10))
    run(postgres, "DROP ROLE IF EXISTS nobody_at_all")
    for user in ("nobody_at_all", "gatewaylog_reader"):  # which is no login
        with pytest.raises(ShipError, match=f"{user}.* (does not exist|is not permitted)"):
            once(log, state, to="database", url=postgres.url.replace(WRITER, user))
    run(postgres, "CREATE ROLE nobody_at_all LOGIN")
    with pytest.raises(ShipError, match="permission denied"):
        once(log, state, to="database", url=postgres.url.replace(WRITER, "nobody_at_all"))


@pytest.mark.parametrize("url", ["", "mysql://h/d", "sqlite://", "http://localhost"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ShipError, match="url must be one like sqlite:///"):
        destination_of(Settings(to="database", url=url))


def test_a_port_that_is_none_is_told() -> None:
    with pytest.raises(ShipError, match="URL can't be read"):
        destination_of(Settings(to="database", url="postgresql://host:x/name"))


def test_a_password_may_come_apart_from_the_address(log: Path, state: Path) -> None:
    """And is in no message."""
    append(log, range(10))
    url = "postgresql://127.0.0.1:1/name"
    pace_out = Settings(to="database", url=url, user="u", password="secret")
    stop = Stop()
    threading.Timer(0.3, stop.set).start()
    ship(pace_out, [log], state, stop, pace=QUICK)
    assert "secret" not in repr(pace_out)


def test_a_file_that_another_process_writes_is_waited_for(
    log: Path, state: Path, sqlite: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    append(log, range(50))
    other = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with shipping(log, state, to="database", url=sqlite.url):
        wait_for(lambda: "database is locked" in capsys.readouterr().err)
        append(log, range(50, 100))
        other.execute("COMMIT")
        wait_for(lambda: held(sqlite.owner) == expected(100))
    other.close()


def test_a_disk_that_is_full_is_waited_for(
    log: Path, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_file_system(tmp_path, 4 * 1024 * 1024) as folder:
        target = Target(url := f"sqlite:///{folder}/store.db", url)
        install(url)
        append(log, range(100))
        to(target, log, state)
        filling = fill(folder)
        append(log, range(100, 5000))
        with shipping(log, state, to="database", url=url):
            wait_for(lambda: "disk" in capsys.readouterr().err)  # is full, or an I/O error
            filling.unlink()
            wait_for(lambda: held(url) == expected(5000))
    assert ndjson(state / "dead-letters.ndjson") == []


def test_a_table_that_is_locked_is_waited_for(
    log: Path, state: Path, postgres: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each statement ends after `timeout`."""
    append(log, range(100))
    engine = engine_at(postgres.owner)
    with engine.begin() as connection:
        connection.execute(sa.text("LOCK TABLE gatewaylog.client_access_token_logs"))
        with shipping(log, state, to="database", url=postgres.url, timeout=0.2):
            wait_for(lambda: "timeout" in capsys.readouterr().err)
            connection.rollback()
            wait_for(lambda: held(postgres.owner) == expected(100))
    engine.dispose()


def test_a_partition_that_is_dropped_meanwhile_is_made_again(
    log: Path, state: Path, postgres: Target
) -> None:
    append(log, range(50))
    with shipping(log, state, to="database", url=postgres.url):
        wait_for(lambda: held(postgres.owner) == expected(50))
        run(postgres, "SELECT * FROM gatewaylog.drop_before('2024-01-01', false)")
        assert count(postgres.owner) < sum(sum(found.values()) for found in expected(50))
        append(log, range(50, 100))
        wait_for(lambda: len(postgres.rows("event_log")) == 15)
        wait_for(lambda: len(postgres.rows("client_access_token_logs")) == 22)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Signals as they were, afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGALRM)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_who_is_told_to_stop_waits_for_no_lock(log: Path, state: Path, target: Target) -> None:
    """The rows come with the next run, once."""
    append(log, range(50))
    stop = Stop()
    stop_by([signal.SIGUSR2], stop, 0.2)
    engine = engine_at(target.owner)
    with engine.begin() as connection:  # SQLite's writes from its begin
        if target.server:
            connection.execute(sa.text("LOCK TABLE gatewaylog.client_access_token_logs"))
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR2))
        timer.start()
        settings = Settings(to="database", url=target.url, timeout=60.0)
        ship(settings, [log], state, stop, pace=QUICK)
        connection.rollback()
    engine.dispose()
    timer.join()
    assert count(target.owner) == 0
    to(target, log, state)
    assert held(target.owner) == expected(50)


_CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shipper'"""


def test_connections_that_are_cut_lose_and_double_nothing(
    log: Path, state: Path, postgres: Target
) -> None:
    written = 0
    with shipping(log, state, to="database", url=postgres.url):
        for _ in range(30):
            append(log, range(written, written + 50))
            written += 50
            wait_for(lambda: bool(run(postgres, _CUT)))
        wait_for(lambda: held(postgres.owner) == expected(written))
    assert ndjson(state / "dead-letters.ndjson") == []


def test_a_server_that_is_killed_and_comes_again_loses_and_doubles_nothing(
    log: Path, state: Path
) -> None:
    with cluster() as server:
        install(server.url())
        written = 0
        with shipping(log, state, to="database", url=server.url()):
            for _ in range(3):
                append(log, range(written, written + 3000))
                written += 3000
                there = count(server.url())
                wait_for(lambda there=there: count(server.url()) > there)  # type: ignore[misc]
                server.kill()
                append(log, range(written, written + 500))
                written += 500
                server.start()
            wait_for(lambda: held(server.url()) == expected(written))
    assert ndjson(state / "dead-letters.ndjson") == []


def test_the_state_tells_no_secret(log: Path, state: Path, sqlite: Target) -> None:
    append(log, range(10))
    known = Known(pseudonym_key="canary-key", tokens="sqlite:///canary.db").text()
    to(sqlite, log, state, clients=known, password="")
    for file in state.iterdir():
        assert "canary" not in file.read_text()
    assert "canary" not in repr(Settings(to="database", clients=known))
    assert json.loads((state / "checkpoint.json").read_text())["to"] == "database"


def test_lines_of_other_kinds_have_no_row(log: Path, state: Path, target: Target) -> None:
    log.write_bytes(encoded(incoming(1)) + encoded(complete(1)) + use(3))
    to(target, log, state)
    (row,) = target.rows("client_access_token_logs", "token_ref")
    assert row == {"token_ref": reference(3)}
