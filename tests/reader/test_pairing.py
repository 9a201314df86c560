"""Exchanges put together from their lines, and those that are not whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.formats import FORMATS, Line, parse_line
from gatewaylog.reader import Exchange, Pairing, entries, exchanges, find_exchanges, paired, read
from tests.reader.logs import complete, encoded, error, identity, incoming, write
from tests.waiting import wait_for

if TYPE_CHECKING:
    from gatewaylog.events import Event

SEED = Path(__file__).parent.parent / "fixtures" / "seed_lines.txt"


def at(seconds: float, event: Event) -> Line:
    line = parse_line(encoded(event, seconds))
    assert isinstance(line, Line)
    return line


def taken(*lines: Line) -> Pairing:
    pairing = Pairing()
    for line in lines:
        pairing.add(line)
    return pairing


def faults(pairing: Pairing, grace: float = 60.0) -> list[tuple[str | None, str]]:
    return [(orphan.exchange.id, orphan.fault) for orphan in pairing.orphans(grace=grace)]


def test_an_exchange_is_whole_when_its_terminal_event_comes() -> None:
    pairing, first, last = Pairing(), at(0, incoming(1)), at(2, complete(1))
    assert pairing.add(first) is None
    assert pairing.open == 1
    exchange = pairing.add(last)
    assert exchange == Exchange(incoming=first, terminal=last)
    assert (exchange.id, exchange.begun, exchange.ended) == (identity(1), first.time, last.time)
    assert exchange.lines == (first, last)
    assert pairing.open == 0


def test_an_error_ends_an_exchange_too() -> None:
    (exchange,) = paired([at(0, incoming(1)), at(1, error(1))])
    assert exchange.terminal is not None
    assert exchange.terminal.event == error(1)


def test_an_open_exchange_comes_last_and_has_no_end() -> None:
    whole, still_open = paired([at(0, incoming(1)), at(1, incoming(2)), at(2, complete(2))])
    assert whole.id == identity(2)
    assert (still_open.id, still_open.ended) == (identity(1), None)


def test_a_terminal_event_alone_tells_when_it_was_begun() -> None:
    (exchange,) = paired([at(10, complete(1, duration_ms=4000.0))])
    assert exchange.id == identity(1)
    assert exchange.begun == at(6, incoming()).time
    (unknown,) = paired([at(10, complete(1, duration_ms=None))])
    assert unknown.begun is None
    (absurd,) = paired([at(10, complete(1, duration_ms=1e80))])
    assert absurd.begun is None


def test_an_error_that_no_api_was_found_for_stands_alone_and_is_no_orphan() -> None:
    pairing = Pairing()
    exchange = pairing.add(at(100, error(None, api=None, error_source="main")))
    assert exchange is not None
    assert (exchange.id, exchange.incoming) == (None, None)
    assert faults(pairing) == []
    assert pairing.unpaired_errors == 0


def test_an_exchange_without_an_end_is_an_orphan_once_it_is_as_old_as_the_grace() -> None:
    pairing = taken(at(0, incoming(1)), at(30, incoming(2)), at(59.999, incoming(3)))
    assert faults(pairing) == []
    pairing.add(at(60, incoming(4)))
    assert faults(pairing) == [(identity(1), "no end")]
    assert faults(pairing, grace=10) == [(identity(1), "no end"), (identity(2), "no end")]
    assert faults(pairing, grace=0) == [(identity(one), "no end") for one in (1, 2, 3, 4)]


def test_what_is_neither_begin_nor_end_is_passed_over() -> None:
    line = at(0, incoming(1))
    other = Line(time=line.time, event=("no", "event"))  # type: ignore[arg-type]
    assert Pairing().add(other) is None


def test_age_is_against_now_where_that_is_given() -> None:
    pairing = taken(at(0, incoming(1)))
    assert pairing.orphans() == []
    assert pairing.newest is not None
    (orphan,) = pairing.orphans(now=pairing.newest + timedelta(seconds=61))
    assert orphan.exchange.id == identity(1)


def test_a_terminal_event_without_its_beginning_is_an_orphan() -> None:
    assert faults(taken(at(0, incoming(1)), at(9, error(2)))) == [(identity(2), "no beginning")]


@pytest.mark.parametrize(
    ("duration", "orphans"), [(5000.0, 0), (4001.0, 0), (3998.0, 1), (None, 0), (1e80, 0)]
)
def test_an_exchange_begun_before_the_log_is_no_orphan(
    duration: float | None, orphans: int
) -> None:
    pairing = taken(at(0, incoming(1)), at(4, complete(2, duration_ms=duration)))
    assert len(pairing.orphans(grace=1e5)) == orphans
    assert pairing.begun_before == 1 - orphans


def test_without_a_duration_a_terminal_event_long_after_the_first_line_is_an_orphan() -> None:
    pairing = taken(at(0, incoming(1)), at(99, complete(2, duration_ms=None)))
    assert faults(pairing, grace=98.5)[-1] == (identity(2), "no beginning")


def test_doubles_are_told_and_end_nothing_twice() -> None:
    lines = [
        *(at(0, incoming(1)), at(1, complete(1)), at(2, error(1)), at(3, incoming(1))),
        *(at(4, incoming(2)), at(5, incoming(2)), at(6, complete(2))),
        *(at(70, complete(3)), at(70, complete(3))),
    ]
    pairing = taken(*lines)
    assert faults(pairing) == [
        *((identity(1), "double"), (identity(1), "double"), (identity(2), "double")),
        *((identity(3), "double"), (identity(3), "no beginning")),
    ]
    assert [exchange.id for exchange in paired(lines)] == [identity(n) for n in (1, 2, 3)]


def test_ids_of_ended_exchanges_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "_REMEMBERED", 10)
    pairing = Pairing()
    for number in range(1000):
        pairing.add(at(0, incoming(number)))
        pairing.add(at(0, complete(number)))
    assert (len(pairing._ended), pairing.open, pairing._alone) == (10, 0, {})


def test_errors_without_response_to_are_counted_since_they_cannot_be_paired() -> None:
    pairing = Pairing()
    for line in read(SEED).lines():
        pairing.add(line)
    assert pairing.unpaired_errors == 1
    assert pairing.orphans() == []
    assert pairing.open == 0


def test_a_terminal_event_that_is_read_before_its_beginning_is_paired_all_the_same() -> None:
    pairing = Pairing()
    alone = pairing.add(at(90, complete(1)))
    assert alone is not None
    assert alone.incoming is None
    whole = pairing.add(at(89, incoming(1)))
    assert whole is not None
    assert [type(line.event) for line in whole.lines] == [type(incoming()), type(complete())]
    assert faults(pairing) == []


def test_an_incoming_request_without_an_id_is_neither_open_nor_an_orphan() -> None:
    pairing = taken(at(0, incoming(1, message_id=None)), at(99, incoming(2)))
    assert faults(pairing) == []
    assert pairing.open == 1


ENDS = st.sampled_from(["complete", "error", "none", "no beginning"])


@given(st.lists(st.tuples(ENDS, st.integers(0, 50), st.integers(0, 50)), max_size=20), st.data())
def test_orphans_are_those_that_miss_an_event_and_no_others(
    shape: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    lines = [at(0, incoming(99)), at(0, complete(99))]
    for number, (end, begun, took) in enumerate(shape):
        if end != "no beginning":
            lines.append(at(begun + 10, incoming(number)))
        if end != "none":
            kind = error if end == "error" else complete
            lines.append(at(begun + took + 10, kind(number, duration_ms=1000.0 * took)))
    order = data.draw(st.permutations(range(len(lines))))
    pairing = taken(*(lines[place] for place in order))
    pairing.add(at(1000, incoming(98)))
    expected = {
        (identity(number), "no end" if end == "none" else "no beginning")
        for number, (end, _, _) in enumerate(shape)
        if end in {"none", "no beginning"}
    }
    assert set(faults(pairing)) == expected
    whole = [e for e in paired(lines) if e.incoming is not None and e.terminal is not None]
    assert all(e.begun <= e.ended for e in whole)  # type: ignore[operator]
    assert len(whole) == 1 + sum(end in {"complete", "error"} for end, _, _ in shape)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "asked",
    [identity(1), identity(1).removeprefix("urn:uuid:"), identity(10**6 + 1), "request/1", "0af7"],
)
def test_an_exchange_is_found_by_any_of_its_ids(tmp_path: Path, asked: str, form: str) -> None:
    ids = {"request_id": "request/1", "trace_id": "0af7"}
    content = [encoded(incoming(number), number, form) for number in range(2, 2000)]
    content[5:5] = [encoded(incoming(1, **ids), 0, form)]
    content[900:900] = [encoded(complete(7), 900, form), b"no line " + asked.encode() + b"\n"]
    content.append(encoded(complete(1, **ids), 5000, form))
    write(tmp_path / "api.log", b"".join(content[1000:]))
    write(tmp_path / "api.log.1", b"".join(content[:1000]))
    (exchange,) = find_exchanges(asked, tmp_path)
    assert exchange.id == identity(1)
    assert len(exchange.lines) == 2


def test_all_exchanges_of_a_trace_are_found_and_doubles_with_them(tmp_path: Path) -> None:
    trace = {"trace_id": "0af7651916cd43dd8448eb211c80319c"}
    lines = [encoded(incoming(number, **trace), number) for number in (1, 2)]
    lines += [encoded(complete(number, **trace), number) for number in (2, 2, 3)]
    path = write(tmp_path / "log", b"".join(lines))
    found = find_exchanges(trace["trace_id"], path)
    assert [(e.id, len(e.lines)) for e in found] == [
        *((identity(1), 1), (identity(2), 2), (identity(2), 1), (identity(3), 1))
    ]


def test_a_line_that_only_mentions_an_id_is_not_taken(tmp_path: Path) -> None:
    other = incoming(2, message_id=None, request_in_url="/of/" + identity(1))
    content = [encoded(other), encoded(incoming(1)), encoded(complete(5, user_agent=identity(1)))]
    (exchange,) = find_exchanges(identity(1), write(tmp_path / "log", b"".join(content)))
    assert exchange.lines[0].event == incoming(1)


def test_the_first_eight_characters_of_an_id_find_it_but_fewer_do_not(tmp_path: Path) -> None:
    one = "urn:uuid:c78c4359-8efe-49a2-b442-f020ae595df1"
    path = write(tmp_path / "log", encoded(incoming(1, message_id=one)))
    assert [e.id for e in find_exchanges("c78c4359", path)] == [one]
    assert find_exchanges("c78c435", path) == []
    assert find_exchanges("", path) == []
    assert find_exchanges("c78c4359-8efe", SEED) != []


CUT = """
import random, sys, threading
from gatewaylog import AccessLog, IncomingRequest, RequestComplete
from gatewaylog.clock import SYSTEM_CLOCK
log = AccessLog(sys.argv[1])
def work():
    while True:
        id = SYSTEM_CLOCK.new_id()
        log.write(IncomingRequest(message_id=id, api="a"))
        log.write(RequestComplete(message_id=SYSTEM_CLOCK.new_id(), response_to=id, api="a"))
for _ in range(4):
    threading.Thread(target=work).start()
"""


def test_orphans_of_a_log_cut_by_kill_9_are_those_that_had_no_end(tmp_path: Path) -> None:
    path = tmp_path / "api-access.log"
    runs = 4
    for run in range(runs):
        process = subprocess.Popen([sys.executable, "-c", CUT, path])
        enough = (run + 1) * 100_000
        wait_for(lambda enough=enough: path.exists() and path.stat().st_size > enough)  # type: ignore[misc]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    pairing, torn = Pairing(), []
    for entry in entries(path):
        if isinstance(entry.line, Line):
            pairing.add(entry.line)
        else:
            torn.append(entry.raw)
    assert len(torn) <= runs
    raw = [r for r in path.read_bytes().splitlines() if r not in torn]
    begun = {r.split(b'"')[3] for r in raw if b'Event="INCOMING_REQUEST"' in r}
    ended = {r.split(b'ResponseTo="')[1].split(b'"')[0] for r in raw if b'ResponseTo="' in r}
    found = {str(orphan.exchange.id).encode() for orphan in pairing.orphans(grace=-1)}
    assert found == begun - ended
    assert len(found) <= 4 * runs
