"""Rows stay as they are: UPDATE, DELETE, TRUNCATE and REPLACE change nothing, on any table."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError

from gatewaylog.audit.store import partitions, sqlite
from gatewaylog.audit.store.install import install

if TYPE_CHECKING:
    from tests.audit.store.conftest import Store

_ROWS = {
    "client_access_token_logs": (
        "(token_ref, access_time, message_id, status_code)"
        " VALUES ('t', '2026-11-21 10:00:00.000000', 'm1', 200)"
    ),
    "token_events": "(id, at, kind) VALUES ('e1', '2026-11-21 10:00:00.000000', 'issued')",
    "event_log": (
        "(log_timestamp, event, line_id) VALUES ('2026-11-21 10:00:00.000000', 'E', 'l1')"
    ),
}
_TABLES = tuple(_ROWS)
_COLUMN = {"client_access_token_logs": "token_ref", "token_events": "kind", "event_log": "event"}
_ON_SQLITE = pytest.mark.parametrize("bare", ["sqlite"], indirect=True)
_ON_POSTGRESQL = pytest.mark.parametrize("bare", ["postgresql"], indirect=True)


@pytest.fixture
def filled(store: Store) -> Store:
    if store.server:
        store.run("SELECT gatewaylog.ensure_partition('2026-11-21 10:00:00+00')")
    for table, row in _ROWS.items():
        store.run(f"INSERT INTO {{s}}{table} {row}")
    return store


def held(store: Store) -> list[list[object]]:
    return [store.run(f"SELECT * FROM {{s}}{table}") for table in _TABLES]


def test_both_databases_guard_the_same_tables() -> None:
    assert set(partitions.APPEND_ONLY) == set(sqlite.APPEND_ONLY) == set(_ROWS)


@pytest.mark.parametrize("table", _TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {t} SET {c} = 'x'",
        "UPDATE {t} SET {c} = 'x' WHERE false",
        "DELETE FROM {t}",
        "DELETE FROM {t} WHERE false",
        "UPDATE OR REPLACE {t} SET {c} = 'x'",
        "TRUNCATE {t}",
        "INSERT INTO {t} {row} ON CONFLICT DO UPDATE SET {c} = 'x'",
        "MERGE INTO {t} USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM {t} RETURNING *) SELECT * FROM gone",
    ],
)
def test_no_statement_changes_a_row(filled: Store, table: str, statement: str) -> None:
    """Not even the owner's."""
    before = held(filled)
    asked = statement.format(t=f"{{s}}{table}", c=_COLUMN[table], row=_ROWS[table])
    key = {"client_access_token_logs": "access_time, message_id", "token_events": "at, id"}
    if filled.server:
        asked = asked.replace("CONFLICT DO", f"CONFLICT ({key.get(table, 'line_id')}) DO")
    never_hits = filled.server is None and "WHERE false" in asked
    if never_hits:  # SQLite's triggers are for rows
        filled.run(asked)
    else:
        try:
            filled.run(asked)
        except (IntegrityError, ProgrammingError, sa.exc.OperationalError) as error:
            told = str(error.orig)
            assert "append-only" in told or "syntax error" in told, told
        else:  # an upsert of a row that is there is passed over
            assert filled.server is None
            assert "ON CONFLICT" in asked
    assert held(filled) == before


@_ON_POSTGRESQL
def test_no_statement_changes_a_row_of_a_partition(filled: Store) -> None:
    before = held(filled)
    parts = [row[0] for row in filled.run("SELECT name FROM gatewaylog.store_partitions")]
    assert len(parts) >= 4
    for part, statement in itertools.product(parts, ("UPDATE {} SET {} = 'x'", "DELETE FROM {}")):
        column = "kind" if "token_events" in part else "token_ref"
        with pytest.raises(ProgrammingError, match="append-only"):
            filled.run(statement.format(f"gatewaylog.{part}", column))
    for part in parts:
        with pytest.raises(ProgrammingError, match="append-only"):
            filled.run(f"TRUNCATE gatewaylog.{part}")
    assert held(filled) == before


@_ON_POSTGRESQL
def test_a_session_that_replays_is_refused_as_well(filled: Store) -> None:
    """`session_replication_role` turns ordinary triggers off, for superusers."""
    for target in ("client_access_token_logs", "client_access_token_logs_p20261101", "event_log"):
        with pytest.raises(ProgrammingError, match="append-only"):
            filled.run(
                "SET session_replication_role = replica;"  # as one transaction, over simple query
                f" TRUNCATE gatewaylog.{target}"
            )


@_ON_SQLITE
@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE"])
@pytest.mark.parametrize("table", _TABLES)
def test_replace_changes_nothing_on_sqlite(filled: Store, table: str, verb: str) -> None:
    before = held(filled)
    filled.run(f"{verb} INTO {table} {_ROWS[table].replace('200', '500').replace('issued', 'x')}")
    assert held(filled) == before


@_ON_SQLITE
@pytest.mark.parametrize(
    ("table", "row"),
    [
        (
            "client_access_token_logs",
            "(log_id, token_ref, access_time, message_id)"
            " VALUES (1, 'x', '2026-11-21 11:00:00.000000', 'm2')",
        ),
        (
            "event_log",
            "(id, log_timestamp, event) VALUES (1, '2026-11-21 11:00:00.000000', 'X')",
        ),
    ],
)
def test_replace_by_number_changes_nothing_on_sqlite(filled: Store, table: str, row: str) -> None:
    before = held(filled)
    filled.run(f"REPLACE INTO {table} {row}")
    assert held(filled) == before


@_ON_SQLITE
def test_a_row_that_comes_again_is_passed_over_on_sqlite(filled: Store) -> None:
    before = held(filled)
    for table, row in _ROWS.items():
        filled.run(f"INSERT INTO {table} {row}")
    assert held(filled) == before


def test_a_trigger_that_was_disabled_is_enabled_by_the_next_init(filled: Store) -> None:
    if filled.server is None:
        filled.run("DROP TRIGGER event_log_no_delete")
    else:
        filled.run("ALTER TABLE gatewaylog.event_log DISABLE TRIGGER append_only")
    install(filled.url)
    with pytest.raises((IntegrityError, ProgrammingError), match="append-only"):
        filled.run("DELETE FROM {s}event_log")
