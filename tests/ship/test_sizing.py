"""Lines that are refused are found in few requests, whatever their share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.ship.sizing import Sizing


def requests_for(bad: set[int], count: int, most: int = 1000) -> int:
    """How many batches it takes until each of `count` records is taken or found to be bad."""
    sizing, at, requests = Sizing(most), 0, 0
    while at < count:
        assert 1 <= sizing.size <= most
        batch = range(at, min(at + sizing.size, count))
        requests += 1
        if bad.isdisjoint(batch):
            sizing.taken(len(batch))
        elif len(batch) > 1:
            sizing.refused(len(batch))
            continue
        else:
            sizing.found()
        at = batch.stop
    return requests


@pytest.mark.parametrize(
    ("bad", "most"),
    [
        (set(), 10),
        ({5000}, 40),
        (set(range(99, 10_000, 100)), 1000),  # log2(100) is 6.6
        (set(range(10_000)), 10_020),
    ],
    ids=["none", "one", "each hundredth", "all"],
)
def test_few_requests_find_all(bad: set[int], most: int) -> None:
    assert requests_for(bad, 10_000) <= most


@given(st.sets(st.integers(0, 299)), st.integers(1, 64))
def test_whichever_are_refused_each_is_found(bad: set[int], most: int) -> None:
    assert requests_for(bad, 300, most) <= 300 + len(bad) * 14


def test_where_it_is_not_told_which_were_refused_few_others_are_doubted() -> None:
    sizing = Sizing(1000)
    sizing.blurred()
    sizes = []
    while sizing.size < 1000:
        sizing.taken(sizing.size)
        sizes.append(sizing.size)
    taken = [sum([1, *sizes[:at]]) for at in range(1, len(sizes))]
    assert all(size <= max(1, run / 4) for size, run in zip(sizes[1:], taken, strict=True))
    assert len(sizes) < 50
    sizing.taken(1000)
    assert sizing.size == 1000
