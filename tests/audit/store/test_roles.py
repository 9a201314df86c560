"""What each role of PostgreSQL's may do, and nothing else, statement by statement."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from gatewaylog.audit.store import postgresql

if TYPE_CHECKING:
    from tests.audit.store.conftest import Store

_WRITER_MAY = (
    "INSERT INTO gatewaylog.client_access_token_logs (token_ref, access_time, message_id)"
    " VALUES ('t', now(), 'm9')",
    "INSERT INTO gatewaylog.client_access_token_logs (token_ref, access_time, message_id)"
    " VALUES ('t', now(), 'm9') ON CONFLICT DO NOTHING",
    "INSERT INTO gatewaylog.token_events (id, at, kind) VALUES ('x', now(), 'issued')",
    "INSERT INTO gatewaylog.event_log (event) VALUES ('E')",
    "INSERT INTO gatewaylog.ship_checkpoints VALUES ('s', 'f', 'n', 1, now(), now())",
    "SELECT nextval('gatewaylog.client_access_token_logs_log_id_seq')",
    "CREATE TEMPORARY TABLE rows (id INTEGER)",
    "SELECT gatewaylog.ensure_partition(now())",
    "SELECT gatewaylog.ensure_partition('2020-02-02')",
)
_OF_NOBODY = (
    "SELECT setval('gatewaylog.client_access_token_logs_log_id_seq', 1)",
    "INSERT INTO gatewaylog.client_access_token_logs (log_id, token_ref, access_time, message_id)"
    " VALUES (1, 't', now(), 'm9')",
    "INSERT INTO gatewaylog.event_log (id, event) VALUES (1, 'E')",
    "INSERT INTO gatewaylog.client_access_token_logs (token_ref, access_time, message_id)"
    " VALUES ('t', now(), 'm9') RETURNING log_id",
    "UPDATE gatewaylog.client_access_token_logs SET token_ref = 'x'",
    "DELETE FROM gatewaylog.client_access_token_logs",
    "TRUNCATE gatewaylog.client_access_token_logs",
    "UPDATE gatewaylog.ship_checkpoints SET position = 0",
    "DELETE FROM gatewaylog.ship_checkpoints",
    "DELETE FROM gatewaylog.token_events",
    "DELETE FROM gatewaylog.event_log",
    "DELETE FROM {partition}",
    "TRUNCATE {partition}",
    "INSERT INTO {partition} (token_ref, access_time, message_id) VALUES ('t', now(), 'm9')",
    "DROP TABLE gatewaylog.client_access_token_logs",
    "DROP TABLE {partition}",
    "ALTER TABLE gatewaylog.client_access_token_logs DETACH PARTITION {partition}",
    "ALTER TABLE gatewaylog.client_access_token_logs DISABLE TRIGGER ALL",
    "ALTER TABLE {partition} DISABLE TRIGGER append_only",
    "DROP TRIGGER append_only ON {partition}",
    "CREATE TRIGGER t BEFORE INSERT ON gatewaylog.event_log EXECUTE FUNCTION"
    " gatewaylog.refuse_change()",
    "CREATE TABLE gatewaylog.own (id INTEGER)",
    "CREATE FUNCTION gatewaylog.refuse_change(x integer) RETURNS integer LANGUAGE sql"
    " AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION gatewaylog.refuse_change() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'",
    "ALTER FUNCTION gatewaylog.drop_before(timestamptz, boolean) SET search_path = public",
    "SELECT gatewaylog.add_partition('token_events', now())",
    "SELECT gatewaylog.partition_unit()",
    "SET ROLE gatewaylog_owner",
    "SET session_replication_role = replica",
    "GRANT gatewaylog_owner TO CURRENT_USER",
)
_READING = (
    "SELECT * FROM gatewaylog.client_access_token_logs",
    "SELECT * FROM gatewaylog.token_events",
    "SELECT * FROM gatewaylog.event_log",
    "SELECT * FROM gatewaylog.ship_checkpoints",
)
_COPYING = (
    "COPY gatewaylog.client_access_token_logs TO STDOUT",
    "COPY {partition} TO STDOUT",
    "SELECT * FROM {partition}",
    "SELECT log_id FROM gatewaylog.client_access_token_logs LIMIT 1",
    "SELECT count(*) FROM gatewaylog.client_access_token_logs",
)
_SIZES = "SELECT * FROM gatewaylog.store_partitions"
_VERSION = "SELECT version_num FROM gatewaylog.store_version"
_DROPPING = "SELECT * FROM gatewaylog.drop_before(now() - interval '1 year', false)"
_MAY = {
    postgresql.WRITER: _WRITER_MAY,
    postgresql.READER: (*_READING, _SIZES, _VERSION),
    postgresql.RETENTION: (_SIZES, _VERSION, _DROPPING),
    "": (),
}


def asked(statement: str) -> str:
    return statement.replace("{partition}", "gatewaylog.client_access_token_logs_p20261101")


def is_refused(store: Store, statement: str, user: str) -> bool:
    try:
        store.run(statement, user=user)
    except ProgrammingError as error:
        return re.search("denied|must be|must have admin", str(error.orig)) is not None
    return False


@pytest.mark.parametrize("role", list(_MAY))
def test_a_role_may_do_what_it_is_for_and_nothing_else(postgres: Store, role: str) -> None:
    postgres.run("SELECT gatewaylog.ensure_partition('2026-11-21')")
    user = postgres.login(*filter(None, [role]))
    for statement in _MAY[role]:
        postgres.run(statement, user=user)
    allowed = set(itertools.chain.from_iterable(_MAY.values()))
    refused = {*_OF_NOBODY, *_COPYING, *allowed} - set(_MAY[role])
    refused -= {"CREATE TEMPORARY TABLE rows (id INTEGER)"}  # PostgreSQL lets everybody
    if role == postgresql.READER:
        refused -= {*_COPYING[0:1], *_COPYING[3:]}
    for statement in sorted(refused):
        assert is_refused(postgres, asked(statement), user), statement


def test_writing_needs_no_more_where_everybody_was_denied_all(postgres: Store) -> None:
    postgres.run(f"REVOKE ALL ON DATABASE {postgres.name} FROM PUBLIC")
    postgres.run("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    writer = postgres.login(postgresql.WRITER)
    postgres.run(f"GRANT CONNECT ON DATABASE {postgres.name} TO {writer}")
    for statement in _WRITER_MAY:
        postgres.run(statement, user=writer)


def test_a_checkpoint_takes_the_place_of_the_one_before(postgres: Store) -> None:
    writer = postgres.login(postgresql.WRITER)
    insert = "INSERT INTO gatewaylog.ship_checkpoints VALUES ('s', :file, 'n', :at, now(), now())"
    for at in (1, 2, 3):
        postgres.run(insert, user=writer, file="f", at=at)
    postgres.run(insert, user=writer, file="g", at=7)
    found = postgres.run("SELECT file, position FROM gatewaylog.ship_checkpoints ORDER BY 1")
    assert found == [("f", 3), ("g", 7)]


def test_a_search_path_of_the_callers_fools_no_function(postgres: Store) -> None:
    """A view or function of the caller's own, first on its path, is never met."""
    writer = postgres.login(postgresql.WRITER)
    postgres.run(f"CREATE SCHEMA evil AUTHORIZATION {writer}")
    trap = (
        "CREATE FUNCTION evil.{name}({takes}) RETURNS {gives} LANGUAGE plpgsql"
        " AS 'BEGIN RAISE EXCEPTION ''trapped as %'', current_user; END'"
    )
    for name, takes, gives in (
        ("now", "", "timestamptz"),
        ("to_char", "timestamptz, text", "text"),
        ("date_trunc", "text, timestamptz", "timestamptz"),
    ):
        postgres.run(trap.format(name=name, takes=takes, gives=gives), user=writer)
    postgres.run(f"ALTER ROLE {writer} SET search_path = evil, pg_catalog, gatewaylog")
    with pytest.raises(sa.exc.DBAPIError, match="trapped"):
        postgres.run("SELECT now()", user=writer)
    postgres.run("SELECT gatewaylog.ensure_partition('2024-01-01')", user=writer)
