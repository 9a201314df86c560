"""Lines of one source: where each stands, forwards and backwards, and what none can be made of."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewaylog.exceptions import ReaderError
from gatewaylog.formats import FORMATS, Line, Unparsed
from gatewaylog.reader import (
    LONGEST,
    Entry,
    Source,
    blocks_between,
    blocks_of,
    entries,
    entries_in,
    shares_of,
)
from gatewaylog.reader import blocks as blocks_module
from gatewaylog.reader import lines as lines_module
from tests.reader.logs import (
    complete,
    contents,
    encoded,
    expected,
    identity,
    incoming,
    lines,
    told,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def reason_of(entry: Entry) -> str:
    assert isinstance(entry.line, Unparsed)
    return entry.line.reason


def moved(content: bytes, size: int, *, newest_first: bool) -> list[tuple[int, int, bytes]]:
    with TemporaryDirectory() as name:
        source = Source(str(write(Path(name, "log"), content)))
        found = []
        for block in blocks_of(source, newest_first=newest_first, size=size):
            batch = entries_in(block)
            found += [told(entry) for entry in (reversed(batch) if newest_first else batch)]
    return [(offset, number, raw) for _, offset, number, raw in found]


@given(contents, st.integers(1, 200))
def test_lines_are_those_between_line_feeds_whatever_the_block(content: bytes, size: int) -> None:
    assert moved(content, size, newest_first=False) == expected(content)


@given(contents, st.integers(1, 200))
def test_backwards_gives_the_reverse_whatever_the_block(content: bytes, size: int) -> None:
    assert moved(content, size, newest_first=True)[::-1] == expected(content)


@given(contents, st.integers(1, 400), st.integers(3, 60))
@example(b"aaaaaaa\nb\n\nccccc\n", 100, 3)
@example(b"aaaaaaa\nb\n\nccccc", 2, 3)
def test_both_ways_cut_the_same_lines_at_the_same_place(
    content: bytes, size: int, longest: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "LONGEST", longest)
        patch.setattr(lines_module, "LONGEST", longest)
        forwards = moved(content, size, newest_first=False)
        assert moved(content, size, newest_first=True)[::-1] == forwards
    assert forwards == [(at, number, raw[:longest]) for at, number, raw in expected(content)]


@pytest.mark.parametrize("form", FORMATS)
def test_lines_of_every_format_are_recognised(folder: Path, form: str) -> None:
    path = write(folder / "log", encoded(incoming(7), form=form))
    (entry,) = entries(path)
    assert isinstance(entry.line, Line)
    assert entry.line.event == incoming(7)


def test_a_line_is_parsed_when_it_is_asked_for_and_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = entries(write(folder / "log", encoded(incoming())))
    first = entry.line
    monkeypatch.setattr(lines_module, "parse_line", None)
    assert entry.line is first
    assert "Entry(" in repr(entry)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_line_too_long_is_told_and_cut_and_its_neighbours_read(
    folder: Path, newest_first: bool
) -> None:
    content = encoded(incoming(1)) + b"x" * (3 * LONGEST) + b"\n" + encoded(incoming(2))
    first, long, last = sorted(
        entries(write(folder / "log", content), newest_first=newest_first), key=lambda e: e.offset
    )
    assert [type(first.line), type(last.line)] == [Line, Line]
    assert (first.number, long.number, last.number) == (1, 2, 3)
    assert reason_of(long) == f"longer than {LONGEST} bytes"
    assert len(long.raw) == LONGEST
    assert last.offset == len(content) - len(encoded(incoming(2)))


@pytest.mark.parametrize("newest_first", [False, True])
def test_memory_stays_flat(folder: Path, newest_first: bool) -> None:
    path = write(folder / "log", lines([0.0] * 1000) * 60 + b"y" * (20 * LONGEST))
    tracemalloc.start()
    found = sum(1 for _ in entries(path, newest_first=newest_first))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 60_001
    assert most < 8 * LONGEST


def test_a_torn_last_line_is_an_event_where_it_parses_and_told_where_not(folder: Path) -> None:
    whole, torn = encoded(incoming(1)), encoded(incoming(2))[:-1]
    *_, last = entries(write(folder / "a", whole + torn))
    assert isinstance(last.line, Line)
    *_, last = entries(write(folder / "b", whole + torn[:-9]))
    assert "no Key=" in reason_of(last)
    assert last.number == 2


@pytest.mark.parametrize("before", [b"\0" * 500, b"\xef\xbb\xbf", b"\0\0\xef\xbb\xbf"])
@pytest.mark.parametrize("form", FORMATS)
def test_nuls_and_a_byte_order_mark_before_a_line_do_not_hide_it(
    folder: Path, before: bytes, form: str
) -> None:
    (entry,) = entries(write(folder / "log", before + encoded(incoming(), form=form)))
    assert isinstance(entry.line, Line)
    assert entry.raw.startswith(before)


@pytest.mark.parametrize("form", FORMATS)
def test_lines_that_end_in_carriage_return_and_line_feed_are_read(folder: Path, form: str) -> None:
    content = encoded(incoming(), form=form).replace(b"\n", b"\r\n") * 2 + b"\r\n"
    found = list(entries(write(folder / "log", content)))
    assert [type(entry.line) for entry in found] == [Line, Line]


@pytest.mark.parametrize("newest_first", [False, True])
def test_compressed_lines_stand_where_they_stand_in_what_is_unpacked(
    folder: Path, newest_first: bool
) -> None:
    content = lines([1.0 * at for at in range(500)])
    plain = write(folder / "plain", content)
    members = gzip.compress(content[:3000]) + b"\0" * 70_000 + gzip.compress(content[3000:]) + b"\0"
    packed = write(folder / "packed", members)
    assert [told(e)[1:] for e in entries(packed, newest_first=newest_first)] == [
        told(e)[1:] for e in entries(plain, newest_first=newest_first)
    ]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("broken", ["cut", "changed", "nothing"])
def test_where_compressed_data_breaks_off_is_told_after_what_was_read(
    folder: Path, newest_first: bool, broken: str
) -> None:
    packed = gzip.compress(lines([1.0 * at for at in range(2000)]))
    middle = len(packed) // 2
    content = {
        "cut": packed[:middle],
        "changed": packed[:middle] + b"\xff" * 50 + packed[middle + 50 :],
        "nothing": packed[:3],
    }[broken]
    found = list(entries(write(folder / "log.gz", content), newest_first=newest_first))
    last = found[0 if newest_first else -1]
    assert "compressed data" in reason_of(last)
    assert last.number == len(found)
    if broken == "cut":
        assert all(isinstance(e.line, Line) for e in sorted(found, key=lambda e: e.offset)[:-2])


def test_zstandard_is_read_where_its_module_is_there(folder: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    content = lines([1.0 * at for at in range(3000)])
    packed = zstandard.compress(content[:3000]) + zstandard.compress(content[3000:])
    assert len(list(entries(write(folder / "log.zst", packed)))) == 3000
    *whole, _, cut = entries(write(folder / "cut.zst", packed[:-500]))
    assert all(isinstance(entry.line, Line) for entry in whole)
    assert reason_of(cut) == f"the compressed data breaks off after {len(whole)} lines"


def test_zstandard_without_a_module_names_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("zstandard", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    path = write(folder / "log.zst", b"\x28\xb5\x2f\xfd....")
    with pytest.raises(ReaderError, match=r"^.*log.zst: .*pip install 'gatewaylog\[zstd\]'$"):
        list(entries(path))


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_read_both_ways(
    monkeypatch: pytest.MonkeyPatch, newest_first: bool, packed: bool
) -> None:
    content = encoded(incoming(1)) + b"no line\n" + encoded(complete(1), 1)
    raw = io.BytesIO(gzip.compress(content) if packed else content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(raw)))
    found = list(entries("-", newest_first=newest_first))[:: -1 if newest_first else 1]
    assert [(e.number, type(e.line)) for e in found] == [(1, Line), (2, Unparsed), (3, Line)]
    assert identity(1).encode() in found[2].raw


def test_a_file_renamed_after_it_was_found_is_read_all_the_same(folder: Path) -> None:
    path = write(folder / "api.log", lines([1.0]))
    source = Source(str(path))
    path.rename(folder / "api.log.1")
    write(path, lines([2.0, 3.0]))
    assert b"".join(source.pieces()) == lines([1.0])


def test_a_file_taken_away_after_it_was_found_is_an_error_of_one_line(folder: Path) -> None:
    path = write(folder / "api.log", lines([1.0]))
    source = Source(str(path))
    (folder / "other").touch()
    path.unlink()
    with pytest.raises(ReaderError, match=r"api.log: was rotated away while it was read$"):
        list(source.pieces())


def test_a_file_cut_while_it_is_read_backwards_is_an_error_of_one_line(folder: Path) -> None:
    path = write(folder / "api.log", lines([1.0] * 4000))
    reading = entries(path, newest_first=True)
    next(reading)
    os.truncate(path, 10)
    with pytest.raises(ReaderError, match=r"was cut short while it was read$"):
        list(reading)


@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    st.booleans(),
    st.integers(1, 80),
    st.integers(1, 50),
)
def test_shares_of_a_file_hold_each_line_once(
    found: list[bytes], ended: bool, size: int, piece: int
) -> None:
    with TemporaryDirectory() as name:
        path = Path(name, "a.log")
        path.write_bytes(b"\n".join(found) + b"\n" * (ended and bool(found)))
        source, content = Source(str(path)), path.read_bytes()
        if source.is_packed:
            return
        shares = shares_of(source, size)
        assert b"".join(content[begin:end] for begin, end in shares) == content
        for begin, end in shares:
            assert not begin or content[begin - 1 : begin] == b"\n"
            blocks = list(blocks_between(source, begin, end, size=piece))
            assert b"".join(block.raw for block in blocks) == content[begin:end]
            assert [block.offset for block in blocks][:1] == [begin]


def test_what_cannot_be_read_at_any_place_has_no_shares(folder: Path) -> None:
    (folder / "a.log.gz").write_bytes(gzip.compress(b"a\nb\n"))
    assert shares_of(Source(str(folder / "a.log.gz")), 1) == []
    (folder / "b.log").write_bytes(b"")
    assert shares_of(Source(str(folder / "b.log")), 1) == []


def test_a_share_that_was_cut_off_meanwhile_is_said(folder: Path) -> None:
    path = folder / "a.log"
    path.write_bytes(b"a\n" * 100)
    source = Source(str(path))
    (_, (begin, end)) = shares_of(source, 100)
    os.truncate(path, 150)
    with pytest.raises(ReaderError, match="cut short"):
        list(blocks_between(source, begin, end))
