"""What stands before a follower's places and what it gives: together every line, each once."""

from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING

from gatewaylog.reader import Follower, find, lines_of, parts_before
from tests.reader.logs import encoded, incoming, lines, write
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def raws(follower: Follower, paths: Path) -> list[bytes]:
    return [entry.raw for entry in lines_of(parts_before(follower, find(paths)))]


def test_a_file_is_parted_behind_its_last_whole_line(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", b"one\ntwo\nthr")
    with Follower(log) as follower:
        with log.open("ab") as more:
            more.write(b"ee\nfour\n")
        assert raws(follower, log) == [b"one", b"two"]
        assert [entry.raw for entry in follower.poll()] == [b"three", b"four"]


def test_rotated_and_packed_files_stand_before_and_what_is_made_meanwhile_does_not(
    tmp_path: Path,
) -> None:
    rows = [encoded(incoming(at), at) for at in range(6)]
    write(tmp_path / "a.log.2.gz", gzip.compress(rows[0]))
    write(tmp_path / "a.log.1", rows[1])
    log = write(tmp_path / "a.log", rows[2])
    with Follower(tmp_path) as follower:
        with log.open("ab") as more:
            more.write(rows[3])
        log.rename(tmp_path / "a.log.0")
        write(log, rows[4])
        before = raws(follower, tmp_path)
        assert before == [row[:-1] for row in rows[:3]]
        assert [entry.raw for entry in follower.poll()] == [row[:-1] for row in rows[3:5]]


def test_nothing_stands_before_in_an_empty_file(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", b"")
    with Follower(log) as follower:
        assert parts_before(follower, find(log)) == []


def test_while_it_is_written_and_rotated_no_line_is_lost_or_had_twice(tmp_path: Path) -> None:
    """Begin to follow again and again, in the midst of a writer's work."""
    log, stop = tmp_path / "a.log", threading.Event()
    written: list[int] = []

    def work() -> None:
        while not stop.wait(0.0005):
            with log.open("ab") as file:
                file.write(lines([len(written)], first=len(written)))
            written.append(len(written))
            if len(written) % 60 == 0:
                log.rename(tmp_path / f"a.log-{20260101 + len(written)}")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(15):
            wait_for(lambda: log.exists())
            with Follower(tmp_path) as follower:
                found = raws(follower, tmp_path)
                goal = len(written) + 30
                wait_for(lambda goal=goal: len(written) >= goal)  # type: ignore[misc]
                found += [entry.raw for entry in follower.poll()]
            ids = [int(raw.split(b'MessageID="')[1].split(b'"')[0][-12:]) for raw in found]
            assert sorted(ids) == list(range(len(ids)))
            assert len(ids) >= goal
    finally:
        stop.set()
        thread.join()


def test_logs_appear_in_folders_and_behind_globs(tmp_path: Path) -> None:
    with Follower([tmp_path, f"{tmp_path}/sub/*.txt"]) as follower:
        assert list(follower.poll()) == []
        write(tmp_path / "a.log", b"one\n")
        assert [entry.raw for entry in follower.poll()] == [b"one"]
        (tmp_path / "sub").mkdir()
        write(tmp_path / "sub" / "b.txt", b"two\n")
        assert wait_for(lambda: [entry.raw for entry in follower.poll()]) == [b"two"]
