"""Lines to an OpenTelemetry receiver: OTLP/HTTP with protobuf (`POST /v1/logs`).

The records are encoded by opentelemetry-exporter-otlp-proto-common and posted by us: the SDK's own
exporter hides what a receiver rejects of a batch (`partial_success`). It tells how many, never
which, so that the records of such a batch are sent once more, one by one: those that are refused
alone are the dead letters. OTLP (1.x, Partial Success) says that a client must not retry then, as
what was accepted comes twice; it carries the same `log.record.uid` each time, by which doubles are
known and may be removed (semantic conventions, general log attributes). The next batches are
smaller. Attributes follow the HTTP semantic conventions.
"""

from __future__ import annotations

import gzip
import os
import re
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

import gatewaylog
from gatewaylog.exceptions import ShipError
from gatewaylog.ship.destination import Limits, RefusedInPart
from gatewaylog.ship.options import PRINTABLE, is_printable
from gatewaylog.ship.web import Web, judge, unlike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.ship.records import Record
    from gatewaylog.ship.settings import Settings
    from gatewaylog.ship.web import Answer

LOGS = "/v1/logs"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"  # the variable that every OTLP exporter reads
_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_TRACE = re.compile(r"[0-9a-f]{32}")
_NAMES = {
    "UserAgent": "user_agent.original",
    "RemoteIP": "client.address",
    "ERROR_CODE": "error.type",
    "END_USER_NAME": "user.name",
    "RequestOutURL": "gatewaylog.request_out.url",
    "RequestOutMethod": "gatewaylog.request_out.method",
    "APPLICATION_NAME": "gatewaylog.application",
}
_COUNTS = {
    "StatusCode": "http.response.status_code",
    "BytesIn": "http.request.body.size",
    "BytesOut": "http.response.body.size",
    "Attempts": "gatewaylog.attempts",
    "Seq": "gatewaylog.seq",
}
_DURATIONS = {"DurationMs": "gatewaylog.duration_ms", "BackendMs": "gatewaylog.backend_ms"}
_ELSEWHERE = {"Event", "TraceID", "RequestInMethod", "RequestInURL"}
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def made(settings: Settings) -> Otlp:
    """Return the destination. Raises ShipError."""
    return Otlp(settings)


class Otlp:
    """An OpenTelemetry Collector, or any other receiver of OTLP over HTTP."""

    limits = Limits(size=512 * 1024, events=1000)

    def __init__(self, settings: Settings) -> None:
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            **_headers(os.environ.get(HEADERS, "")),
        }
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._scope = InstrumentationScope("gatewaylog", gatewaylog.__version__)
        self._resource = Resource(
            {"service.name": settings.job, "host.name": settings.host or socket.gethostname()}
        )
        self._web = Web(settings, LOGS, headers)

    def prepare(self, records: Sequence[Record]) -> tuple[bytes, int]:
        """Return the request, and how many records it holds."""
        now = time.time_ns()
        batch = [
            ReadableLogRecord(log_record(record, now), self._resource, self._scope)
            for record in records
        ]
        request = encode_logs(batch).SerializeToString()
        return gzip.compress(request, compresslevel=1, mtime=0), len(batch)

    def send(self, prepared: tuple[bytes, int]) -> Sequence[tuple[int, str]]:
        """Post; raises RefusedInPart where the receiver rejected some records of several."""
        content, count = prepared
        answer = self._web.post(content)
        judge(answer)
        rejected, message = _rejected(answer)
        if rejected <= 0:
            return ()
        if rejected >= count:
            return [(at, message) for at in range(count)]
        raise RefusedInPart(f"{rejected} of {count} were rejected: {message}")

    def finish(self) -> None:
        """Do nothing: each batch was acknowledged."""

    def close(self) -> None:
        """Close the connections."""
        self._web.close()


def _rejected(answer: Answer) -> tuple[int, str]:
    """Return how many records a receiver rejected, and what it says of it.

    Raises TryAgain where it says nothing that a receiver says. Protobuf was asked for, and is what
    is answered then; some answer JSON all the same. Nothing is a success: a message without fields.
    """
    try:
        if answer.body.lstrip().startswith(b"{"):
            response = json_format.Parse(answer.body, ExportLogsServiceResponse())
        else:
            response = ExportLogsServiceResponse.FromString(answer.body)
    except (DecodeError, json_format.ParseError, ValueError, RecursionError):
        raise unlike(answer, "OTLP answers protobuf", "a receiver's") from None
    partial = response.partial_success
    return partial.rejected_log_records, partial.error_message or "no reason given"


def log_record(record: Record, now: int) -> LogRecord:
    """Return a line in OpenTelemetry's terms; `now` is when it is sent, in nanoseconds."""
    severity, text = _severity(record)
    made = LogRecord(
        timestamp=record.nanoseconds,
        observed_timestamp=now,
        severity_number=severity,
        severity_text=text,
        body=record.text,
        attributes=_attributes(record),
        event_name=f"gatewaylog.{record.event.lower()}",
    )
    trace = record.of("TraceID")
    if _TRACE.fullmatch(trace):
        made.trace_id = int(trace, 16)
    return made


def _severity(record: Record) -> tuple[SeverityNumber, str]:
    if record.event == "LOG_LOSS":
        return SeverityNumber.ERROR, "ERROR"
    if record.event != "ERROR":
        return SeverityNumber.INFO, "INFO"
    if record.of("StatusCode").startswith("4"):
        return SeverityNumber.WARN, "WARN"
    return SeverityNumber.ERROR, "ERROR"


def _attributes(record: Record) -> dict[str, str | int | float]:
    attributes: dict[str, str | int | float] = _request(record)
    if uid := _uid(record):
        attributes["log.record.uid"] = uid
    for key, text in record.fields():
        if key in _COUNTS and text.isascii() and text.isdigit():
            attributes[_COUNTS[key]] = int(text)
        elif key in _DURATIONS:
            attributes[_DURATIONS[key]] = float(text)
        elif key not in _ELSEWHERE:
            attributes[_NAMES.get(key) or f"gatewaylog.{_snake(key)}"] = text
    return attributes


def _uid(record: Record) -> str:
    """Return what no other event has: Writer and Seq, else MessageID and Event; else nothing."""
    if (writer := record.of("Writer")) and (seq := record.of("Seq")):
        return f"{writer}-{seq}"
    message = record.of("MessageID")
    return f"{message}-{record.event}" if message else ""


def _request(record: Record) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {}
    if method := record.of("RequestInMethod"):
        found["http.request.method"] = method if method in _METHODS else "_OTHER"
        if method not in _METHODS:
            found["http.request.method_original"] = method
    path, mark, query = record.of("RequestInURL").partition("?")
    if path:
        found["url.path"] = path
    if mark:
        found["url.query"] = query
    return found


def _snake(key: str) -> str:
    return _WORDS.sub("_", key).lower()


def _headers(text: str) -> dict[str, str]:
    """Read what stands in the variable HEADERS: `name=value,…`, percent-encoded."""
    headers = {}
    for pair in filter(None, text.split(",")):
        quoted, mark, value = map(str.strip, pair.partition("="))
        name, value = unquote(quoted), unquote(value)
        if not mark or not _TOKEN.fullmatch(name):
            raise ShipError(f"otlp: {HEADERS} must be like name=value,name=value")
        if value and not is_printable(value):
            raise ShipError(f"otlp: each value of {HEADERS} must be {PRINTABLE}")
        headers[name] = value
    return headers
