"""The trigger in an EdFi_Admin database on PostgreSQL 12 or later: what it is made of.

A login is an INSERT into dbo.clientaccesstokens. The function that it calls must never make one
fail or wait: it owns its rights (SECURITY DEFINER, a fixed search_path), waits 50 ms for a lock,
and takes every error. What can't be looked up is NULL; where the row can't be written with client,
application and vendor, it is tried once more without; where that fails too, it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TokenFormat = Literal["N", "D"]

TOKENS = "dbo.clientaccesstokens"
# The guide's own names, so that its queries about them find ours.
TABLE = "gatewaylog.clientaccesstokenlogs"
VIEW = "dbo.clientaccesstokenlogs"
INDEX = "gatewaylog.ix_clientaccesstokenlogs_accesstime"
TRIGGER = "dbo_clientaccesstoken_tr_insert"
FUNCTION = "gatewaylog.log_issued_token()"
NOT_LOGGED = "gatewaylog.tokens_not_logged"
SETTINGS = ("search_path=pg_catalog, pg_temp", "lock_timeout=50ms")

_SCHEMA = "CREATE SCHEMA IF NOT EXISTS gatewaylog"
# Each index is paid for at each login. None is on log_id; where deletions are published, rows are
# told by all they hold.
_TABLE = """\
CREATE TABLE IF NOT EXISTS gatewaylog.clientaccesstokenlogs (
  log_id bigint GENERATED ALWAYS AS IDENTITY,
  token_ref text,
  access_time timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
  api_client_id integer,
  api_client_key text,
  application_id integer,
  application_name text,
  vendor_id integer,
  vendor_name text
)"""
_INDEX = """\
CREATE INDEX IF NOT EXISTS ix_clientaccesstokenlogs_accesstime
  ON gatewaylog.clientaccesstokenlogs USING brin (access_time)"""
_SEQUENCE = "CREATE SEQUENCE IF NOT EXISTS gatewaylog.tokens_not_logged"
_FUNCTION = """\
CREATE OR REPLACE FUNCTION gatewaylog.log_issued_token() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $body$"""
_BODY = """
DECLARE
  reference text;
BEGIN
  reference := encode(substr(sha256(convert_to({token}, 'UTF8')), 1, 16), 'hex');
  INSERT INTO gatewaylog.clientaccesstokenlogs (
    token_ref, api_client_id, api_client_key,
    application_id, application_name, vendor_id, vendor_name
  )
  SELECT
    reference, NEW.apiclient_apiclientid, client.key,
    application.applicationid, application.applicationname, vendor.vendorid, vendor.vendorname
  FROM dbo.apiclients AS client
  LEFT JOIN dbo.applications AS application
    ON application.applicationid = client.application_applicationid
  LEFT JOIN dbo.vendors AS vendor ON vendor.vendorid = application.vendor_vendorid
  WHERE client.apiclientid = NEW.apiclient_apiclientid;
  IF NOT FOUND THEN
    INSERT INTO gatewaylog.clientaccesstokenlogs (token_ref, api_client_id)
    VALUES (reference, NEW.apiclient_apiclientid);
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  BEGIN
    INSERT INTO gatewaylog.clientaccesstokenlogs (token_ref, api_client_id)
    VALUES (reference, NEW.apiclient_apiclientid);
  EXCEPTION WHEN OTHERS THEN
    BEGIN
      RAISE LOG 'gatewaylog: an issued token is not logged: %', SQLSTATE;
      PERFORM nextval('gatewaylog.tokens_not_logged');
    EXCEPTION WHEN OTHERS THEN
      NULL; -- the login matters more
    END;
  END;
  RETURN NULL;
END
"""
_TOKENS: dict[TokenFormat, str] = {
    "N": "encode(uuid_send(NEW.id), 'hex')",
    "D": "NEW.id::text",
}
_TRIGGER = """\
CREATE TRIGGER dbo_clientaccesstoken_tr_insert AFTER INSERT ON dbo.clientaccesstokens
  FOR EACH ROW EXECUTE FUNCTION gatewaylog.log_issued_token()"""
_VIEW = """\
CREATE OR REPLACE VIEW dbo.clientaccesstokenlogs AS
SELECT
  log_id AS logid,
  token_ref::uuid AS tokenid,
  access_time::timestamp without time zone AS accesstime,
  api_client_id AS apiclientid,
  api_client_key::varchar(50) AS apiclientkey,
  application_id AS applicationid,
  application_name::varchar AS applicationname,
  vendor_id AS vendorid,
  vendor_name::varchar AS vendorname
FROM gatewaylog.clientaccesstokenlogs"""

ENABLE = f"ALTER TABLE {TOKENS} ENABLE TRIGGER {TRIGGER}"
REMOVE = (
    f"DROP TRIGGER IF EXISTS {TRIGGER} ON {TOKENS}",
    f"DROP FUNCTION IF EXISTS {FUNCTION}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something that the installation makes, and how."""

    name: str
    statements: tuple[str, ...]


def body_of(token_format: TokenFormat) -> str:
    """Return the function's body, as the catalogue keeps it."""
    return _BODY.format(token=_TOKENS[token_format])


def parts(token_format: TokenFormat) -> tuple[Part, ...]:
    """Return what there is to make, in order.

    The reference is that of the token as clients send it: "N" is the GUID as 32 lower-case hex
    digits, as Ed-Fi's do, "D" with its hyphens.
    """
    function = f"{_FUNCTION}{body_of(token_format)}$body$"
    nobody = f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC"
    return (
        Part(name="schema", statements=(_SCHEMA,)),
        Part(name="table", statements=(_TABLE, f"ALTER TABLE {TABLE} REPLICA IDENTITY FULL")),
        Part(name="index", statements=(_INDEX,)),
        Part(name="sequence", statements=(_SEQUENCE,)),
        Part(name="view", statements=(_VIEW,)),
        Part(name="function", statements=(function, nobody)),
        Part(name="trigger", statements=(_TRIGGER,)),
    )


def install_script(token_format: TokenFormat) -> str:
    """Return the installation as a script for psql; it can be run again."""
    statements = [each for part in parts(token_format) for each in part.statements]
    statements.insert(-1, REMOVE[0])
    return _script(*statements)


def remove_script() -> str:
    """Return what removes the trigger as a script for psql; rows stay, and the view over them."""
    return _script(*REMOVE)


def _script(*statements: str) -> str:
    return "\n".join(
        f"{each};" for each in ("\\set ON_ERROR_STOP on\nBEGIN", *statements, "COMMIT")
    )
