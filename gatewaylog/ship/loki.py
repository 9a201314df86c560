"""Lines to Grafana Loki's push API (`POST /loki/api/v1/push`, JSON with gzip).

Labels are few, as each combination is a stream of its own: job, node, event, api. What tells one
call from another is structured metadata. A batch is small, since Loki knows an entry again (same
time, labels, line and metadata: stored once) only while the first is in the stream's open block.
"""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.ship.destination import Limits, Refused
from gatewaylog.ship.web import Web, judge, unlike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.ship.records import Record
    from gatewaylog.ship.settings import Settings

PUSH = "/loki/api/v1/push"
# Loki's pkg/validation: "entry for stream '…' has timestamp too old: …, oldest acceptable …"
_OLDEST = re.compile(
    rb"has timestamp too old: [^,]+, oldest acceptable timestamp is: ([0-9T:-]{19}Z)"
)
_METADATA = {
    "message_id": "MessageID",
    "response_to": "ResponseTo",
    "request_id": "RequestID",
    "trace_id": "TraceID",
    "error_source": "ErrorSource",
}


def made(settings: Settings) -> Loki:
    """Return the destination. Raises ShipError."""
    return Loki(settings)


class _Push(NamedTuple):
    body: bytes
    times: Sequence[int]


class Loki:
    """Loki, or what takes the same: Grafana Cloud, Alloy, Vector."""

    limits = Limits(size=96 * 1024, events=1000)

    def __init__(self, settings: Settings) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        if settings.tenant:
            headers["X-Scope-OrgID"] = settings.tenant
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._job = settings.job
        self._web = Web(settings, PUSH, headers)

    def prepare(self, records: Sequence[Record]) -> _Push:
        """Return one stream for each combination of labels, its lines in their order."""
        streams: dict[tuple[tuple[str, str], ...], list[object]] = {}
        for record in records:
            entry = [str(record.nanoseconds), record.text, _metadata(record)]
            streams.setdefault(self._labels(record), []).append(entry)
        pushed = [{"stream": dict(labels), "values": values} for labels, values in streams.items()]
        text = json.dumps({"streams": pushed}, separators=(",", ":"))
        body = gzip.compress(text.encode(), compresslevel=1, mtime=0)
        return _Push(body, [record.nanoseconds for record in records])

    def _labels(self, record: Record) -> tuple[tuple[str, str], ...]:
        labels = {
            "job": self._job,
            "node": record.node,
            "event": record.event,
            "api": record.of("API"),
        }
        return tuple((name, value) for name, value in labels.items() if value)

    def send(self, prepared: _Push) -> Sequence[tuple[int, str]]:
        """Push; of a 400 the good lines are stored, and are known again when they are sent anew.

        Yes is 204, or another success without a body: VictoriaLogs answered 200 for long.
        """
        answer = self._web.post(prepared.body)
        if answer.status == HTTPStatus.BAD_REQUEST and (old := _too_old(answer.body, prepared)):
            raise Refused(answer.told, blamed=old)
        judge(answer)
        if answer.status != HTTPStatus.NO_CONTENT and answer.body.strip():
            raise unlike(answer, "Loki answers 204", "Loki's")
        return ()

    def finish(self) -> None:
        """Do nothing: each batch was acknowledged."""

    def close(self) -> None:
        """Close the connections."""
        self._web.close()


def _too_old(body: bytes, prepared: _Push) -> list[int]:
    """Return the places of lines before the time that Loki names as the oldest it takes.

    It names it in whole seconds (`reject_old_samples_max_age`, the same for all streams), so that
    what is before that is refused for sure.
    """
    found = _OLDEST.search(body)
    if not found:
        return []
    try:
        oldest = datetime.fromisoformat(found[1].decode()).timestamp() * 10**9
    except ValueError:
        return []
    return [at for at, time in enumerate(prepared.times) if time < oldest]


def _metadata(record: Record) -> dict[str, str]:
    return {name: value for name, key in _METADATA.items() if (value := record.of(key))}
