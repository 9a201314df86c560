"""Exchanges without an end, told from rows by the reader's own rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from gatewaylog.events import IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.formats import Line
from gatewaylog.reader import Pairing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewaylog.events import Event
    from gatewaylog.reader import Orphan
    from gatewaylog.search import Row

_MOST = 200_000  # exchanges held that are not whole: about 200 MB
_SHOWN = 50
_LONGEST_URL = 500  # characters
_NULLS = (None, "null")


class ShownOrphan(TypedDict):
    """One of them, as the page shows it."""

    id: str
    fault: str
    time: float
    api: str
    method: str
    url: str


class ShownOrphans(TypedDict):
    """How many there are, the newest of them, and what stands in the way of knowing.

    `forgotten` counts exchanges that were let go as there were too many, `unpaired_errors` the
    ERRORs that don't say what they answer.
    """

    total: int
    newest: list[ShownOrphan]
    unpaired_errors: int
    forgotten: int


class Pairs:
    """A Pairing that takes rows, and holds no more than 200,000 exchanges that are not whole."""

    def __init__(self) -> None:
        self._pairing = Pairing()
        self._alone = 0
        self._forgotten = 0

    def add(self, row: Row) -> None:
        """Take the next line."""
        line = _line_of(row)
        if line is None:
            return
        exchange = self._pairing.add(line)
        if exchange is not None and exchange.incoming is None:
            self._alone += 1
        if self._pairing.open + self._alone > _MOST:
            self._forgotten += self._pairing.open
            self._pairing, self._alone = Pairing(), 0

    def shown(self) -> ShownOrphans:
        """Return the orphans as they are at the newest line."""
        found = self._pairing.orphans()
        return ShownOrphans(
            total=len(found),
            newest=[_shown(orphan) for orphan in found[: -_SHOWN - 1 : -1]],
            unpaired_errors=self._pairing.unpaired_errors,
            forgotten=self._forgotten,
        )


def shown_url(fields: Mapping[str, str], name: str = "RequestInURL") -> str:
    """Return a URL, cut where it is longer than anybody reads."""
    return fields.get(name, "-")[:_LONGEST_URL]


def _line_of(row: Row) -> Line | None:
    try:
        return Line(time=datetime.fromtimestamp(row.time, UTC), event=_event_of(row.fields))
    except (ValueError, OverflowError, OSError):
        return None  # the first or last day of all


def _event_of(fields: Mapping[str, str]) -> Event:
    """Return as much of the event as pairing and the page need: a fifth of parsing the line."""
    own, api = _text(fields, "MessageID"), _text(fields, "API")
    url, method = fields.get("RequestInURL"), fields.get("RequestInMethod")
    name = fields["Event"]
    if name == "INCOMING_REQUEST":
        return IncomingRequest(own, api, url, method)
    if name == "LOG_LOSS":
        return LogLoss(own)
    duration = _text(fields, "DurationMs")
    kind = RequestComplete if name == "REQUEST_COMPLETE" else RequestError
    return kind(
        message_id=own,
        api=api,
        response_to=_text(fields, "ResponseTo"),
        request_in_url=url,
        request_in_method=method,
        duration_ms=None if duration is None else float(duration),
    )


def _text(fields: Mapping[str, str], name: str) -> str | None:
    text = fields.get(name)
    return None if text in _NULLS else text


def _shown(orphan: Orphan) -> ShownOrphan:
    line = orphan.exchange.lines[0]
    return ShownOrphan(
        id=orphan.exchange.id or line.event.message_id or "",
        fault=orphan.fault,
        time=line.time.timestamp(),
        api=line.call.api or "",
        method=line.call.request_in_method or "-",
        url=(line.call.request_in_url or "-")[:_LONGEST_URL],
    )
