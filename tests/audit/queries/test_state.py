"""How much there is in a store, and what of it goes."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gatewaylog.audit.edfi import Installation
from gatewaylog.audit.queries.asking import Asking, moment_of
from gatewaylog.audit.queries.letting_go import prune, statements
from gatewaylog.audit.queries.state import state_of
from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.tables import ship_checkpoints
from gatewaylog.exceptions import TokenStoreError
from tests.audit.edfi.conftest import connected
from tests.audit.edfi.test_trigger import LOG, logs_in
from tests.audit.queries.conftest import add

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.audit.queries.state import StoreState

DAY = timedelta(days=1)


def state(url: str) -> StoreState:
    with Asking(url).reading() as connection:
        return state_of(connection)


def test_an_empty_store_has_nothing_to_tell(store: str) -> None:
    told = state(store)
    assert (told.rows, told.oldest, told.newest, told.rows_a_day) == (0, None, None, 0.0)
    assert told.shipped_until is None


def test_rows_days_and_sizes_are_told(store: str) -> None:
    now = datetime.now(UTC)
    add(store, [{"access_time": now - n * DAY / 10} for n in range(200)])
    told = state(store)
    assert told.rows == 200
    assert told.newest == now
    assert told.oldest == now - 199 * DAY / 10
    assert told.rows_a_day == pytest.approx(10, abs=0.2)  # of a week, though there are 20 days
    assert told.table_bytes is not None
    assert told.index_bytes is not None
    assert told.table_bytes > 10_000
    assert told.index_bytes > 0


def test_rows_of_a_few_hours_are_not_said_to_be_more_a_day(store: str) -> None:
    now = datetime.now(UTC)
    add(store, [{"access_time": now - n * DAY / 100} for n in range(10)])
    assert state(store).rows_a_day == pytest.approx(10, abs=0.1)


def test_how_far_lines_were_delivered_is_told(store: str) -> None:
    at = datetime(2026, 3, 2, 9, 0, 0, 250000, tzinfo=UTC)
    checkpoints = [
        {
            "shipper": f"s{n}",
            "file": "f",
            "name": "n",
            "position": n,
            "line_time": at - n * DAY,
            "at": at,
        }
        for n in range(2)
    ]
    add(store, checkpoints, ship_checkpoints)
    assert state(store).shipped_until == at


def test_partitions_are_told_and_next_months_is_among_them(store: str) -> None:
    told = state(store).partitions
    if store.startswith("sqlite"):
        assert told == ()
        return
    assert told[-1].upper > datetime.now(UTC) + 28 * DAY
    assert all(one.lower < one.upper for one in told)


def test_an_sqlite_without_dbstat_tells_no_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewaylog.audit.store.install import install

    monkeypatch.setattr("gatewaylog.audit.queries.state._SQLITE_SIZES", "SELECT * FROM no_dbstat")
    install(f"sqlite:///{tmp_path}/use.db")
    assert state(f"sqlite:///{tmp_path}/use.db").table_bytes is None


def test_what_is_old_goes_and_a_dry_run_keeps_it(store: str) -> None:
    now = datetime.now(UTC)
    add(store, [{"access_time": now - days * DAY} for days in (1, 400, 401)])
    cutoff = now - 300 * DAY
    told = prune(store, cutoff, dry_run=True)
    assert told
    assert state(store).rows == 3
    assert prune(store, cutoff, dry_run=False) == told
    assert state(store).rows == 1
    assert prune(store, cutoff, dry_run=False) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_sql_that_is_shown_does_the_same_as_it_stands(store: str, *, dry_run: bool) -> None:
    now = datetime.now(UTC)
    add(store, [{"access_time": now - days * DAY} for days in (1, 400, 401)])
    script = [f"{each};" for each in statements(store, now - 300 * DAY, dry_run=dry_run)]
    if store.startswith("sqlite"):
        with sqlite3.connect(store.removeprefix("sqlite:///"), isolation_level=None) as session:
            session.executescript("\n".join(script))
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                session.execute("DELETE FROM client_access_token_logs")
    else:
        with connected(store) as other:
            other.execute("\n".join(script))
    assert state(store).rows == (3 if dry_run else 1)


def test_old_rows_of_ed_fis_trigger_go_too(edfi: str) -> None:
    Installation(edfi).install()
    with connected(edfi) as session:
        logs_in(session)
        session.execute(f"INSERT INTO {LOG} (access_time) VALUES (now() - interval '91 days')")
        cutoff = datetime.now(UTC) - 90 * DAY
        (told,) = prune(edfi, cutoff, dry_run=True)
        assert (told.name, told.rows) == ("clientaccesstokenlogs", 1)
        assert "count(*)" in statements(edfi, cutoff, dry_run=True)[0]
        assert statements(edfi, cutoff, dry_run=False)[0].startswith("DELETE FROM gatewaylog.")
        assert len(prune(edfi, cutoff, dry_run=False)) == 1
        assert prune(edfi, cutoff, dry_run=False) == []
        assert session.execute(f"SELECT count(*) FROM {LOG}").fetchone() == (1,)
        session.execute(f"ALTER TABLE {LOG} DROP access_time CASCADE")
        with pytest.raises(TokenStoreError, match="access_time"):
            prune(edfi, cutoff, dry_run=False)


def test_missing_tables_name_what_makes_them(empty_postgresql: str, tmp_path: Path) -> None:
    nothing = f"sqlite:///{tmp_path}/no.db"
    empty = f"sqlite:///{tmp_path}/empty.db"
    (tmp_path / "empty.db").touch()
    for url in (nothing, empty, empty_postgresql):
        with pytest.raises(TokenStoreError, match="gatewaylog tokens init --database"):
            prune(url, datetime.now(UTC) - 90 * DAY, dry_run=True)


def test_a_password_is_not_told(tmp_path: Path) -> None:
    asking = Asking(f"postgresql://owner:secret@/x?host={tmp_path}")
    with pytest.raises(TokenStoreError) as told, asking.reading():
        pass
    assert "secret" not in str(told.value)


def test_a_time_that_is_none_is_told(store: str) -> None:
    assert moment_of(None) is None
    with pytest.raises(TokenStoreError, match="'soon' in the table is no time"):
        moment_of("soon")
    if store.startswith("sqlite"):
        engine = engine_at(store)
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO client_access_token_logs (token_ref, access_time, message_id)"
                    " VALUES ('x', 'soon', 'm')"
                )
            )
        with pytest.raises(TokenStoreError, match="is no time"):
            state(store)
