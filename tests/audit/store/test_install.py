"""`tokens init`: twice, by several at once, over what is there already, by who is no superuser."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from gatewaylog.audit.events.table import create
from gatewaylog.audit.issued import Issued
from gatewaylog.audit.store import postgresql
from gatewaylog.audit.store.catalogue import VERSION
from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from gatewaylog.audit.store.tables import metadata
from gatewaylog.audit.token_store import DatabaseTokens
from gatewaylog.exceptions import TokenStoreError
from tests.audit.store.conftest import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql import Cluster

_ALL = """
SELECT 'c', relname, relkind::text, relowner::regrole::text, relacl::text FROM pg_class
WHERE relnamespace = 'gatewaylog'::regnamespace
UNION ALL SELECT 'p', oid::regprocedure::text, prosrc, proowner::regrole::text, proacl::text
FROM pg_proc WHERE pronamespace = 'gatewaylog'::regnamespace
UNION ALL SELECT 't', tgrelid::regclass::text, tgname, tgenabled::text, tgtype::text
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 's', nspname, nspowner::regrole::text, nspacl::text, NULL FROM pg_namespace
WHERE nspname = 'gatewaylog' ORDER BY 1, 2, 3"""


def everything(store: Store) -> list[object]:
    if store.server is None:
        return store.run("SELECT type, name, sql FROM sqlite_master ORDER BY name")
    return store.run(_ALL)


def test_a_second_run_changes_nothing(store: Store) -> None:
    row = "'a', '2026-11-21 10:00:00', 'm1'"
    if store.server:
        store.run("SELECT gatewaylog.ensure_partition('2026-11-21 10:00:00')")
    store.run(
        "INSERT INTO {s}client_access_token_logs (token_ref, access_time, message_id)"
        f" VALUES ({row})"
    )
    before = everything(store)
    install(store.url)
    assert everything(store) == before
    assert store.run("SELECT count(*) FROM {s}client_access_token_logs") == [(1,)]


def test_the_tables_are_those_that_queries_know(store: Store) -> None:
    engine = engine_at(store.url)
    with engine.connect() as connection:
        there = sa.inspect(connection)
        for table in metadata.tables.values():
            schema = "gatewaylog" if store.server else None
            columns = {c["name"]: c for c in there.get_columns(table.name, schema=schema)}
            assert list(columns) == [column.name for column in table.columns]
            for column in table.columns:
                is_number = not store.server and column.name in {"log_id", "id"}
                is_number = is_number and isinstance(column.type, sa.Integer)
                assert columns[column.name]["nullable"] == (column.nullable or is_number), column
    engine.dispose()


def _install(url: str) -> None:
    install(url)


def test_several_at_once_make_one_store(bare: Store) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_install, [bare.url] * 4)
    assert store_version(bare) == [("0001",)]
    before = everything(bare)
    install(bare.url)
    assert everything(bare) == before


def store_version(store: Store) -> list[object]:
    return store.run("SELECT version_num FROM {s}store_version")


def test_the_version_that_is_known_is_the_newest_step() -> None:
    config = Config()
    config.set_main_option("script_location", "gatewaylog.audit.store:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [VERSION]


def test_a_store_of_a_newer_program_is_left_as_it_is(store: Store) -> None:
    store.run("UPDATE {s}store_version SET version_num = '0099'")
    before = everything(store)
    with pytest.raises(TokenStoreError, match=r"the store is newer than this gatewaylog.* 0099"):
        install(store.url)
    assert everything(store) == before
    assert store_version(store) == [("0099",)]


def test_what_breaks_off_leaves_nothing(bare: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bare.run(
        "SELECT count(*) FROM pg_namespace" if bare.server else "SELECT count(*) FROM sqlite_master"
    )

    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("gatewaylog.audit.store.install.sqlite.guard", broken)
    monkeypatch.setattr("gatewaylog.audit.store.install.postgresql.finish", broken)
    with pytest.raises(TokenStoreError, match="the disk is gone"):
        install(bare.url)
    after = bare.run(
        "SELECT count(*) FROM pg_namespace" if bare.server else "SELECT count(*) FROM sqlite_master"
    )
    assert after == before


def test_sqlites_file_is_its_owners_and_keeps_a_log_ahead(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    install(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    connection.close()


def test_sqlites_event_log_of_before_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    (tmp_path / "store.db").touch()
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    create(engine)
    engine.dispose()
    store = Store(url)
    store.run(
        "INSERT INTO event_log (log_timestamp, event) VALUES ('2026-01-01 00:00:00.000000', 'E')"
    )
    install(url)
    assert store.run("SELECT event, line_id FROM event_log") == [("E", None)]
    with pytest.raises(sa.exc.IntegrityError, match="append-only"):
        store.run("DELETE FROM event_log")


def test_everything_is_owned_by_who_cannot_log_in(postgres: Store) -> None:
    owners = postgres.run(
        "SELECT DISTINCT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE oid IN ("
        " SELECT relowner FROM pg_class WHERE relnamespace = 'gatewaylog'::regnamespace"
        " UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'gatewaylog'::regnamespace"
        " UNION SELECT nspowner FROM pg_namespace WHERE nspname = 'gatewaylog')"
    )
    assert owners == [(postgresql.OWNER, False, False)]


def test_no_role_that_runs_day_to_day_is_the_owner(postgres: Store) -> None:
    for role in postgresql.ROLES:
        if role != postgresql.OWNER:
            held = f"SELECT pg_has_role('{role}', '{postgresql.OWNER}', 'MEMBER')"
            assert postgres.run(held) == [(False,)]


def test_who_is_no_superuser_needs_two_rights(server: Cluster) -> None:
    with server.fresh() as name:
        store = Store(server.url(name), server, name)
        store.run(f"CREATE ROLE {name}_admin LOGIN CREATEROLE")
        with pytest.raises(TokenStoreError, match="permission denied"):
            install(server.url(name, f"{name}_admin"))
        store.run(f"GRANT CREATE ON DATABASE {name} TO {name}_admin")
        install(server.url(name, f"{name}_admin"))
        install(server.url(name, f"{name}_admin"))
        assert store_version(store) == [("0001",)]
        member = f"SELECT pg_has_role('{name}_admin', 'gatewaylog_owner', 'MEMBER')"
        assert store.run(member) == [(False,)]


def test_a_gateway_that_made_the_schema_keeps_its_tokens(server: Cluster) -> None:
    with server.fresh() as name:
        store = Store(server.url(name), server, name)
        gateway = store.login()
        store.run(f"GRANT CREATE ON DATABASE {name} TO {gateway}")
        token = Issued(
            digest=b"d" * 32,
            client_id="mobile",
            scopes=frozenset(),
            issued_at=1.0,
            expires_at=2e9,
        )
        issue(server.url(name, gateway), token)
        install(store.url)
        again = Issued(
            digest=b"e" * 32,
            client_id="mobile",
            scopes=frozenset(),
            issued_at=1.0,
            expires_at=2e9,
        )
        issue(server.url(name, gateway), again)
        assert store.run("SELECT count(*) FROM gatewaylog.access_tokens") == [(2,)]


def test_a_function_that_was_there_before_never_runs_with_the_owners_rights(
    server: Cluster,
) -> None:
    with server.fresh() as name:
        store = Store(server.url(name), server, name)
        gateway = store.login()
        store.run(f"CREATE SCHEMA gatewaylog AUTHORIZATION {gateway}")
        store.run(
            "CREATE FUNCTION gatewaylog.partition_unit() RETURNS text LANGUAGE plpgsql"
            f" AS 'BEGIN GRANT gatewaylog_owner TO {gateway}; RETURN ''month''; END'",
            user=gateway,
        )
        with pytest.raises(TokenStoreError, match="must be owner of function partition_unit"):
            install(store.url)


def test_a_gateways_login_makes_its_tables_in_the_schema(postgres: Store) -> None:
    gateway = postgres.login(postgresql.GATEWAY)
    token = Issued(
        digest=b"d" * 32, client_id="mobile", scopes=frozenset(), issued_at=1.0, expires_at=2e9
    )
    issue(postgres.url_as(gateway), token)
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        postgres.run("SELECT * FROM gatewaylog.token_events", user=gateway)


def issue(url: str, token: Issued) -> None:
    tokens = DatabaseTokens(url)
    assert tokens.issue(token, limit=15) is None
    tokens.close()


@pytest.mark.parametrize(
    "url",
    ["mysql://host/name", "sqlite:////nowhere/at/all.db", "postgresql://u:secret@127.0.0.1:1/x"],
)
def test_what_can_not_be_reached_is_told_in_a_line(url: str) -> None:
    with pytest.raises(TokenStoreError) as told:
        install(url)
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_url_that_can_not_be_read_shows_no_password() -> None:
    with pytest.raises(TokenStoreError, match=r"^the database's URL can't be read$"):
        install("postgresql://u:secret@host:port/x")


def test_a_database_in_memory_can_be_installed() -> None:
    install("sqlite:///:memory:")
