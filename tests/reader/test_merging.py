"""Which files are read and in which order, and several logs as one by time."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.exceptions import ReaderError
from gatewaylog.formats import FORMATS
from gatewaylog.reader import blocks_of, entries, find, merging, time_of
from gatewaylog.reader import lines as lines_module
from tests.reader.logs import BEGIN, encoded, incoming, lines, told, write

if TYPE_CHECKING:
    from gatewaylog.reader import Entry

ROTATED = [
    ["api-access.log.10", "api-access.log.2.gz", "api-access.log.1", "api-access.log"],
    ["api-access.log-20261119.gz", "api-access.log-20261120", "api-access.log-20261121.1"],
    ["api-access.log.2026-11-19", "api-access.log.2026-11-20_10-00-00.gz", "api-access.log"],
    ["api-access.log-1792000000", "api-access.log-1792000001.gz", "api-access.log"],
]


def url(entry: Entry) -> str:
    return entry.raw.partition(b'RequestInURL="')[2].partition(b'"')[0].decode()


def laid_out(folder: Path, names: list[str], times: list[list[float]]) -> list[str]:
    """Write a file of lines for each name; return the names in the folder."""
    for at, (name, moments) in enumerate(zip(names, times, strict=True)):
        content = lines(moments, first=1000 * at)
        write(folder / name, gzip.compress(content) if name.endswith(".gz") else content)
    return names


@pytest.mark.parametrize("names", ROTATED)
@pytest.mark.parametrize("times", [[1.0, 2.0, 3.0, 4.0], [1.0] * 4])
def test_rotated_files_are_read_oldest_first_even_if_all_begin_at_the_same_time(
    tmp_path: Path, names: list[str], times: list[float]
) -> None:
    laid_out(tmp_path, names, [[time] for time in times[: len(names)]])
    assert [Path(source.name).name for source in find(tmp_path)] == names
    assert [Path(e.source.name).name for e in entries(tmp_path, newest_first=True)] == names[::-1]


def test_a_folder_gives_the_logs_in_it_alone(tmp_path: Path) -> None:
    for name in (
        "a.log",
        "a.log.digest",
        "notes.txt",
        "b.ndjson",
        ".c.log",
        "d.log.1.gz",
        "data.db",
    ):
        (tmp_path / name).touch()
    (tmp_path / "folder.log").mkdir()
    assert {Path(s.name).name for s in find(tmp_path)} == {"a.log", "b.ndjson", "d.log.1.gz"}


def test_globs_go_into_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for node in ("one", "two"):
        (tmp_path / node).mkdir()
        write(tmp_path / node / "api.log", lines([1.0]))
    monkeypatch.chdir(tmp_path)
    assert [s.name for s in find(["**/*.log"])] == ["one/api.log", "two/api.log"]
    assert [s.name for s in find("t[aw]o/*")] == ["two/api.log"]


def test_a_name_that_looks_like_a_glob_is_read_where_it_is_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "api[1].log", lines([1.0]))
    assert [s.name for s in find(path)] == [str(path)]


def test_a_file_brings_its_rotated_ones_where_that_is_asked_for(tmp_path: Path) -> None:
    names = laid_out(tmp_path, ["api.log.2.gz", "api.log.1", "api.log"], [[1.0], [2.0], [3.0]])
    (tmp_path / "other.log").touch()
    assert [Path(s.name).name for s in find(tmp_path / "api.log", rotated=True)] == names
    assert len(find(tmp_path / "api.log")) == 1


def test_each_file_is_read_once_whatever_names_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "api.log", lines([1.0]))
    (tmp_path / "linked.log").symlink_to(path)
    os.link(path, tmp_path / "hard.log")
    assert [s.name for s in find([path, path, tmp_path])] == [str(path)]


def test_a_file_that_is_just_being_packed_is_read_once(tmp_path: Path) -> None:
    content = lines([1.0, 2.0])
    write(tmp_path / "api.log.1", content)
    write(tmp_path / "api.log.1.gz", gzip.compress(content)[:-9])
    write(tmp_path / "other.log.gz", gzip.compress(lines([5.0], first=5)))
    write(tmp_path / "other.log", lines([6.0], first=6))
    assert [url(e) for e in entries(tmp_path)] == ["/shop/0", "/shop/1", "/shop/5", "/shop/6"]


@pytest.mark.parametrize("name", ["missing.log", "*.nothing", "folder"])
def test_what_is_not_there_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReaderError) as raised:
        list(entries(tmp_path / name))
    assert str(raised.value).startswith(str(tmp_path / name))
    assert "\n" not in str(raised.value)


def test_what_cannot_be_opened_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "api.log").symlink_to("api.log")
    with pytest.raises(ReaderError, match=r"api.log: Too many levels of symbolic links$"):
        list(entries(tmp_path / "api.log"))


def test_a_pipe_is_read_among_files(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, lines([1.5, 3.5], first=10))
    os.close(writing)
    path = write(tmp_path / "api.log", lines([1.0, 2.0, 3.0]))
    found = [url(e) for e in entries([path, f"/dev/fd/{reading}"])]
    os.close(reading)
    assert found == ["/shop/0", "/shop/10", "/shop/1", "/shop/2", "/shop/11"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_line_tells_its_time_in_every_format(form: str) -> None:
    assert time_of(encoded(incoming(), 1.25, form)) == BEGIN + 1.25


def test_a_line_without_a_time_or_with_one_that_cannot_be_tells_none() -> None:
    assert time_of(b"Traceback (most recent call last):") is None
    assert time_of(b"2026-99-01T00:00:00.000+0000 [AM]") is None
    assert time_of(b'{"Event": "ERROR", "@timestamp": "2023-11-14T22:13:20Z"}') == BEGIN


SORTED = st.lists(st.integers(0, 12).map(float), max_size=25).map(sorted)


@given(st.lists(SORTED, min_size=2, max_size=4), st.sets(st.integers(0, 3)), st.integers(100, 900))
def test_files_that_overlap_are_merged_by_time_then_by_file_then_by_place(
    times: list[list[float]], packed: set[int], size: int
) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, size)
        folder = Path(name)
        laid_out(folder, [f"{at}.log{'.gz' * (at in packed)}" for at in range(len(times))], times)
        forwards = list(entries(folder))
        backwards = list(entries(folder, newest_first=True))
        assert [told(e) for e in backwards[::-1]] == [told(e) for e in forwards]
    found = [time_of(entry.raw) for entry in forwards]
    assert found == sorted(BEGIN + time for moments in times for time in moments)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=12), st.integers(50, 900))
def test_lines_without_a_time_stay_behind_the_one_that_stands_before_them(
    shape: list[tuple[int, int]], size: int
) -> None:
    times = sorted(float(time) for time, _ in shape)
    content = b"".join(
        encoded(incoming(at), time) + b"".join(b"of %d, %d\n" % (at, n) for n in range(untimed))
        for at, (time, (_, untimed)) in enumerate(zip(times, shape, strict=True))
    )
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, size)
        folder = Path(name)
        write(folder / "a.log", b"at the begin\n" + content)
        write(folder / "b.log", lines([0.5, 2.0, 2.0, 9.0], first=500))
        forwards = [told(e) for e in entries(folder)]
        assert [told(e) for e in entries(folder, newest_first=True)][::-1] == forwards
    raws = [raw for *_, raw in forwards]
    for at, raw in enumerate(raws):
        if raw.startswith(b"of ") and not raw.endswith(b" 0"):
            assert raws[at - 1].startswith(raw[: raw.index(b",")])


def small_blocks(patch: pytest.MonkeyPatch, size: int) -> None:
    patch.setattr(
        lines_module, "blocks_of", lambda source, **kind: blocks_of(source, size=size, **kind)
    )


def test_many_lines_without_a_time_are_not_held_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_MOST_UNTIMED", 50)
    small_blocks(monkeypatch, 200)
    write(tmp_path / "a.log", lines([1.0]) + b"no time\n" * 1000 + lines([3.0], first=1))
    write(tmp_path / "b.log", lines([2.0], first=2))
    found = list(entries(tmp_path, newest_first=True))
    assert len(found) == 1003
    numbers = [e.number for e in found if e.source.name.endswith("a.log")]
    assert numbers == list(range(1002, 0, -1))


def test_a_file_is_opened_when_its_time_has_come(tmp_path: Path) -> None:
    laid_out(tmp_path, ["a.log.1.gz", "a.log"], [[1.0], [100.0, 200.0]])
    reading = entries(tmp_path, newest_first=True)
    assert url(next(reading)) == "/shop/1001"
    write(tmp_path / "a.log.1.gz", gzip.compress(lines([0.5, 1.0], first=7)))
    assert [url(e) for e in reading] == ["/shop/1000", "/shop/8", "/shop/7"]


def test_no_paths_give_no_lines() -> None:
    assert list(entries([])) == []
