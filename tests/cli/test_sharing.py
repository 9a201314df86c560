"""One process or several: a big log gives the same."""

from __future__ import annotations

import gzip
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.cli.rows import Rows
from gatewaylog.cli.sharing import Shared
from gatewaylog.events import IncomingRequest, RequestComplete
from gatewaylog.exceptions import ReaderError
from gatewaylog.formats import LineOptions, Wso2Format
from gatewaylog.reader import LONGEST, Source
from gatewaylog.search import compile_query, gathering_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from gatewaylog.search import Plan

QUERIES = (
    "API=*shop* | stats count",
    "NOT INCOMING_REQUEST | chart count by API, StatusCode",
    "* | timechart avg(DurationMs) by API",
    "index=web | stats p95(DurationMs), dc(API) by index",
)


def plan_of(query: str) -> Plan:
    return compile_query(query, now=2e9)


def written(path: Path, count: int = 3000) -> Source:
    form = Wso2Format(LineOptions())
    with path.open("wb") as log:
        for at in range(count):
            api = f"acme--{'Shop' if at % 3 else 'News'}:v1"
            log.write(form.encode(IncomingRequest(api=api, request_in_url="/"), 1.7e9 + at, "t"))
            ended = RequestComplete(api=api, status_code=200 + at % 2, duration_ms=at / 7)
            log.write(form.encode(ended, 1.7e9 + at + 0.25, "t"))
            if at % 500 == 0:
                log.write(b"no line of ours, nor the shop's\n\n")
    return Source(str(path))


def shared(
    query: str, sources: Mapping[str, Sequence[Source]], workers: int, share: int
) -> tuple[object, ...]:
    gathering = gathering_of(plan_of(query))
    assert gathering is not None
    several = Shared(gathering, sources, workers=workers, share=share)
    result = several.result()
    return result.columns, list(result.rows), several.unread


def in_order(query: str, sources: Mapping[str, Sequence[Source]]) -> tuple[object, ...]:
    plan, rows = plan_of(query), Rows(sources)
    result = plan.run(rows.of(plan), prefiltered=True)
    return result.columns, list(result.rows), rows.unread


@pytest.mark.parametrize("query", QUERIES)
def test_several_processes_give_what_one_gives(tmp_path: Path, query: str) -> None:
    sources = {"web": [written(tmp_path / "a.log"), written(tmp_path / "b.log", 700)]}
    expected = in_order(query, sources)
    for share in (1, 777) if "count" in query else (100_000,):
        assert shared(query, sources, 1, share * 100) == expected
    assert shared(query, sources, 2, 100_000) == expected


def test_a_span_that_leaves_out_the_whole_log_gives_a_count_of_0(tmp_path: Path) -> None:
    """Of a log so large that not even its first line is read."""
    source = written(tmp_path / "a.log", 10_000)
    assert source.path.stat().st_size > 1 << 20
    for query in ("* | stats count", "* | stats count | where count=0"):
        gathering = gathering_of(compile_query(query, now=2e9, earliest=1.9e9))
        assert gathering is not None
        assert list(Shared(gathering, {"": [source]}).result().rows) == [{"count": 0}]


def test_what_is_packed_or_damaged_is_read_as_a_whole(tmp_path: Path) -> None:
    packed = tmp_path / "a.log.gz"
    packed.write_bytes(gzip.compress((written(tmp_path / "a.log").path).read_bytes())[:-20])
    sources = {"": [Source(str(packed)), written(tmp_path / "b.log", 50)]}
    found = shared(QUERIES[0], sources, 2, 5000)
    assert found == in_order(QUERIES[0], sources)
    assert found[2]


def test_a_line_that_is_too_long_is_counted_wherever_the_log_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    good = written(path, 20).path.read_bytes()
    path.write_bytes(good + b"shop " * (LONGEST // 5 + 10) + b"\n" + good)
    for share in (2000, LONGEST // 2, 10 * LONGEST):
        columns, rows, unread = shared(QUERIES[0], {"": [Source(str(path))]}, 1, share)
        assert (columns, rows) == (("count",), [{"count": 52}])
        assert unread == 3


def test_a_log_is_read_on_under_its_new_name(tmp_path: Path) -> None:
    source = written(tmp_path / "a.log", 50)
    expected = in_order(QUERIES[0], {"": [source]})
    source.path.rename(tmp_path / "a.log.1")
    assert shared(QUERIES[0], {"": [source]}, 2, 5000) == expected


def test_no_more_parts_are_read_than_are_soon_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    class Pool(ProcessPoolExecutor):
        def submit(self, *arguments: Any, **others: Any) -> Future[Any]:
            given.append(arguments)
            return super().submit(*arguments, **others)

    monkeypatch.setattr("gatewaylog.cli.sharing.ProcessPoolExecutor", Pool)
    gathering = gathering_of(plan_of(QUERIES[0]))
    assert gathering is not None
    several = Shared(gathering, {"": [written(tmp_path / "a.log")]}, workers=2, share=20_000)
    states = several._states()
    assert next(states)
    assert len(given) <= 8
    assert len(list(states)) + 1 == len(given) > 20


def test_a_process_that_is_killed_ends_the_search_with_a_message(tmp_path: Path) -> None:
    gathering = gathering_of(plan_of(QUERIES[0]))
    assert gathering is not None
    several = Shared(gathering, {"": [written(tmp_path / "a.log")]}, workers=2, share=500)
    states = several._states()
    assert next(states)
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(ReaderError, match="was killed"):
        list(states)
