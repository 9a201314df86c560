"""Partitions: made before rows need them, of the unit that is asked for, dropped whole."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gatewaylog.audit.store import partitions, postgresql
from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from gatewaylog.audit.store.retention import drop_before
from gatewaylog.audit.store.tables import client_access_token_logs, ship_checkpoints, token_events
from gatewaylog.exceptions import TokenStoreError
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.audit.store.conftest import Store

USE = "client_access_token_logs"
_HELD = "SELECT count(*) FROM {s}client_access_token_logs"


def ranges(store: Store, table: str = USE) -> list[tuple[datetime, datetime]]:
    found = store.run(
        "SELECT lower, upper FROM gatewaylog.store_partitions WHERE of_table = :t ORDER BY lower",
        t=table,
    )
    return [(lower.astimezone(UTC), upper.astimezone(UTC)) for lower, upper in found]


def ensure(store: Store, moment: str) -> None:
    store.run(f"SELECT gatewaylog.ensure_partition('{moment}')")


def put(store: Store, *moments: datetime) -> None:
    """Insert a use and an event of each moment."""
    engine = engine_at(store.url)
    with engine.begin() as connection:
        for at, moment in enumerate(moments):
            use = {"log_id": at + 1, "token_ref": "t", "access_time": moment, "message_id": str(at)}
            connection.execute(sa.insert(client_access_token_logs).inline().values(use))
            life = {"id": str(at), "at": moment, "kind": "issued"}
            connection.execute(sa.insert(token_events).inline().values(life))
    engine.dispose()


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=32)).replace(day=1)


@pytest.mark.parametrize("table", partitions.PARTITIONED)
def test_this_month_and_the_next_are_there(postgres: Store, table: str) -> None:
    this = month_of(datetime.now(UTC))
    assert ranges(postgres, table) == [this, month_of(this[1])]


def test_next_month_is_there_whatever_month_a_row_is_of(postgres: Store) -> None:
    this = month_of(datetime.now(UTC))
    postgres.run(f"DROP TABLE gatewaylog.{USE}_p{month_of(this[1])[0]:%Y%m%d}")
    ensure(postgres, "2020-02-29 23:59:59.999999+00")
    first = datetime(2020, 2, 1, tzinfo=UTC)
    assert ranges(postgres) == [month_of(first), this, month_of(this[1])]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "UTC"])
def test_bounds_are_utc_whatever_the_sessions_zone_is(postgres: Store, zone: str) -> None:
    postgres.run(f"ALTER ROLE owner IN DATABASE {postgres.name} SET timezone = '{zone}'")
    postgres.run(f"ALTER ROLE owner IN DATABASE {postgres.name} SET datestyle = 'SQL, DMY'")
    engine = sa.create_engine(postgres.url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT gatewaylog.ensure_partition('2020-06-30 23:30:00+00')"))
        connection.execute(sa.text("SELECT gatewaylog.ensure_partition('2020-06-30 23:45:00+00')"))
    engine.dispose()
    assert ranges(postgres)[0] == month_of(datetime(2020, 6, 1, tzinfo=UTC))


def test_days_are_made_ahead_for_a_week(postgres: Store) -> None:
    before = ranges(postgres)
    install(postgres.url, partition="day")
    ensure(postgres, "2020-02-29 12:00:00+00")
    day = datetime(2020, 2, 29, tzinfo=UTC)
    assert ranges(postgres) == [(day, day + timedelta(days=1)), *before]
    for lower, _ in before:
        postgres.run(f"DROP TABLE gatewaylog.{USE}_p{lower:%Y%m%d}")
    ensure(postgres, "2020-02-29 13:00:00+00")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [(today + timedelta(days=n), today + timedelta(days=n + 1)) for n in range(8)]
    assert ranges(postgres)[1:] == days


def test_the_unit_stays_until_another_is_asked_for(postgres: Store) -> None:
    install(postgres.url, partition="day")
    install(postgres.url)
    assert postgres.run("SELECT gatewaylog.partition_unit()") == [("day",)]
    install(postgres.url, partition="month")
    assert postgres.run("SELECT gatewaylog.partition_unit()") == [("month",)]


def test_months_fill_what_days_leave_free(postgres: Store) -> None:
    install(postgres.url, partition="day")
    for day in (5, 6, 20):
        ensure(postgres, f"2020-02-{day:02} 12:00:00+00")
    install(postgres.url, partition="month")
    for day in (25, 10, 1):
        ensure(postgres, f"2020-02-{day:02} 12:00:00+00")
    found = [(a.day, b.day) for a, b in ranges(postgres) if a.year == 2020]
    assert found == [(1, 5), (5, 6), (6, 7), (7, 20), (20, 21), (21, 1)]


@pytest.mark.parametrize("moment", ["1969-12-31", "2200-01-01", "infinity", "-infinity"])
def test_no_partition_is_made_of_other_times(postgres: Store, moment: str) -> None:
    with pytest.raises(DBAPIError, match="1970 to 2199"):
        ensure(postgres, moment)


def test_what_is_no_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="day or month"):
        partitions.unit_function("day'; DROP TABLE x; --")  # type: ignore[arg-type]


def test_several_at_once_make_one_partition(postgres: Store) -> None:
    moments = [f"20{year}-05-05" for year in (10, 11, 12, 13)] * 3
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda moment: ensure(postgres, moment), moments))
    assert len([found for found in ranges(postgres) if found[0].year < 2014]) == 4


def test_a_new_partition_holds_up_nobody(postgres: Store) -> None:
    """While a transaction writes and another reads."""
    engine = engine_at(postgres.url)
    with engine.connect() as writing, engine.connect() as reading:
        row = {"token_ref": "t", "access_time": datetime.now(UTC), "message_id": "m"}
        writing.execute(
            sa.text(
                f"INSERT INTO gatewaylog.{USE} (token_ref, access_time, message_id)"
                " VALUES (:token_ref, :access_time, :message_id)"
            ),
            row,
        )
        reading.execute(sa.text(f"SELECT count(*) FROM gatewaylog.{USE}"))
        ensure(postgres, "2020-02-02")  # within its lock_timeout
    engine.dispose()


OLD = (datetime(2020, 1, 5, tzinfo=UTC), datetime(2020, 2, 5, tzinfo=UTC))
CUTOFF = datetime(2020, 2, 20, tzinfo=UTC)


@pytest.fixture
def filled(store: Store) -> Store:
    now = datetime.now(UTC)
    if store.server:
        for moment in OLD:
            ensure(store, moment.isoformat())
    put(store, *OLD, now)
    return store


def test_whole_partitions_go_and_what_shares_one_stays(filled: Store) -> None:
    """On SQLite each row goes that is old enough."""
    dropped = drop_before(filled.url, CUTOFF)
    is_sqlite = filled.server is None
    assert filled.run(_HELD) == [(1 if is_sqlite else 2,)]
    assert filled.run("SELECT count(*) FROM {s}token_events") == [(1 if is_sqlite else 2,)]
    assert [found.table for found in dropped] == [USE, "token_events"]
    assert all(found.until <= CUTOFF for found in dropped)
    if is_sqlite:
        assert [(found.rows, found.since) for found in dropped] == [(2, OLD[0])] * 2
    else:
        assert dropped[0].name == f"{USE}_p20200101"
        assert (dropped[0].size or 0) > 0


def test_a_dry_run_tells_the_same_and_drops_nothing(filled: Store) -> None:
    told = drop_before(filled.url, CUTOFF, dry_run=True)
    assert filled.run(_HELD) == [(3,)]
    assert drop_before(filled.url, CUTOFF) == told
    assert drop_before(filled.url, CUTOFF) == []


def test_rows_are_guarded_again_after_it(filled: Store) -> None:
    drop_before(filled.url, CUTOFF)
    for statement in ("UPDATE {t} SET token_ref = 'x'", "DELETE FROM {t}"):
        with pytest.raises(DBAPIError, match="append-only"):
            filled.run(statement.format(t=f"{{s}}{USE}"))


def test_checkpoints_of_files_that_are_long_gone_go_with_it(filled: Store) -> None:
    engine = engine_at(filled.url)
    with engine.begin() as connection:
        for file, at in (("old", OLD[0]), ("new", datetime.now(UTC))):
            values = {"shipper": "s", "file": file, "name": "n", "position": 1}
            insert = sa.insert(ship_checkpoints).inline()
            connection.execute(insert, values | {"line_time": at, "at": at})
    engine.dispose()
    drop_before(filled.url, CUTOFF)
    assert filled.run("SELECT file FROM {s}ship_checkpoints") == [("new",)]


def test_a_prune_that_breaks_off_leaves_all_as_it_was(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if filled.server:
        filled.run("DROP TABLE gatewaylog.ship_checkpoints")  # the last that it touches
    else:
        monkeypatch.setattr("gatewaylog.audit.store.retention.sqlite.guard", _broken)
    with pytest.raises(TokenStoreError):
        drop_before(filled.url, CUTOFF)
    assert filled.run(_HELD) == [(3,)]
    with pytest.raises(DBAPIError, match="append-only"):
        filled.run(f"DELETE FROM {{s}}{USE}")


def _broken(*_: object) -> None:
    raise OSError("the disk is gone")


def test_what_is_younger_than_a_day_is_never_dropped(store: Store) -> None:
    cutoff = datetime.now(UTC) - timedelta(hours=23)
    with pytest.raises(TokenStoreError, match="younger than a day"):
        drop_before(store.url, cutoff)
    if store.server:
        for moment in ("now() - interval '23 hours'", "NULL", "'infinity'"):
            with pytest.raises(DBAPIError, match="younger than a day"):
                store.run(f"SELECT * FROM gatewaylog.drop_before({moment}, false)")


def test_whether_it_is_a_dry_run_must_be_said_to_drop(postgres: Store) -> None:
    ensure(postgres, "2020-01-05")
    postgres.run("SELECT * FROM gatewaylog.drop_before('2021-01-01', NULL)")
    assert len(ranges(postgres)) == 3


def test_who_holds_retention_alone_may_drop(postgres: Store) -> None:
    ensure(postgres, "2020-01-05")
    put(postgres, OLD[0])
    retention = postgres.login(postgresql.RETENTION)
    assert len(drop_before(postgres.url_as(retention), CUTOFF)) == 2
    assert postgres.run(_HELD) == [(0,)]


def _blocked(store: Store, tables: Sequence[str], seconds: threading.Event) -> threading.Thread:
    """Hold the tables as a reader does, until told."""
    held = threading.Event()

    def hold() -> None:
        engine = engine_at(store.url)
        with engine.begin() as connection:
            for table in tables:
                connection.execute(sa.text(f"SELECT count(*) FROM gatewaylog.{table}"))
            held.set()
            seconds.wait(60)
        engine.dispose()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    return thread


def test_a_table_that_is_read_is_waited_for_and_tried_again(postgres: Store) -> None:
    """Four seconds, which two tries of two seconds take; then it says so."""
    ensure(postgres, "2020-01-05")
    done = threading.Event()
    reader = _blocked(postgres, [USE], done)
    with pytest.raises(TokenStoreError, match="lock timeout"):
        drop_before(postgres.url, CUTOFF)
    assert len(ranges(postgres)) == 3
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(drop_before, postgres.url, CUTOFF)
        wait_for(lambda: postgres.run(waiting) == [(1,)])
        done.set()
        assert len(dropping.result(60)) == 2
    reader.join(60)


def gateway_of(store: Store) -> str:
    """A login that may make tables of its own in the schema."""
    gateway = store.login(postgresql.GATEWAY)
    store.run(f"CREATE SCHEMA own AUTHORIZATION {gateway}")
    return gateway


def test_a_partition_of_somebody_elses_drops_none_of_ours(postgres: Store) -> None:
    """A table elsewhere that is named as the current month's, and is a partition of long ago."""
    gateway, this = gateway_of(postgres), f"{USE}_p{month_of(datetime.now(UTC))[0]:%Y%m%d}"
    put(postgres, datetime.now(UTC))
    for statement in (
        "CREATE TABLE gatewaylog.mine (t timestamptz) PARTITION BY RANGE (t)",
        f"CREATE TABLE own.{this} PARTITION OF gatewaylog.mine"
        " FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')",
        "CREATE TABLE gatewaylog.mine_old PARTITION OF gatewaylog.mine"
        " FOR VALUES FROM ('2020-02-01') TO ('2020-03-01')",
        "CREATE TABLE gatewaylog.by_text (t text) PARTITION BY RANGE (t)",
        "CREATE TABLE gatewaylog.by_text_a PARTITION OF gatewaylog.by_text"
        " FOR VALUES FROM ('a') TO ('b')",
    ):
        postgres.run(statement, user=gateway)
    retention = postgres.login(postgresql.RETENTION)
    ensure(postgres, "2020-01-05")
    dropped = drop_before(postgres.url_as(retention), CUTOFF)
    assert [found.name for found in dropped] == [f"{USE}_p20200101", "token_events_p20200101"]
    assert postgres.run(_HELD) == [(1,)]
    for table in ("gatewaylog.mine_old", "gatewaylog.by_text_a", f"own.{this}"):
        assert postgres.run(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    "taken",
    [
        f"CREATE TABLE gatewaylog.{USE}_p20200101 (t timestamptz)",
        f"CREATE TYPE gatewaylog.{USE}_p20200101 AS ENUM ('a')",
        "CREATE TABLE gatewaylog.token_events_p20200101 (t timestamptz)",
    ],
)
def test_a_name_that_somebody_took_stops_no_partition(postgres: Store, taken: str) -> None:
    postgres.run(taken, user=gateway_of(postgres))
    writer = postgres.login(postgresql.WRITER)
    postgres.run("SELECT gatewaylog.ensure_partition('2020-01-05')", user=writer)
    put(postgres, OLD[0])
    assert len(drop_before(postgres.url, CUTOFF)) == 2
    assert postgres.run(_HELD) == [(0,)]


