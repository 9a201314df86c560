from __future__ import annotations

import math
import pickle
import statistics
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.search.commands.aggregations import AGGREGATORS
from gatewaylog.search.commands.aggregators import Deviation, Percentile
from tests.search.access_log import NOW, planned, searched

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from gatewaylog.search import Row
    from gatewaylog.search.commands.aggregators import Aggregator
    from gatewaylog.search.values import Value

TEXTS = ("1", "2.5", "-3", "1e3", "0", "10", "9", "a", "B", "null", "é")
values = st.lists(
    st.tuples(st.one_of(st.sampled_from(TEXTS), st.integers(-9, 9)), st.integers(0, 5)), max_size=12
)
MAKES: dict[str, Callable[[], Aggregator]] = {
    **AGGREGATORS,
    "p": lambda: Percentile(Fraction(95, 100)),
}


def fed(name: str, found: list[tuple[int, Value, int]]) -> Aggregator:
    state = MAKES[name]()
    for at, value, moment in found:
        state.add(value, {"_time": moment}, at)
    return state


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(MAKES)), values, st.data())
def test_two_states_made_one_give_what_one_gives(
    name: str, found: list[tuple[Value, int]], data: st.DataObject
) -> None:
    placed = [(at, value, moment) for at, (value, moment) in enumerate(found)]
    side = [data.draw(st.booleans()) for _ in placed]
    left = fed(name, [part for part, here in zip(placed, side, strict=True) if here])
    right = fed(name, [part for part, here in zip(placed, side, strict=True) if not here])
    left.merge(pickle.loads(pickle.dumps(right)) if name != "p" else right)
    expected = fed(name, placed).result()
    near = pytest.approx(expected, rel=1e-9) if isinstance(expected, float) else expected
    assert left.result() == near


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.floats(-1e200, 1e200), st.floats(0, 1e6), st.integers(-9, 9)), max_size=12
    ),
    st.randoms(use_true_random=False),
)
def test_a_deviation_is_the_same_to_the_last_digit_in_any_order(
    numbers: list[float], random: Random
) -> None:
    whole = Deviation()
    for number in numbers:
        whole.add(number, {}, 0)
    merged = Deviation()
    random.shuffle(numbers)
    for number in numbers:
        part = Deviation()
        part.add_often(number, {}, 0, 1)
        part.merge(merged)
        merged = pickle.loads(pickle.dumps(part))
    assert repr(merged.result()) == repr(whole.result())
    if len(numbers) > 1 and max(map(abs, numbers)) < 1e150:
        assert whole.result() == pytest.approx(statistics.stdev(map(Fraction, numbers)), rel=1e-12)


def test_a_deviation_of_what_is_nearly_the_same_is_exact() -> None:
    state = Deviation()
    for number in (1e9 + 0.125, 1e9 + 0.25, 1e9 + 0.375):
        state.add(number, {}, 0)
    assert state.result() == 0.125


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30), st.integers(0, 100))
def test_numbers_are_what_python_finds(numbers: list[int], percent: int) -> None:
    found: dict[str, Value | None] = {}
    for name in ("sum", "avg", "stdev", "min", "max", "dc", "count"):
        found[name] = fed(name, [(0, number, 0) for number in numbers]).result()
    assert found["sum"] == sum(numbers)
    assert found["avg"] == pytest.approx(statistics.fmean(numbers))
    assert found["stdev"] == pytest.approx(statistics.stdev(numbers))
    assert (found["min"], found["max"]) == (min(numbers), max(numbers))
    assert (found["dc"], found["count"]) == (len(set(numbers)), len(numbers))
    rank = Percentile(Fraction(percent, 100))
    for number in numbers:
        rank.add(number, {}, 0)
    nearest = sorted(numbers)[max(math.ceil(percent * len(numbers) / 100), 1) - 1]
    assert rank.result() == nearest


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(0, 5_000_000_000).map(lambda number: number / 1000),
            st.integers(0, 10**7),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 30),
    st.integers(0, 100),
)
def test_a_percentile_is_one_of_the_numbers_to_the_last_digit(
    numbers: list[float], cut: int, percent: int
) -> None:
    one, other = Percentile(Fraction(percent, 100)), Percentile(Fraction(percent, 100))
    one.add_numbers(numbers[:cut])
    other.add_numbers(numbers[cut:])
    one.merge(other)
    assert one.result() == sorted(numbers)[max(math.ceil(percent * len(numbers) / 100), 1) - 1]


