"""Databases that are locked, full, cut off or killed: each use of a token is a row all the same."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.stopping import Stop, stop_by
from tests.postgresql import cluster
from tests.ship.databases import Target, run, to
from tests.ship.logs import QUICK, ndjson
from tests.ship.shipping import shipping
from tests.ship.token_logs import append, count, expected, held
from tests.sinks.full_disk import fill, small_file_system
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
