"""What the page is told, as values for JSON: events that a query gives, tables, exchanges."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.reader import Exchange
    from gatewaylog.search import Plan, QueryError, Result
    from gatewaylog.search.values import Record, Value

SHOWN = 200  # rows of an answer
_LONGEST = 2000  # characters of a value
_EVENT_FIELDS = (
    ("event", "Event"),
    ("api", "API"),
    ("method", "RequestInMethod"),
    ("url", "RequestInURL"),
    ("out", "RequestOutURL"),
    ("status", "StatusCode"),
    ("ms", "DurationMs"),
    ("ip", "RemoteIP"),
    ("outcome", "Outcome"),
    ("error", "ERROR_MESSAGE"),
    ("source", "ErrorSource"),
)


def events(plan: Plan, lines: Sequence[bytes]) -> dict[str, object]:
    """Return the events among `lines`, which are newest first, that a search finds."""
    return events_of(plan.run(plan.rows(lines), prefiltered=True))


def events_of(result: Result, most: int = SHOWN) -> dict[str, object]:
    """Return the events that a search gave, `most` of them."""
    return {"events": [_event(record) for record in islice(result.rows, most)]}


def table(plan: Plan, lines: Sequence[bytes]) -> dict[str, object]:
    """Return the rows that a query with commands makes of `lines`, which are newest first."""
    result = plan.run(plan.rows(lines), prefiltered=True)
    return {**table_of(result), "over": len(lines)}


def table_of(result: Result, most: int = SHOWN) -> dict[str, object]:
    """Return the columns and rows of a result, `most` of these, and whether there are more."""
    rows = list(islice(result.rows, most + 1))
    columns = result.columns
    if columns is None:
        names = dict.fromkeys(name for row in rows for name in row if name != "_raw")
        columns = tuple(names)
    return {
        "columns": columns,
        "rows": [[shown(row.get(name)) for name in columns] for row in rows[:most]],
        "more": len(rows) > most,
    }


def refusal(error: QueryError) -> dict[str, object]:
    """Return what is wrong with a query, with the caret."""
    return {"refused": str(error)}


def _event(record: Record) -> dict[str, object]:
    values = {short: shown(record.get(name)) for short, name in _EVENT_FIELDS}
    identity = record.get("ResponseTo") or record.get("MessageID")
    if values["event"] == "LOG_LOSS":  # is of no exchange
        identity = None
        values["error"] = shown(f"{record.get('Count')} events lost: {record.get('Reason')}")
    return {"time": record["_time"], "id": identity} | {
        short: None if value == "null" else value for short, value in values.items()
    }


def shown(value: Value | Sequence[Value] | None) -> object:
    """Return a value that JSON knows, texts cut."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value[:SHOWN]]
    return value


def exchange(found: Exchange) -> dict[str, object]:
    """Return all that is known of an exchange."""
    return {
        "id": found.id,
        "events": [
            {
                "time": line.time.timestamp(),
                "fields": [[name, shown(value)] for name, value in line.pairs if value is not None],
            }
            for line in found.lines
        ],
        "missing": _missing(found),
    }


def _missing(found: Exchange) -> str:
    if found.terminal is None:
        return "No terminal event: not ended yet, or cut off."
    return "" if found.incoming is not None else "Its INCOMING_REQUEST is not known."
