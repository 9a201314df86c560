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


_TIMES = {
    "client_access_token_logs": "access_time",
    "token_events": "at",
    "ship_checkpoints": "at",
}
_DROP = "SELECT * FROM gatewaylog.drop_before({moment}, {dry_run})"
_DELETE = "DELETE FROM {table} WHERE {time} < {moment}"


def prune(url: str, cutoff: datetime, *, dry_run: bool) -> list[Dropped]:
    """Let go of what is older, of the store's or of the Ed-Fi trigger's rows; tell what it was.

    Raises TokenStoreError.
    """
    asking = Asking(url)
    with asking.reading() as connection:
        table = asking.table(connection)
    if table is EDFI:
        return _prune_edfi(url, cutoff, dry_run=dry_run)
    return drop_before(url, cutoff, dry_run=dry_run)


def _prune_edfi(url: str, cutoff: datetime, *, dry_run: bool) -> list[Dropped]:
    engine = engine_at(url)
    count, delete = statements_edfi(cutoff)
    try:
        with engine.begin() as connection:
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


def statements_edfi(cutoff: datetime) -> tuple[str, str]:
    """Return what counts the old rows of the Ed-Fi trigger, and what deletes them."""
    old = f"FROM {EDFI.name}\nWHERE access_time < {literal('postgresql', cutoff)}"
    return f"SELECT count(*) AS rows, min(access_time) AS since\n{old}", f"DELETE {old}"


def statements(url: str, cutoff: datetime, *, dry_run: bool) -> list[str]:
    """Return the SQL that `prune` runs. Raises TokenStoreError for a URL that is none."""
    table = Asking(url).usual_table()
    if table is EDFI:
        return [statements_edfi(cutoff)[0 if dry_run else 1]]
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
