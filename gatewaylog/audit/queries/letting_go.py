"""Retention, as the guide has it: rows that are older than is to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gatewaylog.audit.queries.asking import EDFI, Asking, moment_of
from gatewaylog.audit.queries.statements import literal
from gatewaylog.audit.store import sqlite
from gatewaylog.audit.store.engine import FAILURES, engine_at, reason
from gatewaylog.audit.store.retention import Dropped, drop_before
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from gatewaylog.audit.queries.statements import Table

_TIMES = {
    "client_access_token_logs": "access_time",
    "token_events": "at",
    "ship_checkpoints": "at",
}
_DROP = "SELECT * FROM gatewaylog.drop_before({moment}, {dry_run})"
# A trigger, rule or policy, or a cast of a type, is code of the table's owner that would run with
# the rights of who prunes.
_IS_PLAIN = """
SELECT relkind = 'r' AND NOT relrowsecurity
    AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid)
    AND NOT EXISTS (SELECT FROM pg_rewrite WHERE ev_class = pg_class.oid)
    AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = pg_class.oid)
    AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid
        AND attname = 'access_time' AND atttypid = 'timestamptz'::regtype)
    OR rolsuper OR rolname = current_user
FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
WHERE pg_class.oid = '{table}'::regclass"""
_DELETE = "DELETE FROM {table} WHERE {time} < {moment}"


class OfTheStoreAlone(TokenStoreError):
    """What is old of the store, `dropped`, went; rows of Ed-Fi's trigger could not."""

    def __init__(self, reason: str, dropped: list[Dropped]) -> None:
        super().__init__(f"rows of {EDFI.name} are kept: {reason}")
        self.dropped = dropped


def prune(url: str, cutoff: datetime, *, dry_run: bool) -> list[Dropped]:
    """Let go of what is older, of the store's and of the Ed-Fi trigger's rows; tell what it was.

    Raises TokenStoreError, OfTheStoreAlone where the store's are gone and the trigger's are not.
    """
    asking = Asking(url)
    with asking.reading() as connection:
        tables = asking.tables(connection)
    if tables == (EDFI,):
        return _prune_edfi(url, cutoff, dry_run=dry_run)
    dropped = drop_before(url, cutoff, dry_run=dry_run)
    if EDFI not in tables:
        return dropped
    try:
        return dropped + _prune_edfi(url, cutoff, dry_run=dry_run)
    except TokenStoreError as error:
        raise OfTheStoreAlone(str(error), dropped) from None


def _prune_edfi(url: str, cutoff: datetime, *, dry_run: bool) -> list[Dropped]:
    engine = engine_at(url)
    count, delete = statements_edfi(cutoff)
    try:
        with engine.begin() as connection:
            _check_plain(connection, "ACCESS SHARE" if dry_run else "ROW EXCLUSIVE")
            rows, since = connection.exec_driver_sql(count).one()
            if rows and not dry_run:
                connection.exec_driver_sql(delete)
    except FAILURES as error:
        raise TokenStoreError(reason(error)) from None
    oldest = moment_of(since)
    if oldest is None:
        return []
    name = EDFI.name.rpartition(".")[2]
    return [Dropped(table=name, name=name, since=oldest, until=cutoff, rows=rows, size=None)]


def _check_plain(connection: sa.Connection, mode: str) -> None:
    """Lock the trigger's table, so that it stays as it is, and see that it runs nobody's code."""
    connection.exec_driver_sql(f"LOCK TABLE {EDFI.name} IN {mode} MODE")
    if not connection.exec_driver_sql(_IS_PLAIN.format(table=EDFI.name)).scalar_one():
        raise TokenStoreError(
            "it has triggers, rules or policies, which would run with your rights; its owner can"
            " prune it"
        )


def statements_edfi(cutoff: datetime) -> tuple[str, str]:
    """Return what counts the old rows of the Ed-Fi trigger, and what deletes them."""
    old = f"FROM {EDFI.name}\nWHERE access_time < {literal('postgresql', cutoff)}"
    return f"SELECT count(*) AS rows, min(access_time) AS since\n{old}", f"DELETE {old}"


def statements(url: str, cutoff: datetime, *, dry_run: bool) -> list[str]:
    """Return the SQL that `prune` runs. Raises TokenStoreError for a URL that is none."""
    tables = Asking(url).usual_tables()
    of_edfi = [statements_edfi(cutoff)[0 if dry_run else 1]] if EDFI in tables else []
    of_store = _of_store(tables[0], cutoff, dry_run=dry_run) if tables[0] is not EDFI else []
    return of_store + of_edfi


def _of_store(table: Table, cutoff: datetime, *, dry_run: bool) -> list[str]:
    moment = literal(table.dialect, cutoff)
    if table.dialect == "postgresql":
        return [_DROP.format(moment=moment, dry_run=str(dry_run).lower())]
    return _counted(moment) if dry_run else _deleted(moment)


def _counted(moment: str) -> list[str]:
    return [
        f"SELECT count(*), min({time})\nFROM {name}\nWHERE {time} < {moment}"
        for name, time in list(_TIMES.items())[:2]
    ]


def _deleted(moment: str) -> list[str]:
    before, behind = _Noted(), _Noted()
    sqlite.unguard(cast("sa.Connection", before))
    sqlite.guard(cast("sa.Connection", behind))
    deletions = [
        _DELETE.format(table=name, time=time, moment=moment) for name, time in _TIMES.items()
    ]
    return ["BEGIN IMMEDIATE", *before.texts, *deletions, *behind.texts, "COMMIT"]


class _Noted:
    """Notes statements in a connection's place."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def exec_driver_sql(self, text: str) -> None:
        """Note a statement."""
        self.texts.append(text)
