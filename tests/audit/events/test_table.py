"""The table of the event log, on SQLite and on PostgreSQL, by a user who can only insert."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, ProgrammingError

from gatewaylog.audit.events import AuditEvent, EventLog, Kind, SessionState, UserEvent
from gatewaylog.audit.events.copying import TableCopy
from gatewaylog.audit.events.table import EventTable, create, grants, table
from gatewaylog.audit.pool import Pool, engine_of
from gatewaylog.sinks import MemorySink
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

# The statements of OpenASelect's page "Logging and auditing", as they stand there.
_PAGE = """
CREATE TABLE event_log (
	id SERIAL NOT NULL PRIMARY KEY,
	log_timestamp TIMESTAMP DEFAULT NOW() NOT NULL,
	session_id VARCHAR(24) DEFAULT NULL,
	tgt_id VARCHAR(172) DEFAULT NULL,
	state INTEGER DEFAULT NULL,
	event VARCHAR(255) DEFAULT NULL,
	user_id VARCHAR(256) DEFAULT NULL,
	organization_id VARCHAR(255) DEFAULT NULL,
	ip VARCHAR(15) DEFAULT NULL,
	requestor_id VARCHAR(255) DEFAULT NULL,
	message VARCHAR(255) DEFAULT NULL,
	authority VARCHAR(255) DEFAULT NULL
);

