"""How much there is in a store, and what of it goes."""

from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gatewaylog.audit.edfi import Installation
from gatewaylog.audit.queries.asking import STORE, Asking, moment_of
from gatewaylog.audit.queries.letting_go import OfTheStoreAlone, prune, statements
from gatewaylog.audit.queries.state import state_of
from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from gatewaylog.audit.store.tables import client_access_token_logs, ship_checkpoints
from gatewaylog.exceptions import TokenStoreError
from tests.audit.edfi.conftest import connected
from tests.audit.edfi.test_trigger import LOG, logs_in
from tests.audit.queries.conftest import add

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.audit.queries.state import StoreState

DAY = timedelta(days=1)
USE = client_access_token_logs.fullname


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


@pytest.fixture
def both(edfi: str) -> str:
    """A database with the store and the trigger, a row of each that is old and one that is not."""
    Installation(edfi).install()
    install(edfi)
    now = datetime.now(UTC)
    add(edfi, [{"access_time": now - days * DAY} for days in (0, 400)])
    with connected(edfi) as session:
        logs_in(session)
        session.execute(f"INSERT INTO {LOG} (access_time) VALUES (now() - interval '400 days')")
    return edfi


def kept(url: str) -> tuple[object, ...]:
    with connected(url) as session:
        found = session.execute(f"SELECT (SELECT count(*) FROM {USE}), count(*) FROM {LOG}")
        return found.fetchone() or ()


def test_of_store_and_trigger_in_one_database_what_is_old_goes_of_both(both: str) -> None:
    cutoff = datetime.now(UTC) - 300 * DAY
    told = prune(both, cutoff, dry_run=True)
    tables = ["client_access_token_logs", "token_events", "clientaccesstokenlogs"]
    assert [one.table for one in told] == tables
    assert kept(both) == (2, 2)
    with connected(both) as session:
        session.execute(";\n".join(statements(both, cutoff, dry_run=True)))
        assert kept(both) == (2, 2)
    assert prune(both, cutoff, dry_run=False) == told
    assert kept(both) == (1, 1)
    add(both, [{"access_time": cutoff - 100 * DAY}])
    with connected(both) as session:
        session.execute(f"INSERT INTO {LOG} (access_time) VALUES (now() - interval '400 days')")
        assert kept(both) == (2, 2)
        session.execute(";\n".join(statements(both, cutoff, dry_run=False)))
    assert kept(both) == (1, 1)


def test_who_may_prune_the_store_alone_does_and_is_told(both: str) -> None:
    name = f"retention_{uuid.uuid4().hex[:8]}"
    with connected(both) as session:
        session.execute(f"CREATE ROLE {name} LOGIN IN ROLE gatewaylog_retention")
    url = sa.make_url(both).set(username=name).render_as_string(hide_password=False)
    with pytest.raises(OfTheStoreAlone, match="clientaccesstokenlogs are kept: permission") as told:
        prune(url, datetime.now(UTC) - 300 * DAY, dry_run=False)
    assert len(told.value.dropped) == 2
    assert kept(both) == (1, 2)
    with connected(both) as session:
        session.execute(f"GRANT SELECT, DELETE ON {LOG} TO {name}")
        assert len(prune(url, datetime.now(UTC) - 300 * DAY, dry_run=False)) == 1
        assert kept(both) == (1, 1)
        session.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


_CODE = """
CREATE FUNCTION gatewaylog.evil() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
CREATE FUNCTION gatewaylog.evil_too() RETURNS boolean LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
"""


@pytest.mark.parametrize(
    "trap",
    [
        f"CREATE TRIGGER t BEFORE DELETE ON {LOG} FOR EACH ROW EXECUTE FUNCTION gatewaylog.evil()",
        f"CREATE RULE r AS ON DELETE TO {LOG} DO ALSO SELECT gatewaylog.evil_too()",
        f"CREATE POLICY p ON {LOG} USING (gatewaylog.evil_too());"
        f" ALTER TABLE {LOG} ENABLE ROW LEVEL SECURITY",
    ],
)
def test_nobodys_code_runs_with_the_rights_of_who_prunes(both: str, trap: str) -> None:
    owner = f"somebody_{uuid.uuid4().hex[:8]}"
    with connected(both) as session:
        session.execute(f"{_CODE} {trap}; CREATE ROLE {owner}; ALTER TABLE {LOG} OWNER TO {owner}")
        for dry_run in (True, False):
            with pytest.raises(OfTheStoreAlone, match="would run with your rights"):
                prune(both, datetime.now(UTC) - 300 * DAY, dry_run=dry_run)
        session.execute(f"ALTER TABLE {LOG} OWNER TO CURRENT_USER; DROP ROLE {owner}")


def test_a_view_in_the_triggers_place_is_none_of_its_tables(empty_postgresql: str) -> None:
    install(empty_postgresql)
    with connected(empty_postgresql) as session:
        session.execute("CREATE SCHEMA dbo; CREATE TABLE dbo.clientaccesstokens (id uuid)")
        session.execute(f"{_CODE} CREATE VIEW {LOG} AS SELECT gatewaylog.evil_too()")
    asking = Asking(empty_postgresql)
    with asking.reading() as connection:
        assert asking.tables(connection) == (STORE["postgresql"],)


def test_a_newer_store_is_not_asked(store: str) -> None:
    engine = engine_at(store)
    with engine.begin() as connection:
        schema = "" if store.startswith("sqlite") else "gatewaylog."
        connection.exec_driver_sql(f"UPDATE {schema}store_version SET version_num = '0099'")
    asking = Asking(store)
    with pytest.raises(TokenStoreError, match=r"newer.*0099"), asking.reading() as connection:
        asking.table(connection)


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
