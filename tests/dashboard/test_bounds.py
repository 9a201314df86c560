"""The page's memory has bounds, whatever is in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.dashboard import figures as room
from gatewaylog.dashboard import pairs, recent
from gatewaylog.dashboard.figures import READS, Figures
from gatewaylog.dashboard.recent import Recent
from gatewaylog.dashboard.timechart import SPANS, TimeChart
from gatewaylog.events import LogLoss
from gatewaylog.reader import find, lines_of
from gatewaylog.search import row_reader
from tests.reader.logs import complete, encoded, error, identity, incoming, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def shown(lines: Iterable[bytes]) -> Any:
    read, figures = row_reader(READS), Figures()
    for line in lines:
        row = read(line.rstrip(b"\n"))
        assert row is not None
        figures.add(row)
    return figures.shown()


def test_apis_beyond_the_bound_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST_APIS", 3)
    told = shown(encoded(incoming(n, api=f"api-{n}"), n) for n in range(6))
    names = {series["name"]: sum(series["counts"]) for series in told["charts"]["all"]["series"]}
    assert names == {"api-0": 1, "api-1": 1, "api-2": 1, "OTHER": 3}


def test_messages_of_an_api_beyond_the_bound_are_put_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "_MOST_RESULTS", 2)
    told = shown(encoded(error(n, error_message=f"message {n}")) for n in range(5))
    assert told["results"] == {"acme--Shop:v1": {"message 0": 1, "message 1": 1, "OTHER": 3}}


def test_rare_urls_are_let_go_and_the_total_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST_URLS", 10)
    urls = ["/often"] * 9 + [f"/{number}" for number in range(30)]
    lost = error(None, error_source="main", api=None)
    told = shown(encoded(lost._replace(request_in_url=url)) for url in urls)
    assert told["unmatched"][0] == ("null", "/often", 9)
    assert (len(told["unmatched"]) <= 11, told["unmatched_total"]) == (True, 39)


def test_exchanges_that_are_not_whole_are_let_go_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs, "_MOST", 10)
    begun = [encoded(incoming(number), number) for number in range(8)]
    told = shown([*begun, *(encoded(complete(100 + n), 20 + n) for n in range(8))])
    assert told["orphans"]["forgotten"] == 8


def test_what_is_no_number_or_no_call_counts_as_nothing_slow() -> None:
    loss = encoded(LogLoss("urn:uuid:1", lost=1, reason="disk"))
    ended = encoded(complete(1, duration_ms=None))
    assert b'DurationMs="null"' in ended
    told = shown([loss, ended])
    assert (told["lines"], told["slowest"]) == (2, [])


def test_days_at_the_end_of_time_are_counted() -> None:
    line = encoded(incoming(1))
    told = shown([b"9999-12-31T23:59:59.999-1200" + line[28:]])
    assert told["requests"] == 1


def test_the_last_lines_are_held_up_to_a_number_and_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"".join(encoded(incoming(number), number) for number in range(50))
    entries = list(lines_of(find(str(write(tmp_path / "api.log", content)))))
    held = Recent()
    held.take([])
    assert held.since(0) == ([], 0)
    monkeypatch.setattr(recent, "_MOST", 20)
    held.take(entries)
    assert (len(held), held.since(0).place) == (20, 50)
    assert held.since(0).lines[0] == entries[-1].raw
    monkeypatch.setattr(recent, "_MOST_BYTES", 5 * len(entries[-1].raw))
    held.take(entries)
    assert 0 < len(held) <= 6
    assert held.since(98).lines == [entries[-1].raw, entries[-2].raw]
    assert held.exchange(identity(49)) is None  # its end is not known


@pytest.mark.parametrize("window", [None, 900])
def test_a_chart_has_few_columns_whatever_time_it_covers(window: int | None) -> None:
    chart = TimeChart(window)
    for second in [*range(0, 4000, 7), 10**6, 10**8, 5 * 10**9, 1, 10**5]:
        chart.add(second, {"a": 1})
    drawn = chart.drawn()
    assert len(drawn["series"][0]["counts"]) <= 120
    assert drawn["span"] in SPANS
