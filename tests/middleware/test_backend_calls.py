"""An httpx client that tells the running exchange of its calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from gatewaylog import AccessLog, Exchange, RequestComplete, log_backend_calls
from gatewaylog.exchange import running
from gatewaylog.formats import Line, parse_line
from gatewaylog.sinks import MemorySink

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def served() -> Iterator[Exchange]:
    exchange = Exchange(AccessLog(MemorySink()), method="GET", url="/", started=0.0)
    token = running.set(exchange)
    try:
        yield exchange
    finally:
        running.reset(token)


def ended(exchange: Exchange) -> RequestComplete:
    exchange.status = 200
    exchange.end()
    sink = exchange._log.sink
    assert isinstance(sink, MemorySink)
    line = parse_line(sink.lines[-1].removesuffix(b"\n"))
    assert isinstance(line, Line)
    assert isinstance(line.event, RequestComplete)
    return line.event


def backend(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/moved":
        return httpx.Response(302, headers={"location": "https://backend/there"})
    if request.url.path == "/gone":
        raise httpx.ConnectError("refused")
    return httpx.Response(201)


def client() -> httpx.Client:
    return log_backend_calls(httpx.Client(transport=httpx.MockTransport(backend)))


def test_a_call_is_an_attempt_with_its_answer() -> None:
    with served() as exchange:
        client().post("https://u:p@backend:8443/a?token=s&b=c")
    event = ended(exchange)
    assert event.request_out_method == "POST"
    assert event.request_out_url == "https://backend:8443/a?token=REDACTED&b=c"
    assert (event.status_code, event.attempts) == (201, 1)
    assert event.backend_ms is not None


async def test_a_call_of_an_asynchronous_client_too() -> None:
    with served() as exchange:
        async with log_backend_calls(
            httpx.AsyncClient(transport=httpx.MockTransport(backend))
        ) as asynchronous:
            await asynchronous.get("https://backend/a")
    event = ended(exchange)
    assert event.request_out_url == "https://backend/a"
    assert (event.status_code, event.attempts) == (201, 1)


def test_a_redirect_is_a_call_of_its_own() -> None:
    with served() as exchange:
        client().get("https://backend/moved", follow_redirects=True)
    event = ended(exchange)
    assert (event.request_out_url, event.attempts) == ("https://backend/there", 2)


def test_a_backend_that_cannot_be_reached_has_not_answered() -> None:
    with served() as exchange, pytest.raises(httpx.ConnectError):
        client().get("https://backend/gone")
    assert (exchange.attempts, exchange.backend_status) == (1, None)


def test_calls_outside_of_an_exchange_are_left_alone() -> None:
    assert client().get("https://backend/a").status_code == 201


def test_hooks_of_a_users_own_stay_and_watching_twice_counts_once() -> None:
    seen: list[object] = []
    hooks = {"request": [seen.append], "response": [seen.append]}
    own = httpx.Client(transport=httpx.MockTransport(backend), event_hooks=hooks)
    assert log_backend_calls(own) is own
    log_backend_calls(own)
    with served() as exchange:
        own.get("https://backend/a")
    assert len(seen) == 2
    assert ended(exchange).attempts == 1
