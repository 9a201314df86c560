"""Which ids of others a request carries: X-Request-ID and the trace it belongs to."""

from __future__ import annotations

import re
import sys

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~+/=:-]{1,128}")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def request_id(value: bytes | None) -> str | None:
    """Return a client's X-Request-ID where it can stand anywhere; anything else is ignored."""
    if value is None or not _REQUEST_ID.fullmatch(value):
        return None
    return value.decode("ascii")


def trace_id(traceparent: bytes | None) -> str | None:
    """Return the trace id of a traceparent (W3C Trace Context §3.2), else of the running
    OpenTelemetry span, where the application has loaded OpenTelemetry.
    """
    if traceparent is not None and (valid := _valid_trace_id(traceparent)) is not None:
        return valid
    if "opentelemetry.trace" in sys.modules:
        return _span_trace_id()
    return None


def _valid_trace_id(traceparent: bytes) -> str | None:
    match = _TRACEPARENT.fullmatch(traceparent.strip(b" \t"))
    if match is None:
        return None
    version, trace, span, more = match.groups()
    if version == b"ff" or (version == b"00" and more) or not trace.strip(b"0"):
        return None
    return trace.decode("ascii") if span.strip(b"0") else None


def _span_trace_id() -> str | None:
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