def test_durations_as_they_are_written_take_four_bytes_each() -> None:
    found = Percentile(Fraction(1, 2))
    found.add_numbers([number / 1000 for number in range(10_000)])
    assert len(pickle.dumps(found, 5)) < 4.1 * 10_000


def rows_of(moments: list[float]) -> list[Row]:
    from gatewaylog.search import Row

    return [
        Row(moment, b"", {"k": f"s{at % 14}", "v": str(at)})
        for at, moment in enumerate(sorted(moments, reverse=True))
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(NOW - 1e7, NOW), min_size=1, max_size=40), st.data())
def test_spans_that_grow_give_what_the_span_that_they_end_at_gives(
    moments: list[float], data: st.DataObject
) -> None:
    rows = data.draw(st.permutations(rows_of(moments)))
    query = "* | {} count avg(v) list(v) first(v) latest(v) by {}"
    grown = list(planned(query.format("timechart", "k")).run(rows).rows)
    starts = [float(str(row["_time"])) for row in grown]
    assert len(starts) <= 100
    gap = min((b - a for a, b in pairwise(starts)), default=0)
    names = {1: "1s", 5: "5s", 10: "10s", 30: "30s", 60: "1m", 300: "5m", 600: "10m", 1800: "30m"}
    span = names.get(int(gap)) or ("1h" if gap < 82800 else "1d" if gap < 2e6 else "1mon")
    given_ = list(planned(query.format(f"timechart span={span}", "k")).run(rows).rows)
    near = [
        {k: pytest.approx(v) if isinstance(v, float) else v for k, v in row.items()}
        for row in given_
    ]
    assert grown == near if gap else len(given_) >= 1
    charted = list(planned(query.format("chart", "_time, k")).run(rows).rows)
    assert [row["_time"] for row in charted] == sorted(row["_time"] for row in charted)
    assert {row["_time"] for row in charted} <= {row["_time"] for row in grown}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([f"s{at:02}" for at in range(14)]), max_size=120))
def test_ten_series_and_the_rest_are_all(keys: list[str]) -> None:
    from gatewaylog.search import Row

    rows = [Row(NOW - at, b"", {"k": key} if key != "s13" else {}) for at, key in enumerate(keys)]
    result = planned("* | eval x=1 | chart count by x, k").run(rows)
    found = list(result.rows)
    columns = (result.columns or ())[1:]
    sizes = {key: keys.count(key) for key in set(keys) - {"s13"}}
    best = sorted(sizes, key=lambda key: (-sizes[key], key))[:10]
    other = ["OTHER"] if len(sizes) > 10 else []
    assert list(columns) == sorted(best) + other + (["NULL"] if "s13" in keys else [])
    assert sum(int(str(row[column])) for row in found for column in columns) == len(keys)


def test_other_is_one_series_for_every_function() -> None:
    rows = list(searched("* | chart limit=1 avg(BytesOut) by Outcome, StatusCode").rows)
    # 1000 and 120 are the 200s; of the rest 30 and 0 make 15.
    assert rows[0] == {"Outcome": "complete", "200": 560, "OTHER": 15}


def test_a_series_called_as_the_rest_is_counted_with_the_rest() -> None:
    from gatewaylog.search import Row

    keys = [f"s{at:02}" for at in range(10)] * 2 + ["OTHER", "NULL", "x"]
    rows = [Row(NOW, b"", {"k": key}) for key in keys] + [Row(NOW, b"", {})]
    (row,) = planned("* | eval x=1 | chart count by x, k").run(rows).rows
    assert (row["OTHER"], row["NULL"]) == (2, 2)
