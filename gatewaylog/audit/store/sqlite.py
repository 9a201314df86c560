"""SQLite's side of the store: triggers that refuse changes.

They guard against mistakes, not against whoever can write the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

# A table, and what must not be there yet: REPLACE would delete it, past all other triggers.
_GUARDED = {
    "client_access_token_logs": ("message_id", "log_id"),
    "token_events": ("id",),
    "event_log": ("line_id", "id"),
}
APPEND_ONLY = tuple(_GUARDED)


def guard(connection: sa.Connection) -> None:
    """Make the triggers that are not there."""
    for table, keys in _GUARDED.items():
        for statement in _triggers(table, keys):
            connection.exec_driver_sql(statement)


def unguard(connection: sa.Connection) -> None:
    """Drop the triggers that refuse changes, until `guard` makes them again."""
    for table in _GUARDED:
        for change in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{change}")


def _triggers(table: str, keys: tuple[str, ...]) -> list[str]:
    refused = [
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{change} BEFORE {change.upper()} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only: {change.upper()} is refused'); END"
        for change in ("update", "delete")
    ]
    there = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608 - names of ours
        for key in keys
    )
    once = (
        f"CREATE TRIGGER IF NOT EXISTS {table}_once BEFORE INSERT ON {table}"
        f" WHEN {there} BEGIN SELECT RAISE(IGNORE); END"
    )
    return [*refused, once]
