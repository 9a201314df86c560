"""Which lines come next: through renames, packing, cuts and restarts, none lost or twice."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from gatewaylog.reader import LONGEST
from gatewaylog.ship.destination import Limits
from gatewaylog.ship.trail import Trail
from tests.ship.logs import append, line, lines, pack, rotate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.ship.checkpoint import Position

LIMITS = Limits(size=2000, events=5)


class Followed:
    """A trail that is read, left and taken up again."""

    def __init__(self, *logs: Path, quiet: float = 0.0) -> None:
        self._logs = logs
        self._quiet = quiet
        self.positions: tuple[Position, ...] = ()
        self.gaps: list[str] = []
        self.trail = Trail(logs, (), quiet=quiet)

    def again(self) -> None:
        """As after a restart."""
        self.trail.close()
        self.trail = Trail(self._logs, self.positions, quiet=self._quiet)

    def read(self, batches: int = 10_000, limits: Limits = LIMITS) -> list[str]:
        found: list[str] = []
        for _ in range(batches):
            batch = self.trail.batch(limits)
            self.gaps += [gap.reason for gap in self.trail.gaps]
            self.trail.gaps.clear()
            if batch is None:
                self.positions = self.trail.positions
                break
            found += [record.text for record in batch.records]
            self.positions = self.trail.passed(batch)
        return found


@pytest.fixture
def reading(log: Path) -> Iterator[Followed]:
    found = Followed(log)
    yield found
    found.trail.close()


def test_lines_come_in_batches_within_the_limits(log: Path, reading: Followed) -> None:
    append(log, range(12))
    sizes = []
    while batch := reading.trail.batch(LIMITS):
        sizes.append(len(batch.records))
        reading.trail.passed(batch)
    assert sizes == [5, 5, 2]


def test_a_batch_that_is_not_passed_comes_again(log: Path, reading: Followed) -> None:
    append(log, range(3))
    assert reading.trail.batch(LIMITS) == reading.trail.batch(LIMITS)


def test_what_is_written_later_comes_later(log: Path, reading: Followed) -> None:
    append(log, range(3))
    assert reading.read() == lines(range(3))
    append(log, range(3, 5))
    assert reading.read() == lines(range(3, 5))
    assert reading.read() == []


def test_a_line_comes_when_it_is_whole(log: Path, reading: Followed) -> None:
    log.write_bytes(line(1)[:50])
    assert reading.read() == []
    log.write_bytes(line(1))
    assert reading.read() == lines([1])


def test_a_log_that_is_not_there_is_waited_for(log: Path, reading: Followed) -> None:
    assert reading.read() == []
    append(log, [1])
    assert reading.read() == lines([1])


def test_a_log_whose_folder_is_not_there_is_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "api.log"
    reading = Followed(log)
    assert reading.read() == []
    log.parent.mkdir()
    append(log, [1])
    assert reading.read() == lines([1])
    reading.trail.close()


def test_rotated_files_come_first_oldest_first_packed_or_not(log: Path, reading: Followed) -> None:
    for number in range(0, 12, 3):
        append(log, range(number, number + 3))
        if number < 9:
            rotate(log, pack_from=2)
    assert sorted(path.name for path in log.parent.iterdir()) == [
        *("api.log", "api.log.1", "api.log.2.gz", "api.log.3.gz")
    ]
    assert reading.read() == lines(range(12))


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_it_goes_on_inside_a_file_that_was_rotated_meanwhile(
    log: Path, reading: Followed, *, restarted: bool, packed: bool
) -> None:
    append(log, range(10))
    assert reading.read(batches=1) == lines(range(5))
    rotate(log, pack_from=packed)
    append(log, range(10, 20))
    if restarted:
        reading.again()
    assert reading.read() == lines(range(5, 20))
    assert reading.gaps == []


def test_a_file_rotated_twice_between_two_looks_is_not_missed(log: Path, reading: Followed) -> None:
    append(log, range(3))
    reading.read()
    rotate(log)
    append(log, range(3, 6))
    rotate(log)
    append(log, range(6, 9))
    assert reading.read() == lines(range(3, 9))


def test_late_lines_of_a_renamed_file_come_still(log: Path, reading: Followed) -> None:
    append(log, range(3))
    reading._quiet = 60.0
    reading.again()
    reading.read()
    rotate(log)
    append(log, range(10, 12))
    assert reading.read() == lines(range(10, 12))
    append(log.with_name("api.log.1"), range(3, 5))
    assert reading.read() == lines(range(3, 5))
    reading.again()
    append(log.with_name("api.log.1"), range(5, 7))
    assert reading.read() == lines(range(5, 7))


def test_the_rest_of_a_removed_file_that_is_open_comes_still(log: Path, reading: Followed) -> None:
    append(log, range(10))
    reading.read(batches=1)
    with log.open("ab") as writer:
        log.unlink()
        writer.write(line(10))
    append(log, range(20, 22))
    assert reading.read() == lines(range(5, 11), range(20, 22))
    assert reading.gaps == []


def test_a_torn_line_at_the_end_of_a_rotated_file_comes_as_it_is(
    log: Path, reading: Followed
) -> None:
    append(log, range(2))
    with log.open("ab") as file:
        file.write(b"torn")
    assert reading.read() == lines(range(2))
    rotate(log)
    append(log, [9])
    assert reading.read() == [*lines(), "torn", *lines([9])]
    reading.again()
    assert reading.read() == []


def test_a_file_that_is_gone_is_a_gap(log: Path, reading: Followed) -> None:
    append(log, range(10))
    reading.read(batches=1)
    reading.again()
    log.unlink()
    append(log, range(20, 22))
    assert reading.read() == lines(range(20, 22))
    assert reading.gaps == ["the file is gone, and what stood there with it"]
    reading.again()
    assert reading.read() == []
    assert len(reading.gaps) == 1


def test_a_file_that_was_never_begun_and_is_gone_is_a_gap(log: Path, reading: Followed) -> None:
    append(log, range(10))
    rotate(log)
    append(log, range(10, 12))
    reading.read(batches=1)
    rotate(log)
    append(log, range(20, 22))
    log.with_name("api.log.1").unlink()
    assert reading.read() == lines(range(5, 10), range(20, 22))
    assert reading.gaps == ["the file is gone, and what stood there with it"]


def test_a_file_that_is_over_may_go(log: Path, reading: Followed) -> None:
    append(log, range(3))
    rotate(log)
    append(log, range(3, 5))
    reading.read()
    log.with_name("api.log.1").unlink()
    append(log, range(5, 6))
    assert reading.read() == lines(range(5, 6))
    assert reading.gaps == []
    assert len(reading.positions) == 1


def test_nothing_is_taken_for_gone_while_no_file_is_there(
    tmp_path: Path, log: Path, reading: Followed
) -> None:
    append(log, range(10))
    reading.read(batches=1)
    reading.again()
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    log.rename(kept / "api.log")
    assert reading.read() == []
    (kept / "api.log").rename(log)
    assert reading.read() == lines(range(5, 10))
    assert reading.gaps == []


def test_a_cut_file_begins_anew_and_tells_a_gap(log: Path, reading: Followed) -> None:
    append(log, range(10))
    reading.read()
    log.write_bytes(b"")
    append(log, range(20, 40))
    assert reading.read() == lines(range(20, 40))
    assert reading.gaps == ["the file is gone, and what stood there with it"]


def test_a_file_cut_behind_its_first_line_begins_anew_and_tells_a_gap(
    log: Path, reading: Followed
) -> None:
    append(log, range(10))
    reading.read()
    os.truncate(log, len(line(0)))
    assert reading.read() == lines([0])
    (reason,) = reading.gaps
    assert reason.startswith("the file was cut or changed")


def test_a_changed_line_before_the_place_of_reading_is_a_gap(log: Path, reading: Followed) -> None:
    append(log, range(5))
    reading.read()
    content = log.read_bytes()
    log.write_bytes(content.replace(b"/shop/4", b"/show/4"))
    append(log, range(5, 6))
    assert len(reading.read()) == 6
    assert len(reading.gaps) == 1


def test_a_copy_that_is_cut_after_it_goes_on_in_the_copy(log: Path, reading: Followed) -> None:
    """copytruncate of logrotate: what is written between copy and cut is lost to all."""
    append(log, range(10))
    reading.read(batches=1)
    log.with_name("api.log.1").write_bytes(log.read_bytes())
    log.write_bytes(b"")
    append(log, range(20, 22))
    assert reading.read() == lines(range(5, 10), range(20, 22))
    assert reading.gaps == []


def test_a_file_and_its_packed_copy_are_one(log: Path, reading: Followed) -> None:
    append(log, range(10))
    rotate(log)
    reading.read(batches=1)
    rotated = log.with_name("api.log.1")
    kept = rotated.read_bytes()
    pack(rotated)
    rotated.write_bytes(kept)
    packed = log.with_name("api.log.1.gz")
    packed.write_bytes(packed.read_bytes()[:-20])  # it is just being written
    assert reading.read() == lines(range(5, 10))


def test_packed_data_that_breaks_off_is_a_gap(log: Path, reading: Followed) -> None:
    append(log, range(1000))
    rotate(log, pack_from=1)
    packed = log.with_name("api.log.1.gz")
    packed.write_bytes(packed.read_bytes()[:-200])
    append(log, [2000])
    found = reading.read()
    assert found[:500] == lines(range(500))
    assert found[-1:] == lines([2000])
    (reason,) = reading.gaps
    assert "breaks off" in reason


def test_lines_longer_than_are_read_are_cut_and_the_next_is_whole(
    log: Path, reading: Followed
) -> None:
    long = b"x" * (LONGEST + 100_000)
    log.write_bytes(line(1) + long + b"\n" + line(2) + b"y" * 5000 + b"\n" + line(3))
    found = reading.read()
    assert [len(text) for text in found] == [
        *(len(lines([1])[0]), LONGEST, len(lines([2])[0]), 5000, len(lines([3])[0]))
    ]
    reading.again()
    append(log, [4])
    assert reading.read() == lines([4])


def test_a_first_line_that_is_too_long_names_the_file_too(log: Path, reading: Followed) -> None:
    log.write_bytes(b"x" * (LONGEST + 100_000) + b"\n" + line(1))
    assert len(reading.read()) == 2
    rotate(log, pack_from=1)
    append(log, [2])
    reading.again()
    assert reading.read() == lines([2])
    assert reading.gaps == []


def test_empty_lines_are_passed_over(log: Path, reading: Followed) -> None:
    log.write_bytes(b"\n\n" + line(1) + b"\n\n" + line(2) + b"\n")
    assert reading.read() == lines([1, 2])
    reading.again()
    append(log, [3])
    assert reading.read() == lines([3])


def test_several_logs_take_turns(tmp_path: Path) -> None:
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    append(logs[0], range(20))
    append(logs[1], range(100, 105))
    reading = Followed(*logs)
    assert set(reading.read(batches=2)) == {*lines(range(5), range(100, 105))}
    reading.again()
    rotate(logs[1])
    append(logs[1], range(105, 107))
    assert {*reading.read()} == {*lines(range(5, 20), range(105, 107))}
    assert reading.gaps == []
    reading.trail.close()


def test_lines_are_numbered_through_all_files(log: Path) -> None:
    append(log, range(3))
    rotate(log)
    append(log, range(3, 6))
    trail = Trail([log], (), number=10)
    numbers = []
    while batch := trail.batch(LIMITS):
        numbers += [record.number for record in batch.records]
        trail.passed(batch)
    assert numbers == list(range(10, 16))
    trail.close()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_to_a_log_each_line_comes_once(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    reading = Followed(log)
    written, found = 0, []
    for _ in range(120):
        match chance.choice(["write", "write", "write", "rotate", "pack", "read", "restart"]):
            case "write":
                fresh = range(written, written + chance.randrange(1, 30))
                append(log, fresh)
                written = fresh.stop
            case "rotate":
                rotate(log)
            case "pack":
                for path in log.parent.glob("api.log.[0-9]"):
                    pack(path)
            case "read":
                found += reading.read(batches=chance.randrange(6))
            case "restart":
                reading.again()
    found += reading.read()
    assert found == lines(range(written))
    assert reading.gaps == []
    reading.trail.close()
