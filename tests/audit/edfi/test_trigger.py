"""The trigger on a real PostgreSQL: what is logged of a login, and that none ever fails."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from gatewaylog.audit.edfi import Installation
from gatewaylog.redaction import Pseudonyms
from tests.audit.edfi.conftest import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = "gatewaylog.clientaccesstokenlogs"
ANY = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def installed(edfi: str) -> str:
    Installation(edfi).install()
    return edfi


@pytest.fixture
def session(installed: str) -> Iterator[ANY]:
    with connected(installed) as connection:
        yield connection


def logs_in(session: ANY, client: int | None = 1) -> str:
    """A login as Ed-Fi's own: an INSERT, which a lock may not hold up for long; the token's id."""
    token = str(uuid.uuid4())
    session.execute("SET statement_timeout = '5s'")  # a hanging login is a failed one
    session.execute(
        "INSERT INTO dbo.clientaccesstokens (id, expiration, scope, apiclient_apiclientid)"
        " VALUES (%s, now() AT TIME ZONE 'utc' + interval '30 minutes', NULL, %s)",
        (token, client),
    )
    found = session.execute("SELECT 1 FROM dbo.clientaccesstokens WHERE id = %s", (token,))
    assert found.fetchone() == (1,)
    return token


def rows(session: ANY) -> list[tuple[Any, ...]]:
    return session.execute(
        "SELECT token_ref, api_client_id, api_client_key, application_id, application_name,"
        f" vendor_id, vendor_name FROM {LOG} ORDER BY log_id"
    ).fetchall()


def ref(token: str) -> str:
    """The TokenRef that the gateway writes for the token as Ed-Fi's clients send it."""
    return Pseudonyms().of_credential(token.replace("-", "").encode())


def test_a_login_is_logged_with_client_application_and_vendor(session: ANY) -> None:
    token = logs_in(session)
    assert rows(session) == [
        (ref(token), 1, "RvcohKz9zHI4", 1, "Northridge Nightly Sync", 1, "Northridge SIS")
    ]


def test_ed_fis_own_procedure_logs_in(session: ANY) -> None:
    token = str(uuid.uuid4())
    session.execute(
        "CALL dbo.createclientaccesstoken(%s, (now() AT TIME ZONE 'utc')::timestamp, NULL, 3, 5)",
        (token,),
    )
    assert [row[0] for row in rows(session)] == [ref(token)]


def test_the_token_is_in_no_row_table_or_view_of_ours(session: ANY) -> None:
    token = logs_in(session)
    for relation in (LOG, "dbo.clientaccesstokenlogs"):
        found = session.execute(f"SELECT row_to_json(r)::text FROM {relation} AS r").fetchall()
        text = str(found).replace("-", "")
        assert len(found) == 1
        assert token.replace("-", "") not in text


def test_a_token_with_hyphens_has_the_reference_of_its_text(edfi: str) -> None:
    Installation(edfi).install("D")
    with connected(edfi) as session:
        token = logs_in(session)
        assert rows(session)[0][0] == hashlib.sha256(token.encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    ("client", "known"),
    [
        (4, ("NoVendorKey0", 4, "Application w/o vendor", None, None)),
        (5, ("NullNameKey0", 5, "Nameless vendor's app", 3, None)),
        (6, ("NoAppKey0000", None, None, None, None)),
        (None, (None, None, None, None, None)),
    ],
)
def test_what_is_null_is_null_in_the_row(
    session: ANY, client: int | None, known: tuple[object, ...]
) -> None:
    token = logs_in(session, client)
    assert rows(session) == [(ref(token), client, *known)]


@pytest.mark.parametrize(
    "broken",
    [
        "DROP TABLE dbo.vendors CASCADE",
        "DROP TABLE dbo.applications CASCADE",
        "ALTER TABLE dbo.applications RENAME applicationname TO other",
        "ALTER TABLE dbo.apiclients ALTER key TYPE bytea USING key::bytea",
        f"ALTER TABLE {LOG} DROP vendor_name CASCADE",
        f"ALTER TABLE {LOG} ADD CHECK (application_id IS NULL)",
    ],
)
def test_what_can_not_be_looked_up_leaves_a_row_with_the_token_and_the_client(
    session: ANY, broken: str
) -> None:
    session.execute(broken)
    token = logs_in(session)
    found = session.execute(f"SELECT token_ref, api_client_id FROM {LOG}").fetchall()
    assert found == [(ref(token), 1)]


@pytest.mark.parametrize(
    "broken",
    [
        f"DROP TABLE {LOG} CASCADE",
        f"ALTER TABLE {LOG} RENAME TO other",
        f"ALTER TABLE {LOG} DROP token_ref CASCADE",
        f"ALTER TABLE {LOG} ADD extra integer NOT NULL",
        f"ALTER TABLE {LOG} ADD CHECK (false) NOT VALID",
        f"ALTER TABLE {LOG} SET SCHEMA dbo",
    ],
)
def test_a_log_that_is_broken_fails_no_login_and_is_counted(session: ANY, broken: str) -> None:
    session.execute("DROP VIEW dbo.clientaccesstokenlogs")
    session.execute(broken)
    logs_in(session)
    count = session.execute("SELECT last_value, is_called FROM gatewaylog.tokens_not_logged")
    assert count.fetchone() == (1, True)