GRANT INSERT ON event_log TO oa_log_user;
GRANT UPDATE ON sequence event_log_id_seq TO oa_log_user;
"""
EVENT = AuditEvent(
    event=UserEvent.USER_AUTHENTICATED,
    at=1_000_000.25,
    session_id="s1",
    tgt_id="TGT-1",
    state=SessionState.AUTHN_OK,
    user="ann",
    organization="example.org",
    ip="2001:db8:0:1:2:3:4:5",
    requestor="portal",
    detail="by password",
    authority="idp",
)


@pytest.fixture
def owner(postgresql: str) -> Iterator[Engine]:
    engine = sa.create_engine(postgresql)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS event_log"))
        connection.execute(sa.text("DROP ROLE IF EXISTS oa_log_user"))
        connection.execute(sa.text("CREATE ROLE oa_log_user LOGIN"))
    yield engine
    engine.dispose()


@pytest.fixture
def writer(postgresql: str) -> Iterator[Engine]:
    engine = sa.create_engine(postgresql.replace("owner@", "oa_log_user@"))
    yield engine
    engine.dispose()


def execute(engine: Engine, statements: str) -> None:
    with engine.begin() as connection:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(sa.text(statement))


def rows(engine: Engine) -> list[dict[str, object]]:
    with engine.begin() as connection:
        found = connection.execute(sa.text("SELECT * FROM event_log ORDER BY id"))
        return [dict(row) for row in found.mappings()]


def sqlite(folder: Path) -> Engine:
    return sa.create_engine(f"sqlite:///{folder}/events.db")


def test_the_pages_own_table_is_written_by_the_pages_own_grants(
    owner: Engine, writer: Engine
) -> None:
    execute(owner, _PAGE)
    table = EventTable(writer)
    table.insert([EVENT])
    table.insert([EVENT, EVENT])
    row, *others = rows(owner)
    assert len(others) == 2
    assert (row["session_id"], row["state"], row["event"]) == ("s1", 11, "USER_AUTHENTICATED")
    assert row["ip"] == "2001:db8:0:1:2…"
    assert "logitemtype" not in row


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM event_log",
        "UPDATE event_log SET event = 'X'",
        "DELETE FROM event_log",
        "TRUNCATE event_log",
        "DROP TABLE event_log",
        "CREATE TABLE public.own (id INTEGER)",
    ],
)
def test_the_user_can_do_nothing_else(owner: Engine, writer: Engine, statement: str) -> None:
    create(owner)
    for grant in grants("oa_log_user"):
        execute(owner, grant)
    EventTable(writer).insert([EVENT])
    with pytest.raises(ProgrammingError, match=r"denied|must be owner"):
        execute(writer, statement)
    assert len(rows(owner)) == 1


def test_grants_are_told_by_a_program_that_has_opened_no_database() -> None:
    code = 'from gatewaylog.audit.events.table import grants; print(grants("E v")[0])'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'GRANT INSERT ON event_log TO "E v"\n'


def test_our_own_table_keeps_what_the_page_cuts(owner: Engine) -> None:
    create(owner)
    create(owner)
    EventTable(owner).insert([EVENT])
    (row,) = rows(owner)
    assert row["ip"] == EVENT.ip
    assert row["logitemtype"] == Kind.USER
    assert row["log_timestamp"].timestamp() == EVENT.at  # type: ignore[attr-defined]


def test_sqlite_keeps_the_same_columns(tmp_path: Path) -> None:
    engine = sqlite(tmp_path)
    create(engine)
    EventTable(engine).insert([EVENT, AuditEvent(event="E", at=0.0)])
    first, second = rows(engine)
    assert list(first) == [column.name for column in table().columns]
    assert first["message"] == "by password"
    assert second["user_id"] is None
    engine.dispose()


def test_the_columns_are_the_pages_and_in_its_order() -> None:
    ours = [column.name for column in table().columns]
    page = re.findall(r"^\t(\w+) ", _PAGE, re.MULTILINE)
    assert sorted(ours) == sorted([*page, "logitemtype"])


def test_long_and_odd_values_never_fail_an_insert(owner: Engine) -> None:
    create(owner)
    odd = AuditEvent(
        event="E" * 300, at=0.0, session_id="s" * 99, user="a\0b\udc80", detail="d" * 999
    )
    EventTable(owner).insert([odd])
    (row,) = rows(owner)
    assert row["session_id"] == "s" * 23 + "…"
    assert row["user_id"] == "a\ufffdb?"
    assert len(str(row["message"])) == 255


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    engine = sqlite(tmp_path)
    with pytest.raises(LookupError, match="no table event_log"):
        EventTable(engine)
    engine.dispose()


def test_nothing_to_insert_asks_nothing(tmp_path: Path) -> None:
    engine = sqlite(tmp_path)
    create(engine)
    EventTable(engine).insert([])
    assert rows(engine) == []
    engine.dispose()


class Unsteady:
    """A table that fails while `down`."""

    def __init__(self) -> None:
        self.down = threading.Event()
        self.tries = 0
        self.kept: list[AuditEvent] = []

    def insert(self, events: list[AuditEvent]) -> None:
        self.tries += 1
        if self.down.is_set():
            raise OperationalError("INSERT", {}, Exception("connection refused"))
        self.kept += events


def test_a_database_that_is_down_gets_every_record_afterwards_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = Unsteady()
    target.down.set()
    log = EventLog(MemorySink(), table=TableCopy(target, again=0.01))  # type: ignore[arg-type]
    for number in range(1200):
        assert log.record(AuditEvent(event="E", user=str(number)))
    wait_for(lambda: target.tries > 2)
    target.down.clear()
    log.close()
    assert [event.user for event in target.kept] == [str(number) for number in range(1200)]
    assert capsys.readouterr().err == (
        "gatewaylog: can't write the table of the event log: connection refused; trying on\n"
    )


def test_a_user_without_rights_is_told_in_a_line(
    owner: Engine, writer: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    """However many records there are, and whatever the driver has to say of it."""
    create(owner)
    table = EventTable(writer)
    copy = TableCopy(table, again=0.01)
    with unhandled():
        with pytest.raises(ProgrammingError):
            table.insert([EVENT] * 3)
        for _ in range(3):
            copy.put(EVENT)
        wait_for(lambda: copy._failed)
        execute(owner, ";".join(grants("oa_log_user")))
        copy.close()
    assert len(rows(owner)) == 3
    assert capfd.readouterr().err == (
        "gatewaylog: can't write the table of the event log: permission denied for table"
        " event_log; trying on\n"
    )


@contextmanager
def unhandled() -> Iterator[None]:
    """Have logging write to standard error what nobody takes, as outside of tests."""
    root, held = logging.getLogger(), logging.getLogger().handlers[:]
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = held


def test_records_that_do_not_fit_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    target = Unsteady()
    target.down.set()
    copy = TableCopy(target, most=3, again=0.01)  # type: ignore[arg-type]
    for _ in range(5):
        copy.put(AuditEvent(event="E"))
    target.down.clear()
    copy.close()
    assert len(target.kept) == 3
    assert "2 records are not in the table of the event log" in capsys.readouterr().err


def test_a_copy_without_records_ends_at_once() -> None:
    TableCopy(Unsteady()).close()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pool", "size", "overflow", "wait"),
    [
        (Pool(), 10, 0, 10.0),
        (Pool(max_active=8, max_idle=3), 3, 5, 10.0),
        (Pool(max_active=0, max_idle=4), 4, -1, 10.0),
        (Pool(max_active=0, max_idle=-1), 0, -1, 10.0),
        (Pool(max_active=6, max_idle=-1, max_wait=-1), 6, 0, None),
        (Pool(max_active=2, max_idle=0, max_wait=500), 1, 1, 0.5),
    ],
)
def test_a_pool_has_openaselects_settings(
    pool: Pool, size: int, overflow: int, wait: float | None
) -> None:
    options = pool.options()
    told = options["pool_size"], options["max_overflow"], options["pool_timeout"]
    assert told == (size, overflow, wait)


@pytest.mark.parametrize(
    "wrong", [{"max_active": -1}, {"max_idle": -2}, {"max_active": 2, "initial_size": 3}]
)
def test_a_pool_that_can_not_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        Pool(**wrong)


def test_a_pool_makes_its_first_connections_and_no_more_than_its_most(postgresql: str) -> None:
    engine = engine_of(postgresql, Pool(max_active=3, max_idle=2, initial_size=2, max_wait=100))
    assert "Connections in pool: 2" in engine.pool.status()
    taken = [engine.connect() for _ in range(3)]
    with pytest.raises(sa.exc.TimeoutError):
        engine.connect()
    for connection in taken:
        connection.close()
    assert "Connections in pool: 2" in engine.pool.status()
    engine.dispose()


def test_sqlite_in_memory_is_its_one_connection() -> None:
    engine = engine_of("sqlite://", Pool())
    create(engine)
    EventTable(engine).insert([EVENT])
    assert len(rows(engine)) == 1
    engine.dispose()
