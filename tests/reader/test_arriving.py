"""Exchanges given one by one, as they end or as they stay open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.formats import Line, parse_line
from gatewaylog.reader import Arriving, Exchange, Last, arriving, find, find_ends, lines_of
from tests.reader.logs import complete, encoded, error, identity, incoming, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gatewaylog.events import Event


def line_of(event: Event, seconds: float = 0.0) -> Line:
    line = parse_line(encoded(event, seconds)[:-1])
    assert isinstance(line, Line)
    return line


def told(exchanges: Iterable[Exchange]) -> list[tuple[str | None, int]]:
    """The id of each exchange, and how many of its lines are known."""
    return [(exchange.id, len(exchange.lines)) for exchange in exchanges]


def test_an_exchange_is_given_once_when_it_ends() -> None:
    arrived = Arriving()
    assert told(arrived.take(line_of(incoming(1)), 0)) == []
    assert told(arrived.take(line_of(complete(1)), 0.5)) == [(identity(1), 2)]
    assert told(arrived.waiting(9)) == told(arrived.rest()) == []


def test_one_that_stays_open_is_given_after_a_while_and_again_when_it_ends() -> None:
    arrived = Arriving(patience=1)
    for at in range(3):
        assert told(arrived.take(line_of(incoming(at)), at)) == []
    assert told(arrived.waiting(2.5)) == [(identity(0), 1), (identity(1), 1)]
    assert told(arrived.waiting(2.5)) == []
    assert told(arrived.take(line_of(error(0)), 3)) == [(identity(0), 2)]
    assert told(arrived.rest()) == [(identity(2), 1)]


def test_what_can_t_be_paired_is_given_at_once() -> None:
    arrived = Arriving()
    assert told(arrived.take(line_of(error(None)), 0)) == [(None, 1)]
    assert told(arrived.take(line_of(complete(7)), 0)) == [(identity(7), 1)]
    assert told(arrived.take(line_of(incoming(1, message_id=None)), 0)) == [(None, 1)]
    assert told(arrived.take(line_of(incoming(2)), 0)) == []
    assert told(arrived.take(line_of(incoming(2)), 0)) == [(identity(2), 1)]


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_either_event_brings_it(first: bool, second: bool) -> None:
    arrived = Arriving()
    begun = told(arrived.take(line_of(incoming(1)), 0, wanted=first))
    ended = told(arrived.take(line_of(complete(1)), 0, wanted=second))
    assert (begun, ended) == ([], [(identity(1), 2 if first else 1)])


def test_of_what_never_ends_the_oldest_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "_MOST_OPEN", 2)
    arrived = Arriving(patience=1)
    assert told(arrived.take(line_of(incoming(0)), 0)) == []
    assert told(arrived.waiting(5)) == [(identity(0), 1)]
    assert told(arrived.take(line_of(incoming(1)), 5)) == []
    assert told(arrived.take(line_of(incoming(2)), 5)) == []
    assert told(arrived.take(line_of(incoming(3)), 5)) == [(identity(1), 1)]


def last_of(events: list[Event], count: int) -> tuple[list[tuple[str | None, int]], int]:
    """What is found, and how many lines were taken for it."""
    last, taken = Last(count), 0
    for event in reversed(events):
        if last.is_enough():
            break
        last.take(line_of(event))
        taken += 1
    return told(last.exchanges()), taken


def test_the_last_are_those_that_ended_last_and_no_more_is_read_than_it_takes() -> None:
    events: list[Event] = [*map(incoming, range(9)), *map(complete, range(8))]
    assert last_of(events, 2) == ([(identity(6), 1), (identity(7), 1)], 2)
    found, taken = last_of(events, 9)
    assert taken == 9
    assert found == [(identity(8), 1), *((identity(at), 1) for at in range(8))]


def test_where_a_line_does_not_tell_how_long_it_took_its_beginning_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[Event] = [incoming(1), incoming(2), complete(1, duration_ms=None), complete(2)]
    assert last_of(events, 2) == ([(identity(1), 2), (identity(2), 2)], 4)
    monkeypatch.setattr(arriving, "_MORE", 1)
    assert last_of(events, 2) == ([(identity(1), 1), (identity(2), 2)], 3)


def test_a_double_is_an_exchange_of_its_own() -> None:
    assert last_of([incoming(1), incoming(1), complete(1)], 9)[0] == [
        (identity(1), 1),
        (identity(1), 2),
    ]


def test_ends_are_found_by_the_ids_of_what_they_end(tmp_path: Path) -> None:
    events: list[Event] = [
        incoming(1),
        complete(1),
        incoming(2),
        error(2),
        error(None),
        incoming(3),
    ]
    log = write(tmp_path / "log", b"".join(map(encoded, events)) + identity(3).encode() + b"\n")
    found = find_ends([identity(3), identity(2), identity(1)], find(log))
    ends = {name: entry.line for name, entry in found.items()}
    assert {name: line.event for name, line in ends.items() if isinstance(line, Line)} == {
        identity(1): complete(1),
        identity(2): error(2),
    }
    assert list(found) == [identity(1), identity(2)]
    assert len(list(lines_of(find(log)))) == 7