@pytest.mark.parametrize(
    "broken",
    [
        "DROP SEQUENCE gatewaylog.tokens_not_logged",
        "DROP SCHEMA gatewaylog CASCADE",
        "ALTER SCHEMA gatewaylog RENAME TO other",
        "ALTER FUNCTION gatewaylog.log_issued_token() OWNER TO pg_monitor",
        "DROP FUNCTION gatewaylog.log_issued_token() CASCADE",
        f"DROP TABLE {LOG} CASCADE; DROP SEQUENCE gatewaylog.tokens_not_logged",
        f"TRUNCATE {LOG}; SELECT setval(pg_get_serial_sequence('{LOG}', 'log_id'),"
        " 9223372036854775807)",
    ],
)
def test_whatever_of_ours_is_dropped_or_used_up_fails_no_login(session: ANY, broken: str) -> None:
    session.execute(broken)
    logs_in(session)


@pytest.mark.parametrize("mode", ["ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE"])
@pytest.mark.parametrize("locked", [LOG, "dbo.vendors", "dbo.applications", "dbo.apiclients"])
def test_a_table_that_somebody_else_has_locked_holds_up_no_login(
    session: ANY, installed: str, locked: str, mode: str
) -> None:
    if locked == "dbo.apiclients" and mode == "ACCESS EXCLUSIVE":
        # Ed-Fi's own foreign key reads it: such a login waits without the trigger, too.
        session.execute(
            "ALTER TABLE dbo.clientaccesstokens DROP CONSTRAINT fk_clientaccesstokens_apiclients"
        )
    with connected(installed) as other, other.transaction():
        other.execute(f"LOCK TABLE {locked} IN {mode} MODE")
        token = logs_in(session)
        if locked == LOG:
            assert session.execute(
                "SELECT last_value, is_called FROM gatewaylog.tokens_not_logged"
            ).fetchone() == (1, True)
        else:
            assert rows(session)[0][:2] == (ref(token), 1)


def test_everything_locked_at_once_holds_up_no_login(session: ANY, installed: str) -> None:
    session.execute(
        "ALTER TABLE dbo.clientaccesstokens DROP CONSTRAINT fk_clientaccesstokens_apiclients"
    )
    with connected(installed) as other, other.transaction():
        other.execute("ALTER SEQUENCE gatewaylog.tokens_not_logged INCREMENT 1")
        other.execute(f"LOCK TABLE {LOG}, dbo.vendors, dbo.applications, dbo.apiclients")
        logs_in(session)


def test_a_row_that_another_transaction_changes_holds_up_no_login(
    session: ANY, installed: str
) -> None:
    with connected(installed) as other, other.transaction():
        other.execute("UPDATE dbo.vendors SET vendorname = 'new'")
        token = logs_in(session)
    assert rows(session)[0][-1] == "Northridge SIS"
    assert rows(session)[0][0] == ref(token)


def test_the_limit_on_waiting_for_locks_is_the_logins_own_again_behind_it(session: ANY) -> None:
    session.execute("SET lock_timeout = '7s'")
    logs_in(session)
    assert session.execute("SHOW lock_timeout").fetchone() == ("7s",)


@pytest.fixture
def login_role(session: ANY) -> Iterator[str]:
    """A role that can log in tokens and nothing else, as an ODS/API's may be."""
    name = f"ods_{uuid.uuid4().hex[:8]}"
    session.execute(f"CREATE ROLE {name} LOGIN")
    session.execute(f"GRANT USAGE ON SCHEMA dbo TO {name}")
    session.execute(f"GRANT INSERT, SELECT ON dbo.clientaccesstokens TO {name}")
    yield name
    session.execute(f"DROP OWNED BY {name}")
    session.execute(f"DROP ROLE {name}")


def test_a_role_without_rights_on_ours_logs_in_and_is_logged(session: ANY, login_role: str) -> None:
    session.execute(f"SET ROLE {login_role}")
    token = logs_in(session)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(f"SELECT * FROM {LOG}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT gatewaylog.log_issued_token()")
    session.execute("RESET ROLE")
    assert [row[0] for row in rows(session)] == [ref(token)]


def test_names_of_the_logins_own_path_do_not_lead_the_trigger_astray(session: ANY) -> None:
    session.execute("CREATE SCHEMA evil")
    session.execute(
        "CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'led astray' $$"
    )
    session.execute(
        "CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT 'x'::bytea $$"
    )
    session.execute("CREATE TEMPORARY TABLE vendors AS SELECT 1 AS vendorid, 'x' AS vendorname")
    session.execute("SET search_path = evil, pg_temp, pg_catalog, dbo, public")
    token = logs_in(session)
    assert rows(session)[0][0] == ref(token)
    assert rows(session)[0][-1] == "Northridge SIS"


def test_a_login_that_is_taken_back_leaves_no_row(session: ANY) -> None:
    with session.transaction():
        logs_in(session)
        raise psycopg.Rollback
    assert rows(session) == []


def test_several_tokens_of_one_statement_are_a_row_each(session: ANY) -> None:
    session.execute(
        "INSERT INTO dbo.clientaccesstokens SELECT gen_random_uuid(), now(), NULL, 1"
        " FROM generate_series(1, 300)"
    )
    assert len({row[0] for row in rows(session)}) == 300
