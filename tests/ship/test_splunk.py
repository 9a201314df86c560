"""Lines to an HTTP Event Collector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.exceptions import ShipError
from tests.ship.counterparts import Collector, listening
from tests.ship.logs import append, lines, ndjson, once

if TYPE_CHECKING:
    from pathlib import Path


def test_splunk_gets_each_line_with_its_time(log: Path, state: Path) -> None:
    collector = Collector(acknowledges=True)
    append(log, range(10))
    with listening(collector.take) as counterpart:
        settings: dict[str, Any] = {"token": Collector.TOKEN, "host": "gw1", "index": "web"}
        once(log, state, to="splunk", url=counterpart.url, **settings)
    assert collector.lines == lines(range(10))
    assert collector.events[3] == {
        "time": 1_700_000_000.003,
        "host": "gw1",
        "sourcetype": "gatewaylog:access",
        "index": "web",
        "source": str(log),
        "event": lines([3])[0],
        "fields": {"event": "INCOMING_REQUEST"},
    }


def test_splunk_names_the_event_that_it_refuses_and_the_others_come_once(
    log: Path, state: Path
) -> None:
    collector = Collector()
    collector.refuses = lambda text: '/shop/3"' in text or '/shop/7"' in text
    append(log, range(10))
    with listening(collector.take) as counterpart:
        once(log, state, to="splunk", url=counterpart.url, token=Collector.TOKEN)
    assert collector.lines == lines(range(3), range(4, 7), range(8, 10))
    letters = ndjson(state / "dead-letters.ndjson")
    assert [letter["line"] for letter in letters] == lines([3, 7])


def test_splunk_stops_at_a_wrong_token(log: Path, state: Path) -> None:
    append(log, range(3))
    with (
        listening(Collector().take) as counterpart,
        pytest.raises(ShipError, match="Invalid token") as told,
    ):
        once(log, state, to="splunk", url=counterpart.url, token="se-cret")
    assert "se-cret" not in str(told.value)


def test_splunk_goes_on_behind_what_a_busy_collector_took(log: Path, state: Path) -> None:
    collector = Collector()
    busy = [{"text": "Server is busy", "code": 9, "invalid-event-number": 4}]

    def take(request: Any) -> Any:
        if not busy:
            return collector.take(request)
        decoder, at, text = json.JSONDecoder(), 0, request.unpacked.decode()
        for _ in range(4):
            event, at = decoder.raw_decode(text, at)
            collector.events.append(event)
        return 503, {}, json.dumps(busy.pop()).encode()

    append(log, range(10))
    with listening(take) as counterpart:
        once(log, state, to="splunk", url=counterpart.url, token=Collector.TOKEN)
    assert collector.lines == lines(range(10))


def test_what_is_not_indexed_in_time_is_sent_again(log: Path, state: Path) -> None:
    collector = Collector(acknowledges=True)
    deaf = [True] * 1

    def take(request: Any) -> Any:
        if request.path.endswith("/ack") and deaf:
            return 200, {}, b'{"acks":{"0":false}}'
        if len(collector.events) == 3:
            deaf.clear()
        return collector.take(request)

    append(log, range(3))
    with listening(take) as counterpart:
        settings: dict[str, Any] = {"token": Collector.TOKEN, "timeout": 0.5}
        once(log, state, to="splunk", url=counterpart.url, **settings)
    assert collector.lines == lines(range(3), range(3))
