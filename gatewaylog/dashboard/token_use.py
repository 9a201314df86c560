"""What the page tells of the use of tokens, asked in a process of its own.

The queries are those of `gatewaylog tokens vendors|suspicious|timeline`, in the same windows.
"""

from __future__ import annotations

import heapq
import json
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from gatewaylog.dashboard import answers
from gatewaylog.dashboard.apart import sending
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection

    import sqlalchemy as sa

    from gatewaylog.audit.queries.asking import Value
    from gatewaylog.audit.queries.statements import Name, Table
    from gatewaylog.audit.rules import Finding

QUERIES, RULES = "queries", "rules"  # what is asked together
_CHARTED = ("vendor", "client")
Part = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where the use of tokens is kept, and the rules as `[rules]` has them.

    `trouble` tells why neither is known.
    """

    url: str = field(default="", repr=False)  # may hold a password
    rules: Mapping[str, Any] = field(default_factory=dict)
    geoip: str = ""
    trouble: str = ""


def send_use(store: Store, of: str, now: float, limit: float, output: Connection) -> None:
    """Ask, and send the parts of QUERIES or RULES as they come; at last why it `ended`, if badly.

    `limit` is seconds that a statement may take.
    """
    with sending(output) as send:
        for part in _told(store, of, now, limit):
            send(json.dumps(part, default=str).encode())  # a BLOB of SQLite's is told as one


def _told(store: Store, of: str, now: float, limit: float) -> Iterator[Part]:
    why = ""
    try:
        yield from _parts(store, of, now, limit)
    except TokenStoreError as error:
        why = str(error)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("gatewaylog"):
            raise
        why = f"{error.name} is not installed: pip install 'gatewaylog[database]'"
    yield {"ended": why}


def _parts(store: Store, of: str, now: float, limit: float) -> Iterator[Part]:
    from gatewaylog.audit.queries.asking import EDFI, Asking

    asking = Asking(store.url, timeout=limit)
    with asking.reading() as connection:
        table = asking.table(connection)
        if of == QUERIES:
            yield {"vendors": _listed(connection, table, "vendors")}
            yield {"often": _listed(connection, table, "suspicious")}
            yield {"timeline": _timeline(connection, table, now)}
        elif table is EDFI:
            yield {"findings": {"failed": "Ed-Fi's log tells of logins alone"}}
        else:
            yield {"findings": _found(connection, store, now)}


def _listed(connection: sa.Connection, table: Table, name: Name) -> Part:
    from gatewaylog.audit.queries.asking import rows_of
    from gatewaylog.audit.queries.statements import THRESHOLD, USUAL, Window, statement

    sql = statement(name, table, Window(last=USUAL[name]), threshold=THRESHOLD)
    rows = list(islice(rows_of(connection, sql), answers.SHOWN + 1))
    return {
        "rows": [
            {key: _shown(value) for key, value in row.items()} for row in rows[: answers.SHOWN]
        ],
        "more": len(rows) > answers.SHOWN,
        "threshold": THRESHOLD,
    }


def _shown(value: Value) -> object:
    return value.timestamp() if isinstance(value, datetime) else answers.shown(value)


def _timeline(connection: sa.Connection, table: Table, now: float) -> Part:
    """Return charts as `timechart` has them, of the whole hours of a week and this one."""
    from gatewaylog.audit.queries.asking import rows_of
    from gatewaylog.audit.queries.hours import BY, HOUR, Hourly
    from gatewaylog.audit.queries.statements import USUAL, Window, statement

    week = USUAL["timeline"]
    assert week is not None  # noqa: S101 - for the type checker
    end = (int(now) // HOUR + 1) * HOUR
    start = end - HOUR - int(week.total_seconds())
    counted = {name: Hourly(BY[name]) for name in _CHARTED}
    sql = statement("timeline", table, Window(earliest=start, latest=end))
    for row in rows_of(connection, sql):
        for hourly in counted.values():
            hourly.add(row)
    hours = range(start, end, HOUR)
    return {
        name: {
            "start": start,
            "span": HOUR,
            "series": [
                {"name": answers.shown(series.name), "counts": series.counts}
                for series in hourly.series(hours)
            ],
        }
        for name, hourly in counted.items()
    }


def _found(connection: sa.Connection, store: Store, now: float) -> Part:
    """Return what the rules find, the gravest first, the newest of these."""
    from gatewaylog.audit import rules as known
    from gatewaylog.audit.queries.findings import HISTORY, RECENT, findings
    from gatewaylog.audit.rules.places import Places

    until = datetime.fromtimestamp(now, UTC)
    since = until - RECENT
    with ExitStack() as stack:
        try:
            places = stack.enter_context(closing(Places(store.geoip))) if store.geoip else None
            made = known.rules(**store.rules, locate=places)
        except (ValueError, TypeError, KeyError) as error:
            return {"failed": f"[rules]: {error}"}
        titles = {name: rule.title for name, rule in known.RULES.items()}
        try:
            found = findings(connection, made, since=since, until=until, history=since - HISTORY)
            return _gravest(list(found), titles)
        except ValueError as error:  # of a time in SQLite that is none
            return {"failed": str(error)}


def _gravest(found: list[Finding], titles: Mapping[str, str]) -> Part:
    return {
        "rows": [
            {
                "rule": finding.rule,
                "title": titles[finding.rule],
                "severity": finding.severity.name.lower(),
                "client": answers.shown(finding.client),
                "at": finding.at,
                "why": answers.shown(finding.detail),
                "id": finding.rows[-1] if finding.rows else None,
            }
            for finding in heapq.nlargest(answers.SHOWN, found, key=attrgetter("severity", "at"))
        ],
        "total": len(found),
    }
