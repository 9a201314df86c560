"""Installing and removing the trigger: once, twice, beside logins, beside the guide's own."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gatewaylog.audit.edfi import Installation, postgresql
from gatewaylog.audit.store.install import install
from gatewaylog.exceptions import TokenStoreError
from tests.audit.edfi.conftest import connected
from tests.audit.edfi.test_trigger import LOG, logs_in, rows
from tests.requirements import program
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL = ("schema", "table", "index", "sequence", "view", "function", "trigger")
# The guide's own statements for PostgreSQL, as they stand there.
GUIDES_TABLE = """
CREATE TABLE IF NOT EXISTS dbo.ClientAccessTokenLogs
(
LogId BIGSERIAL NOT NULL,
TokenId UUID NOT NULL,
AccessTime TIMESTAMP WITHOUT TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
ApiClientId INTEGER NOT NULL,
ApiClientKey VARCHAR(50) NOT NULL,
ApplicationId INTEGER NOT NULL,
ApplicationName VARCHAR NOT NULL,
VendorId INTEGER NOT NULL,
VendorName VARCHAR NOT NULL,
CONSTRAINT ClientAccessTokenLogs_PK PRIMARY KEY (LogId)
);
"""
GUIDES_TRIGGER = """
CREATE FUNCTION dbo.dbo_ClientAccessToken_TR_Insert() RETURNS TRIGGER AS
$$ BEGIN RETURN NEW; END; $$ LANGUAGE plpgsql;
CREATE TRIGGER dbo_ClientAccessToken_TR_Insert
AFTER INSERT ON dbo.ClientAccessTokens
FOR EACH ROW
EXECUTE FUNCTION dbo.dbo_ClientAccessToken_TR_Insert();
"""
# The guide's own queries for PostgreSQL, as they stand there.
GUIDES_QUERIES = [
    """SELECT *
FROM dbo.ClientAccessTokenLogs
ORDER BY VendorName, ApplicationName, AccessTime ASC""",
    """SELECT
VendorName,
COUNT(*) AS AccessCount,
MAX(AccessTime) AS LastAccess,
COUNT(DISTINCT TokenId) AS UniqueTokens
FROM dbo.ClientAccessTokenLogs
WHERE AccessTime >= CURRENT_TIMESTAMP - INTERVAL '24 hours'
GROUP BY VendorName
ORDER BY AccessCount DESC;""",
    """SELECT
ApiClientKey,
ApplicationName,
VendorName,
COUNT(*) AS AccessCount,
MIN(AccessTime) AS FirstAccess,
MAX(AccessTime) AS LastAccess
FROM dbo.ClientAccessTokenLogs
WHERE AccessTime >= CURRENT_TIMESTAMP - INTERVAL '1 hour'
GROUP BY ApiClientKey, ApplicationName, VendorName
HAVING COUNT(*) > 100 -- Adjust threshold as needed
ORDER BY AccessCount DESC;""",
    """SELECT
