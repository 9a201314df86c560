"""A span of time is found in a log without reading the rest, and nothing inside it is lost."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.reader import between, blocks_of, find, lines_of, shares_of, spans, time_of
from tests.reader.logs import BEGIN, encoded, incoming, lines, write

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from gatewaylog.reader import Source

DISORDER = spans.DISORDER
STEP = 30.0


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look into files of any size, closely."""
    for name, value in {"_WORTH": 1, "_NEAR": 300, "_LOOK": 1000, "_SAMPLES": 8}.items():
        monkeypatch.setattr(spans, name, value)


def hour(path: Path, count: int = 400, begin: float = 0.0) -> Path:
    return write(path, lines([begin + at * STEP for at in range(count)]))


def times(sources: list[Source], *, newest_first: bool = False) -> list[float]:
    found = lines_of(sources, newest_first=newest_first)
    return [time for entry in found if (time := time_of(entry.raw)) is not None]


def inside(found: list[float], earliest: float, latest: float) -> list[float]:
    return [time for time in found if earliest <= time < latest]


@pytest.mark.parametrize(
    ("earliest", "latest"), [(3000, 6000), (0, 12), (11_900, 99_999), (-50, 1), (5990, 5991)]
)
def test_a_span_of_a_file_is_whole_and_little_else_is_read(
    tmp_path: Path, earliest: float, latest: float
) -> None:
    sources = find(hour(tmp_path / "log"))
    parts = between(sources, BEGIN + earliest, BEGIN + latest)
    found = times(parts)
    span = BEGIN + earliest, BEGIN + latest
    assert inside(found, *span) == inside(times(sources), *span)
    around = [t for t in times(sources) if span[0] - 200 <= t <= span[1] + 200]
    assert len(found) <= len(around)
    assert times(parts, newest_first=True) == found[::-1]


def test_a_part_is_read_the_same_in_blocks_shares_and_by_number(tmp_path: Path) -> None:
    (part,) = between(find(hour(tmp_path / "log")), BEGIN + 3000, BEGIN + 6000)
    raw = b"".join(block.raw for block in blocks_of(part))
    assert b"".join(b.raw for b in reversed(list(blocks_of(part, newest_first=True)))) == raw
    assert part.stop is not None
    assert shares_of(part, 1000)[0][0] == part.first > 0
    assert shares_of(part, 1000)[-1][1] == part.stop
    whole = (tmp_path / "log").read_bytes()
    for entry in lines_of([part]):
        assert whole.split(b"\n")[entry.number - 1] == entry.raw


def test_files_outside_the_span_are_not_read(tmp_path: Path) -> None:
    for at in range(4):
        content = lines([at * 1000.0 + step for step in range(900)])
        name = f"api.log.{4 - at}" + (".gz" if at % 2 else "")
        write(tmp_path / name, gzip.compress(content) if at % 2 else content)
    hour(tmp_path / "api.log", 10, begin=4000.0)
    found = between(find(tmp_path), BEGIN + 2100, BEGIN + 2200)
    assert [source.path.name for source in found] == ["api.log.2"]
    found = between(find(tmp_path), BEGIN + 1100, BEGIN + 1200)
    assert [source.path.name for source in found] == ["api.log.3.gz"]
    assert len(between(find(tmp_path), latest=BEGIN + 100)) == 1


def test_an_open_span_and_what_tells_no_time_are_all(tmp_path: Path) -> None:
    sources = find(hour(tmp_path / "log"))
    assert between(sources) == sources
    untimed = find(write(tmp_path / "other", b"no time\n" * 500))
    (part,) = between(untimed, BEGIN, BEGIN + 1)
    assert (part.first, part.stop) == (0, None)


def test_two_logs_put_behind_each_other_are_read_whole(tmp_path: Path) -> None:
    log = write(tmp_path / "log", lines([at * STEP for at in range(200)]) * 2)
    (part,) = between(find(log), BEGIN + 1000, BEGIN + 1100)
    assert (part.first, part.stop) == (0, None)


def test_a_clock_that_was_wrong_for_a_line_hides_none(tmp_path: Path) -> None:
    """One line from 1970, one of the year 2100, wherever they stand."""
    rows = [encoded(incoming(at), at * STEP) for at in range(400)]
    earliest, latest = BEGIN + 5000, BEGIN + 8200  # between the samples
    for at in range(0, 400, 3):
        for wrong in (-BEGIN, 4e9 - BEGIN):
            odd = encoded(incoming(1), wrong)
            log = write(tmp_path / "log", b"".join([*rows[:at], odd, *rows[at:]]))
            found = between(find(log), earliest, latest)
            assert inside(times(found), earliest, latest) == [
                BEGIN + one * STEP for one in range(167, 274)
            ]


def test_lines_may_be_out_of_order_by_nearly_as_much_as_is_allowed(tmp_path: Path) -> None:
    moments = [at + (DISORDER - 1 if at % 2 else 0) for at in range(900)]
    sources = find(write(tmp_path / "log", lines(list(map(float, moments)))))
    for begin in range(100, 800, 7):
        span = BEGIN + begin, BEGIN + begin + 40
        parts = between(sources, *span)
        assert parts[0].first > 0 or begin < 300
        assert inside(times(parts), *span) == inside(times(sources), *span)


@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=300),
    st.floats(-100, 4000),
    st.floats(0, 4000),
    st.randoms(use_true_random=False),
)
def test_no_line_is_lost_while_lines_are_out_of_order_by_less_than_is_allowed(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[float],
    begin: float,
    length: float,
    chance: random.Random,
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    moments, now = [], 0.0
    for step in steps:
        now += step
        moments.append(now + chance.uniform(0, DISORDER * 0.99))
    write(path, lines(moments))
    sources = find(path)
    span = BEGIN + begin, BEGIN + begin + length
    found = times(between(sources, *span))
    assert inside(found, *span) == inside(times(sources), *span)
