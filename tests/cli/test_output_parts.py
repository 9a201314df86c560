"""Numbers with units, the width of texts, and where axes are marked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.cli.output.cells import cell
from gatewaylog.cli.output.ticks import labels_of, round_above
from gatewaylog.cli.output.units import duration, number, percent, size
from gatewaylog.cli.output.widths import cut, padded, width_of


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0.0 ms"),
        (45.123, "45.1 ms"),
        (400.0, "400 ms"),
        (1500, "1.50 s"),
        (90_000, "1.5 min"),
        (3_600_000 * 1500, "1,500 h"),
    ],
)
def test_a_duration_has_the_unit_that_leaves_it_short(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123 kB"), (2_500_000, "2.5 MB")],
)
def test_a_size_is_in_powers_of_a_thousand(count: int, text: str) -> None:
    assert size(count) == text


def test_a_share_that_is_not_nothing_is_not_shown_as_nothing() -> None:
    assert [percent(share) for share in (0, 0.001, 8.123)] == ["0.0 %", "<0.1 %", "8.1 %"]


def test_thousands_are_apart_in_numbers_and_not_in_texts() -> None:
    assert [number(value) for value in (1234567, 1234.5, -0.0001, 1e17)] == [
        *("1,234,567", "1,234.5", "0", "1e+17")
    ]
    assert (cell("a", 1234), cell("a", "1234"), cell("a", "1234", "ms")) == (
        *("1,234", "1234", "1.23 s"),
    )
    assert cell("a", "null", "ms") == "null"


@given(st.text(max_size=20), st.integers(0, 12))
def test_a_text_is_cut_to_the_columns_that_it_may_take(text: str, width: int) -> None:
    kept = cut(text, width)
    assert text.startswith(kept)
    assert width_of(kept) <= width
    assert width_of(padded(kept, width)) == width == width_of(padded(kept, width, right=True))


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    assert [width_of(text) for text in ("abc", "日本", "e\u0301", "ﬁ")] == [3, 4, 1, 1]


@given(st.one_of(st.integers(1, 10**15), st.floats(1e-6, 1e12)))
def test_an_axis_ends_at_a_round_number_not_far_above(highest: float) -> None:
    top = round_above(highest)
    assert highest <= top * (1 + 1e-9)
    assert top <= highest * 1.5


@pytest.mark.parametrize("width", [1, 3, 6])
@pytest.mark.parametrize("step", [1, 5, 60, 600, 3600, 86_400, 86_400 * 30])
@settings(max_examples=15)
@given(begin=st.integers(0, 10**9))
def test_labels_stand_at_round_times_and_leave_each_other_room(
    width: int, step: int, begin: int
) -> None:
    moments = [float((begin // step + at) * step) for at in range(60)]
    labels = labels_of(moments, width)
    assert labels
    length = len(next(iter(labels.values())))
    assert all((two - one) * width >= length + 2 for one, two in pairwise(labels))
    if step == 60 and len(labels) > 2:
        minutes = [int(label[-2:]) for label in labels.values()]
        assert any(all(minute % each == 0 for minute in minutes) for each in (2, 5, 60))
