"""What of the trigger is in a database, and what it costs there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from gatewaylog.audit.edfi import postgresql
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from datetime import datetime

    from gatewaylog.audit.edfi.postgresql import TokenFormat

Trigger = Literal["absent", "enabled", "disabled", "not ours"]

_VERSION = 120_000  # the first that truncates times in a zone, as the queries do
_CATALOGUE = sa.text(f"""\
SELECT
  current_setting('server_version_num')::integer AS version,
  to_regclass('{postgresql.TOKENS}') IS NOT NULL AS tokens,
  to_regnamespace('gatewaylog') IS NOT NULL AS schema,
  to_regclass('{postgresql.TABLE}') IS NOT NULL AS table,
  to_regclass('{postgresql.INDEX}') IS NOT NULL AS index,
  to_regclass('{postgresql.NOT_LOGGED}') IS NOT NULL AS sequence,
  (SELECT relkind::text FROM pg_class WHERE oid = to_regclass('{postgresql.VIEW}')) AS view_kind,
  pg_get_viewdef(
    CASE WHEN (SELECT relkind FROM pg_class WHERE oid = to_regclass('{postgresql.VIEW}')) = 'v'
    THEN to_regclass('{postgresql.VIEW}') END::oid) AS view,
  function.prosrc AS body,
  function.prosecdef AS is_definer,
  function.proconfig AS settings,
  trigger.tgenabled::text AS enabled,
  trigger.tgfoid = function.oid AS is_ours
FROM (VALUES (1)) AS one
LEFT JOIN pg_proc AS function ON function.oid = to_regprocedure('{postgresql.FUNCTION}')
LEFT JOIN pg_trigger AS trigger
  ON trigger.tgrelid = to_regclass('{postgresql.TOKENS}')
  AND trigger.tgname = '{postgresql.TRIGGER}'""")  # noqa: S608 - names of our own
_ROWS = sa.text(f"""\
SELECT
  count(*) AS rows, min(access_time) AS oldest, max(access_time) AS newest,
  pg_table_size('{postgresql.TABLE}') AS table_bytes,
  pg_indexes_size('{postgresql.TABLE}') AS index_bytes
FROM {postgresql.TABLE}""")  # noqa: S608
_NOT_LOGGED = sa.text(f"SELECT last_value, is_called FROM {postgresql.NOT_LOGGED}")  # noqa: S608
_COST = sa.text(f"""\
SELECT calls, total_time FROM pg_stat_user_functions
WHERE funcid = to_regprocedure('{postgresql.FUNCTION}')""")  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is there. `lacking` are the parts that an installation would make or change.

    `not_logged` are logins of which no row could be written. `calls`, and the `milliseconds` of
    one on average, are counted where the server's `track_functions` is `pl` or `all`.
    """

    trigger: Trigger
    lacking: tuple[str, ...]
    token_format: TokenFormat | None = None
    rows: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    table_bytes: int = 0
    index_bytes: int = 0
    not_logged: int = 0
    calls: int | None = None
    milliseconds: float | None = None


def catalogue_of(connection: sa.Connection) -> sa.Row[tuple[object, ...]]:
    """Return what the catalogue has. Raises TokenStoreError where Ed-Fi's table is not there."""
    found = connection.execute(_CATALOGUE).one()
    if found.version < _VERSION:
        raise TokenStoreError("PostgreSQL 12 or later is needed for the trigger")
    if not found.tokens:
        raise TokenStoreError(
            f"there is no {postgresql.TOKENS} in this database: is it EdFi_Admin, and may"
            " this user see it?"
        )
    return found


def lacking(found: sa.Row[tuple[object, ...]], token_format: TokenFormat | None) -> tuple[str, ...]:
    """Return the parts that are not there, or not as an installation makes them now."""
    wanted = [postgresql.body_of(token_format)] if token_format else _BODIES
    is_there = {
        "schema": found.schema,
        "table": found.table,
        "index": found.index,
        "sequence": found.sequence,
        "view": found.view_kind == "v" and postgresql.TABLE in (found.view or ""),
        "function": found.body in wanted
        and found.is_definer
        and sorted(found.settings or ()) == sorted(postgresql.SETTINGS),
        "trigger": bool(found.is_ours) and found.enabled in _ENABLED,
    }
    return tuple(name for name, there in is_there.items() if not there)


def state_of(connection: sa.Connection) -> State:
    """Return the state. Raises TokenStoreError, and SQLAlchemyError where it can't be asked."""
    found = catalogue_of(connection)
    formats = [name for name, body in _FORMATS.items() if body == found.body]
    values: dict[str, object] = {}
    if found.table:
        values |= connection.execute(_ROWS).one()._asdict()
    if found.sequence:
        sequence = connection.execute(_NOT_LOGGED).one()
        values["not_logged"] = sequence.last_value if sequence.is_called else 0
    if cost := connection.execute(_COST).one_or_none():
        values |= {"calls": cost.calls, "milliseconds": cost.total_time / max(1, cost.calls)}
    return State(
        trigger=_trigger(found),
        lacking=lacking(found, formats[0] if formats else None),
        token_format=formats[0] if formats else None,
        **values,  # type: ignore[arg-type]
    )


def _trigger(found: sa.Row[tuple[object, ...]]) -> Trigger:
    if found.enabled is None:
        return "absent"
    if not found.is_ours:
        return "not ours"
    return "enabled" if found.enabled in _ENABLED else "disabled"


_ENABLED = ("O", "A")  # as usual, and always; D is disabled, R is for replicas alone
_FORMATS: dict[TokenFormat, str] = {
    "N": postgresql.body_of("N"),
    "D": postgresql.body_of("D"),
}
_BODIES = list(_FORMATS.values())