@pytest.mark.parametrize("name", [f"{USE}_p20200101", f"{USE}_p20200101_access_time_idx"])
def test_a_name_that_is_being_taken_stops_no_partition(postgres: Store, name: str) -> None:
    """By a transaction that does not end, of the partition's name, or of its index's."""
    engine = engine_at(postgres.url_as(gateway_of(postgres)))
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE gatewaylog.{name} (t timestamptz)"))
        ensure(postgres, "2020-01-05")
        assert ranges(postgres)[0] == month_of(OLD[0])
    engine.dispose()


def test_no_lock_that_anybody_can_hold_stops_a_partition(postgres: Store) -> None:
    engine = engine_at(postgres.url_as(postgres.login()))
    with engine.begin() as connection:
        connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(hashtext('gatewaylog.partitions'))")
        )
        ensure(postgres, "2020-01-05")
    engine.dispose()
    assert ranges(postgres)[0] == month_of(OLD[0])


def test_what_a_writer_can_lock_stops_no_partition(postgres: Store) -> None:
    engine = engine_at(postgres.url_as(postgres.login(postgresql.WRITER)))
    with engine.begin() as connection:
        for mode in ("ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "ACCESS EXCLUSIVE"):
            with contextlib.suppress(DBAPIError), connection.begin_nested():
                connection.execute(sa.text(f"LOCK TABLE gatewaylog.{USE} IN {mode} MODE"))
        ensure(postgres, "2020-01-05")
    engine.dispose()
    assert ranges(postgres)[0] == month_of(OLD[0])
