"""What counts as a yes: each destination's own, never that of whoever answers in its place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from gatewaylog.ship.destination import TryAgain
from gatewaylog.ship.settings import Settings, destination_of
from tests.ship.counterparts import Collector, Reply, Request, listening
from tests.ship.logs import append, lines, ndjson, once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ship.counterparts import LokiStore

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
LOGIN = b"<html><h1>Who are you?</h1></html>"
DEEP = b'{"a":' * 40_000


def sent(to: str, reply: Reply | Callable[[Request], Reply]) -> Request:
    """What was sent; returns only where the answer is taken for a yes."""
    take = reply if callable(reply) else lambda request: reply
    with listening(take) as counterpart:
        token = Collector.TOKEN if to == "splunk" else ""
        settings = Settings(to=to, url=counterpart.url, token=token)
        with contextlib.closing(destination_of(settings)) as destination:
            assert destination.send(destination.prepare([])) == ()
    return counterpart.requests[0]


@pytest.mark.parametrize(
    ("to", "reply"),
    [
        ("loki", (204, {}, b"")),
        ("loki", (200, {"Content-Type": "text/plain"}, b"")),  # VictoriaLogs before 1.17
        ("loki", (202, {}, b"\n")),
        ("splunk", (200, JSON, b'{"text":"Success","code":0}')),
        ("splunk", (200, {}, b'{"text":"Success","code":0,"eventIds":["a"]}')),
        ("otlp", (200, {"Content-Type": "application/x-protobuf"}, b"")),
        ("otlp", (200, JSON, b"{}")),
        ("otlp", (200, {"Content-Type": "text/plain; charset=utf-8"}, b'{"partialSuccess":{}}\n')),
        ("otlp", (200, JSON, b'{"partialSuccess":null}')),
        ("otlp", (204, {}, b"")),  # Loki's and Grafana Cloud's
        ("clickhouse", (200, {"Content-Type": "text/plain"}, b"")),
    ],
)
def test_what_a_destination_answers_is_a_yes(to: str, reply: Reply) -> None:
    sent(to, reply)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("loki", r"HTTP 200 with text/html where Loki answers 204 \(is this URL Loki's\?\)"),
        ("splunk", r"HTTP 200 with text/html where a collector answers JSON with code 0 \(is"),
        ("otlp", r"HTTP 200 with text/html where OTLP answers protobuf \(is"),
        ("clickhouse", r"HTTP 200 with text/html where ClickHouse answers nothing \(is"),
    ],
)
def test_a_login_page_takes_no_line(log: Path, state: Path, to: str, expected: str) -> None:
    with pytest.raises(TryAgain, match=expected):
        sent(to, (200, HTML, LOGIN))


@pytest.mark.parametrize(
    ("to", "reply"),
    [
        ("loki", (200, JSON, b'{"status":"ok"}')),
        ("splunk", (200, {}, b"")),
        ("splunk", (200, JSON, b'{"text":"Server is busy","code":9}')),
        ("splunk", (200, JSON, b'{"text":"?","code":99}')),
        ("splunk", (200, JSON, b"[0]")),
        ("splunk", (200, JSON, DEEP)),
        ("otlp", (200, {}, b"OK")),
        ("otlp", (200, JSON, b"{}\xff")),
        ("otlp", (200, JSON, b'{"error":"log in first"}')),
        ("otlp", (200, JSON, DEEP)),
        ("clickhouse", (200, {}, b"Code: 241. DB::Exception: Memory limit exceeded")),
        ("clickhouse", (200, {"X-ClickHouse-Exception-Code": "241"}, b"")),
        ("clickhouse", (200, {"X-ClickHouse-Exception-Code": "\xb2"}, b"")),
    ],
)
def test_what_no_destination_answers_is_no_yes(to: str, reply: Reply) -> None:
    with pytest.raises(TryAgain):
        sent(to, reply)


def test_a_type_that_is_none_is_not_shown() -> None:
    with pytest.raises(TryAgain, match=r"HTTP 200 with a body where Loki answers 204"):
        sent("loki", (200, {"Content-Type": "text/\x1b[31mhtml"}, LOGIN))


def test_clickhouse_is_asked_to_answer_at_the_end() -> None:
    assert sent("clickhouse", (200, {}, b"")).query["wait_end_of_query"] == ["1"]


def test_an_acknowledgement_is_a_collectors() -> None:
    def take(request: Request) -> Reply:
        if request.path.endswith("/ack"):
            return 200, HTML, LOGIN
        return 200, JSON, b'{"text":"Success","code":0,"ackId":0}'

    with pytest.raises(TryAgain, match="text/html where a collector answers JSON with acks"):
        sent("splunk", take)


def test_lines_that_a_login_page_got_are_sent_again(
    log: Path, state: Path, store: LokiStore, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is told once, and not at each time that it comes."""
    pages = [LOGIN] * 3
    append(log, range(5))
    with listening(
        lambda request: (200, HTML, pages.pop()) if pages else store.take(request)
    ) as counterpart:
        once(log, state, to="loki", url=counterpart.url)
    assert store.lines == lines(range(5))
    assert ndjson(state / "dead-letters.ndjson") == []
    assert capfd.readouterr().err.splitlines() == [
        "gatewaylog: loki: HTTP 200 with text/html where Loki answers 204 (is this URL Loki's?);"
        " trying again, nothing is lost",
        "gatewaylog: loki: takes lines again",
    ]
