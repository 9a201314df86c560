"""The queries of Ed-Fi's guide "Client Access Token Monitoring" over the use of tokens, as SQL.

Each is whole as it stands: what `--sql` shows is what is run. Rows come in one order on SQLite and
PostgreSQL: nulls last, texts by code point, times in UTC.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Name = Literal["log", "vendors", "suspicious", "timeline"]
Dialect = Literal["sqlite", "postgresql"]

MOMENTS = frozenset({"access_time", "first_access", "last_access", "access_hour"})
THRESHOLD = 100
_HOUR = timedelta(hours=1)
# How far back each looks, as the guide has it for PostgreSQL.
USUAL: dict[Name, timedelta | None] = {
    "log": None,
    "vendors": 24 * _HOUR,
    "suspicious": _HOUR,
    "timeline": 7 * 24 * _HOUR,
}


# `where` is a line of its own, or nothing.
_STATEMENTS: dict[Name, str] = {
    "log": """\
SELECT {columns}
FROM {table}
{where}ORDER BY vendor_name{first}, application_name{first}, access_time, log_id""",
    "vendors": """\
SELECT
  vendor_name,
  count(*) AS access_count,
  max(access_time) AS last_access,
  count(DISTINCT token_ref) AS unique_tokens
FROM {table}
{where}GROUP BY vendor_name
ORDER BY access_count DESC, vendor_name{first}""",
    "suspicious": """\
SELECT
  api_client_key,
  application_name,
  vendor_name,
  count(*) AS access_count,
  min(access_time) AS first_access,
  max(access_time) AS last_access
FROM {table}
{where}GROUP BY api_client_key, application_name, vendor_name
HAVING count(*) > {threshold}
ORDER BY
  access_count DESC, vendor_name{first}, application_name{first}, api_client_key{first}""",
    "timeline": """\
SELECT
  {hour} AS access_hour,
  vendor_name,
  application_name,
  api_client_key,
  count(*) AS access_count
FROM {table}
{where}GROUP BY 1, vendor_name, application_name, api_client_key
ORDER BY
  access_hour DESC, access_count DESC,
  vendor_name{first}, application_name{first}, api_client_key{first}""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of token use: the guide's columns, in snake case, and whatever more it has."""

    dialect: Dialect
    name: str
    columns: tuple[str, ...]

    @property
    def by_code_point(self) -> str:
        """What has texts ordered by code point, nulls behind them."""
        return " NULLS LAST" if self.dialect == "sqlite" else ' COLLATE "C" NULLS LAST'

    @property
    def hour(self) -> str:
        """The hour of an access in UTC."""
        if self.dialect == "sqlite":
            return "substr(access_time, 1, 13) || ':00:00'"
        return "date_trunc('hour', access_time, 'UTC')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Moments in seconds since the epoch, `latest` not in it; or all within `last`, by the
    database's own clock.
    """

    earliest: float | None = None
    latest: float | None = None
    last: timedelta | None = None

    def where(self, table: Table) -> str:
        """Return the condition, with its own line, empty where there is none.

        Raises ValueError for a moment that no database knows.
        """
        earliest = self._earliest(table)
        conditions = [f"access_time >= {earliest}"] if earliest else []
        if self.latest is not None:
            conditions.append(f"access_time < {_moment(table, self.latest)}")
        return f"WHERE {' AND '.join(conditions)}\n" if conditions else ""

    def _earliest(self, table: Table) -> str:
        if self.earliest is not None:
            return _moment(table, self.earliest)
        if self.last is None:
            return ""
        hours = round(self.last / _HOUR)
        if table.dialect == "sqlite":
            return f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-{hours} hours')"
        return f"CURRENT_TIMESTAMP - INTERVAL '{hours} hours'"


def statement(name: Name, table: Table, window: Window, *, threshold: int = THRESHOLD) -> str:
    """Return the SQL of a query; `threshold` is of "suspicious" alone."""
    return _STATEMENTS[name].format(
        table=table.name,
        columns=textwrap.fill(", ".join(table.columns), 90, subsequent_indent="  "),
        hour=table.hour,
        first=table.by_code_point,
        where=window.where(table),
        threshold=threshold,
    )


def literal(dialect: Dialect, at: datetime) -> str:
    """Return a moment as the database writes it."""
    text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"'{text}'" if dialect == "sqlite" else f"TIMESTAMPTZ '{text}+00'"


def _moment(table: Table, seconds: float) -> str:
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("out of range") from error
    return literal(table.dialect, at)
