"""Which ids of others are believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from gatewaylog.middleware.correlation import request_id, trace_id

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = b"00f067aa0ba902b7"


@pytest.mark.parametrize(
    "value", [b"a", b"A" * 128, b"azAZ09._~+/=:-", b"f47ac10b-58cc-4372-a567-0e02b2c3d479"]
)
def test_a_request_id_that_can_stand_anywhere_is_kept(value: bytes) -> None:
    assert request_id(value) == value.decode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"A" * 129,
        b"a b",
        b"a\n",
        b"\na",
        b'a"',
        b"a,b",
        b"a;b",
        b"\xe9",
        b"a\x00",
        b"<a>",
    ],
)
def test_any_other_request_id_is_ignored(value: bytes | None) -> None:
    assert request_id(value) is None


@given(st.binary(max_size=140))
def test_no_request_id_holds_anything_else(value: bytes) -> None:
    found = request_id(value)
    assert found is None or found.encode() == value
    assert found is None or set(found) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=:-"
    )


@pytest.mark.parametrize(
    "value",
    [
        b"00-%b-%b-01" % (TRACE, SPAN),
        b"00-%b-%b-00" % (TRACE, SPAN),
        b" \t00-%b-%b-01 " % (TRACE, SPAN),
        b"01-%b-%b-01" % (TRACE, SPAN),
        b"cc-%b-%b-01-what-the-future-will-be-like" % (TRACE, SPAN),
    ],
)
def test_the_trace_of_a_valid_traceparent_is_kept(value: bytes) -> None:
    assert trace_id(value) == TRACE.decode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"00-%b-%b-01" % (b"0" * 32, SPAN),
        b"00-%b-%b-01" % (TRACE, b"0" * 16),
        b"ff-%b-%b-01" % (TRACE, SPAN),
        b"00-%b-%b-01-more" % (TRACE, SPAN),
        b"cc-%b-%b-01.more" % (TRACE, SPAN),
        b"00-%b-%b-01" % (TRACE.upper(), SPAN),
        b"00-%b-%b-1" % (TRACE, SPAN),
        b"0-%b-%b-01" % (TRACE, SPAN),
        b"00-%b-%b" % (TRACE, SPAN),
        b"00-%b-%b-01" % (TRACE[:-1], SPAN),
        b"00-%b-%b-01\n" % (TRACE, SPAN),
        b"00_%b_%b_01" % (TRACE, SPAN),
    ],
)
def test_an_invalid_traceparent_is_no_trace(value: bytes | None) -> None:
    assert trace_id(value) is None


def test_the_running_span_is_the_trace_where_the_client_names_none() -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("call") as span:
        running = f"{span.get_span_context().trace_id:032x}"
        assert trace_id(None) == running
        assert trace_id(b"nonsense") == running
        assert trace_id(b"00-%b-%b-01" % (TRACE, SPAN)) == TRACE.decode()
    assert not trace.get_current_span().get_span_context().is_valid
    assert trace_id(None) is None


def test_an_application_without_opentelemetry_does_not_load_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(__import__("sys").modules, "opentelemetry.trace")
    assert trace_id(None) is None