DATE_TRUNC('hour', AccessTime) AS AccessHour,
VendorName,
ApplicationName,
ApiClientKey,
COUNT(*) AS AccessCount
FROM dbo.ClientAccessTokenLogs
WHERE AccessTime >= CURRENT_TIMESTAMP - INTERVAL '7 days'
GROUP BY DATE_TRUNC('hour', AccessTime), VendorName, ApplicationName, ApiClientKey
ORDER BY AccessHour DESC, AccessCount DESC;""",
    "SELECT pg_total_relation_size('dbo.clientaccesstokenlogs');",
    "SELECT * FROM pg_stat_user_tables WHERE relname = 'clientaccesstokenlogs';",
]
GUIDES_RETENTION = """-- Delete logs older than 90 days
DELETE FROM dbo.ClientAccessTokenLogs
WHERE AccessTime < CURRENT_TIMESTAMP - INTERVAL '90 days';"""


def catalogue(url: str) -> list[tuple[Any, ...]]:
    """Every row of the catalogue with the transaction that wrote it."""
    with connected(url) as session:
        return [
            row
            for table in ("class", "attribute", "proc", "trigger", "namespace", "rewrite", "depend")
            for row in session.execute(
                f"SELECT '{table}', xmin::text, t::text FROM pg_{table} AS t ORDER BY t::text"
            )
        ]


def test_installing_twice_changes_nothing(edfi: str) -> None:
    assert Installation(edfi).install() == ALL
    before = catalogue(edfi)
    assert Installation(edfi).install() == ()
    assert catalogue(edfi) == before


def test_everything_is_in_a_schema_of_our_own_but_the_view_and_the_trigger(edfi: str) -> None:
    outside = (
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n"
        " ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('gatewaylog', 'pg_toast')"
        " UNION SELECT n.nspname, p.proname FROM pg_proc AS p JOIN pg_namespace AS n"
        " ON n.oid = p.pronamespace WHERE n.nspname <> 'gatewaylog'"
    )
    with connected(edfi) as session:
        before = set(session.execute(outside))
        Installation(edfi).install()
        assert set(session.execute(outside)) - before == {("dbo", "clientaccesstokenlogs")}


def test_two_that_install_at_once_install_once(edfi: str) -> None:
    made: list[tuple[str, ...]] = []
    threads = [
        threading.Thread(target=lambda: made.append(Installation(edfi).install())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [(), (), (), ALL]


def test_removing_keeps_the_rows_and_installing_goes_on_behind_them(edfi: str) -> None:
    installation = Installation(edfi)
    installation.install()
    with connected(edfi) as session:
        logs_in(session)
        kept = rows(session)
        assert (installation.remove(), installation.remove()) == (True, False)
        logs_in(session)
        assert rows(session) == kept
        assert len(session.execute("SELECT * FROM dbo.ClientAccessTokenLogs").fetchall()) == 1
        assert installation.install() == ("function", "trigger")
        logs_in(session)
        assert len(rows(session)) == 2


def test_what_was_dropped_or_disabled_is_made_again(edfi: str) -> None:
    installation = Installation(edfi)
    installation.install()
    with connected(edfi) as session:
        session.execute(f"ALTER TABLE dbo.clientaccesstokens DISABLE TRIGGER {postgresql.TRIGGER}")
        assert installation.state().trigger == "disabled"
        assert installation.install() == ("trigger",)
        session.execute("DROP VIEW dbo.clientaccesstokenlogs")
        session.execute(f"DROP INDEX {postgresql.INDEX}")
        session.execute("ALTER FUNCTION gatewaylog.log_issued_token() RESET lock_timeout")
        assert installation.state().lacking == ("index", "view", "function")
        assert installation.install() == ("index", "view", "function")
        assert (installation.state().trigger, installation.state().lacking) == ("enabled", ())


def test_another_token_format_changes_the_function_alone(edfi: str) -> None:
    installation = Installation(edfi)
    installation.install()
    assert installation.install("D") == ("function",)
    assert installation.state().token_format == "D"


def test_the_guides_own_trigger_or_table_is_not_replaced(edfi: str) -> None:
    with connected(edfi) as session:
        session.execute(GUIDES_TABLE)
        with pytest.raises(TokenStoreError, match="is a table, the guide's own: ALTER TABLE"):
            Installation(edfi).install()
        session.execute("DROP TABLE dbo.clientaccesstokenlogs")
        session.execute(GUIDES_TRIGGER)
        with pytest.raises(TokenStoreError, match="keeps tokens in clear: DROP TRIGGER"):
            Installation(edfi).install()
        assert Installation(edfi).state().trigger == "not ours"
        assert session.execute("SELECT to_regnamespace('gatewaylog')").fetchone() == (None,)


def test_a_database_without_ed_fis_table_is_told(postgresql: str) -> None:
    for does in (Installation(postgresql).install, Installation(postgresql).remove):
        with pytest.raises(TokenStoreError, match=r"there is no dbo\.clientaccesstokens in this"):
            does()


def test_a_server_that_is_too_old_is_told(edfi: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewaylog.audit.edfi.state._VERSION", 10_000_000)
    with pytest.raises(TokenStoreError, match="PostgreSQL 12 or later"):
        Installation(edfi).install()


def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    url = f"postgresql://owner:secret@/EdFi_Admin?host={tmp_path}"
    with pytest.raises(TokenStoreError) as told:
        Installation(url).install()
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_user_who_may_not_is_told(edfi: str) -> None:
    with connected(edfi) as session:
        session.execute("CREATE ROLE nobody_much LOGIN")
        session.execute("GRANT USAGE ON SCHEMA dbo TO nobody_much")
    try:
        url = sa.make_url(edfi).set(username="nobody_much").render_as_string(hide_password=False)
        with pytest.raises(TokenStoreError, match="permission denied for database"):
            Installation(url).install()
    finally:
        with connected(edfi) as session:
            session.execute("DROP OWNED BY nobody_much")
            session.execute("DROP ROLE nobody_much")


def test_a_transaction_that_writes_tokens_delays_the_installation_and_no_login(
    edfi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewaylog.audit.edfi.installing._TRIES", 1000)
    made: list[tuple[str, ...]] = []
    with connected(edfi) as writer, connected(edfi) as watcher, connected(edfi) as other:
        with writer.transaction():
            logs_in(writer)
            thread = threading.Thread(target=lambda: made.append(Installation(edfi).install()))
            thread.start()
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock'"
            wait_for(lambda: watcher.execute(waiting).fetchone() is not None)
            logs_in(other)
            assert made == []
        thread.join()
    assert made == [ALL]


def test_a_table_that_stays_locked_is_told_and_nothing_was_changed(
    edfi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewaylog.audit.edfi.installing._TRIES", 2)
    with connected(edfi) as writer:
        before = catalogue(edfi)
        with writer.transaction():
            writer.execute("LOCK TABLE dbo.clientaccesstokens IN ROW EXCLUSIVE MODE")
            with pytest.raises(TokenStoreError, match=r"is locked, .* nothing was changed"):
                Installation(edfi).install()
    assert catalogue(edfi) == before


@pytest.mark.parametrize("zone", ["UTC", "America/Chicago", "Asia/Kolkata"])
def test_the_guides_own_queries_run_verbatim_in_any_time_zone(edfi: str, zone: str) -> None:
    Installation(edfi).install()
    with connected(edfi) as session:
        session.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
        with session.transaction():  # one moment, which is of one hour
            for client in (1, 1, 3, 6, *(2,) * 101):
                logs_in(session, client)
        session.execute(f"INSERT INTO {LOG} (access_time) VALUES (now() - interval '169 hours')")
        found = [session.execute(query).fetchall() for query in GUIDES_QUERIES]
    # The size is that of the view, which has none; the last query finds our table by its name.
    assert [len(each) for each in found] == [106, 3, 1, 4, 1, 1]
    assert next((row[0], row[1], row[3]) for row in found[1]) == ("Northridge SIS", 103, 103)


def test_the_view_has_the_guides_columns_and_types(edfi: str) -> None:
    Installation(edfi).install()
    columns = (
        "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = 'clientaccesstokenlogs' ORDER BY"
        " ordinal_position"
    )
    with connected(edfi) as session:
        ours = session.execute(columns, ("dbo",)).fetchall()
        session.execute("DROP VIEW dbo.clientaccesstokenlogs")
        session.execute(GUIDES_TABLE)
        assert ours == session.execute(columns, ("dbo",)).fetchall()


def test_the_guides_own_retention_deletes_old_rows(edfi: str) -> None:
    Installation(edfi).install()
    with connected(edfi) as session:
        logs_in(session)
        session.execute(f"INSERT INTO {LOG} (access_time) VALUES (now() - interval '91 days')")
        assert session.execute(GUIDES_RETENTION).rowcount == 1


def test_the_state_tells_rows_size_and_cost(edfi: str) -> None:
    installation = Installation(edfi)
    assert installation.state().trigger == "absent"
    assert installation.state().lacking == ALL
    installation.install()
    with connected(edfi) as session:
        session.execute("SET track_functions = 'pl'")
        logs_in(session)
        logs_in(session)
    wait_for(lambda: installation.state().calls == 2)
    state = installation.state()
    assert (state.rows, state.not_logged, state.token_format) == (2, 0, "N")
    assert state.oldest is not None
    assert state.newest is not None
    assert state.oldest < state.newest
    assert state.table_bytes > 0
    assert state.milliseconds is not None
    assert state.milliseconds > 0


def test_the_scripts_for_psql_do_the_same_and_can_be_run_again(edfi: str) -> None:
    parsed = sa.make_url(edfi)
    for _ in range(2):
        _psql(parsed, postgresql.install_script("N"))
        assert Installation(edfi).install() == ()
    for _ in range(2):
        _psql(parsed, postgresql.remove_script())
        assert Installation(edfi).state().lacking == ("function", "trigger")


def _psql(url: sa.URL, script: str) -> None:
    done = subprocess.run(
        [
            *(program("psql"), "-X", "-q", "-U", "owner", "-h", str(url.query["host"])),
            *("-d", url.database or ""),
        ],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_a_trigger_that_serves_replicas_alone_is_not_enabled(edfi: str) -> None:
    Installation(edfi).install()
    with connected(edfi) as session:
        session.execute(
            f"ALTER TABLE dbo.clientaccesstokens ENABLE REPLICA TRIGGER {postgresql.TRIGGER}"
        )
    assert Installation(edfi).state().trigger == "disabled"


@pytest.mark.parametrize("first", ["trigger", "store"])
def test_trigger_and_store_are_good_neighbours_in_one_schema(edfi: str, first: str) -> None:
    steps: list[Callable[[], object]] = [Installation(edfi).install, lambda: install(edfi)]
    for step in steps if first == "trigger" else reversed(steps):
        step()
    assert Installation(edfi).install() == ()
    with connected(edfi) as session:
        logs_in(session)
        assert len(rows(session)) == 1
    assert Installation(edfi).remove()
    assert Installation(edfi).install() == ("function", "trigger")


def test_a_lock_that_anybody_can_hold_is_not_waited_for_for_ever(
    edfi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewaylog.audit.edfi.installing._TRIES", 2)
    with connected(edfi) as session, session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtext('gatewaylog tokens edfi'))")
        with pytest.raises(TokenStoreError, match="somebody else is at it; nothing was changed"):
            Installation(edfi).install()
    assert Installation(edfi).install() == ALL
