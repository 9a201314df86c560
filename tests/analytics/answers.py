"""The same query asked of a log's lines and of its cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.analytics.building import build
from gatewaylog.analytics.covering import covered
from gatewaylog.analytics.parts import FilePart, Given
from gatewaylog.reader import Source, between, shares_of
from gatewaylog.search import Together, gathering_of

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.analytics.querying import CachedPart
    from gatewaylog.search import Gathering, Plan


def source_of(path: Path) -> Source:
    return Source(str(path))


def cached(path: Path) -> Source:
    """Make the cache of a log."""
    source = source_of(path)
    assert build(source)
    return source


def answer(gathering: Gathering, given: list[Given]) -> tuple[object, ...]:
    """Everything that a user gets, 1 told from 1.0."""
    result = gathering.result(state for each in given for (state,) in each.states)
    rows = [sorted(map(repr, row.items())) for row in result.rows]
    unread = sum(each.unread for each in given)
    return result.columns, result.kind, result.axis, rows, unread


def gathering(plan: Plan) -> Gathering:
    found = gathering_of(plan)
    assert found is not None
    return found


def by_lines(plan: Plan, source: Source) -> tuple[object, ...]:
    """What the lines give."""
    alone = gathering(plan)
    sources = between([source], plan.earliest, plan.latest)
    parts = [FilePart(one, "", *part) for one in sources for part in shares_of(one, 1 << 40)]
    return answer(alone, [part.given(Together([alone])) for part in parts])


def by_cache(plan: Plan, source: Source) -> tuple[object, ...]:
    """What the cache gives, and of what it lacks the lines."""
    alone = gathering(plan)
    given: list[Given] = []
    for one in between([source], plan.earliest, plan.latest):
        held, rest = covered(one, "")
        given += [part.given(Together([alone])) for part in held]
        parts = [] if rest is None else shares_of(rest, 1 << 40)
        given += [FilePart(source, "", *part).given(Together([alone])) for part in parts]
    return answer(alone, given)


def held(source: Source) -> list[CachedPart]:
    """The parts of a log that are in its cache."""
    return covered(source, "")[0]


def bytes_held(source: Source) -> int:
    return sum(part.end - part.begin for part in held(source))
