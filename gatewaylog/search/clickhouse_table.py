"""The table that holds a log in ClickHouse, and a line as a row of it.

Values are texts, as the language compares texts; "" stands for a key that is not there and for one
without text, which are both null in it (`raw` tells them apart). ClickHouse's own advice is against
Nullable columns, and these make searches slower. A field without a column is in `extra`, so that a
table made by another version loses nothing.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewaylog.search.rows import Row

TABLE = "gatewaylog.events"


def _begin_of(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


# What DateTime64 holds, in microseconds since the epoch; LAST is the first that is too late.
FIRST, LAST = _begin_of(1900), _begin_of(2300)

# Few values: ClickHouse keeps each once.
_FEW = (
    *("Event", "ErrorSource", "API", "StatusCode", "ERROR_CODE", "ERROR_MESSAGE"),
    *("RequestInMethod", "RequestOutMethod", "APPLICATION_NAME", "UserAgent", "Outcome", "Writer"),
)
_MANY = (
    *("MessageID", "ResponseTo", "RequestInURL", "RequestOutURL", "END_USER_NAME", "RemoteIP"),
    *("DurationMs", "BackendMs", "BytesIn", "BytesOut", "Attempts", "TokenRef"),
    *("RequestID", "TraceID", "Truncated", "Seq"),
)
COLUMNS = (*_FEW, *_MANY)
_KNOWN = frozenset(COLUMNS)

# Lines of one microsecond are told apart by `position`, which grows with each line of a `source`,
# from file to file. The window lets the same batch be sent again without being counted twice.
DDL = f"""\
CREATE TABLE IF NOT EXISTS {TABLE}
(
    time DateTime64(6, 'UTC'),
    source LowCardinality(String),
    position UInt64,
{"".join(f"    {name} LowCardinality(String),{chr(10)}" for name in _FEW)}\
{"".join(f"    {name} String,{chr(10)}" for name in _MANY)}\
    extra Map(LowCardinality(String), String),
    raw String CODEC(ZSTD(3))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (time, source, position)
SETTINGS non_replicated_deduplication_window = 1000
"""


def record_of(row: Row, position: int, source: str = "") -> bytes:
    """Return a line as a record for `INSERT … FORMAT JSONEachRow`.

    `position` grows with each line of the same `source`. Texts are written as bytes, those that no
    UTF-8 knows as well: ClickHouse keeps whatever stands in a JSON string.
    """
    extra = {name: text for name, text in row.fields.items() if name not in _KNOWN}
    known = {name: text for name, text in row.fields.items() if name in _KNOWN}
    cells = {
        "time": _stamp(row.time),
        "source": source,
        "position": position,
        **known,
        "extra": extra,
    }
    begun = json.dumps(cells, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return begun[:-1] + b', "raw": "' + _escaped(row.raw) + b'"}\n'


def can_hold(row: Row) -> bool:
    """Tell whether the row's time is one that DateTime64 has: of the years 1900 to 2299."""
    return FIRST <= tick_of(row.time) < LAST


def tick_of(moment: float) -> int:
    """Return the whole microsecond nearest to `moment`, which a product of doubles may miss."""
    over, under = moment.as_integer_ratio()
    return (2_000_000 * over + under) // (2 * under)


def _stamp(moment: float) -> str:
    written = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=tick_of(moment))
    return written.strftime("%Y-%m-%d %H:%M:%S.%f")


def _escaped(raw: bytes) -> bytes:
    """Return bytes as they stand in a JSON string, read one to one."""
    text = json.dumps(raw.decode("utf-8", "surrogateescape"), ensure_ascii=False)
    return text[1:-1].encode("utf-8", "surrogateescape")
