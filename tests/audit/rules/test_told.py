"""What was told of findings is known to the next process, and to one at a time."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.rules import Finding, Severity
from gatewaylog.audit.rules.hours_read import MOST, HoursRead
from gatewaylog.audit.rules.told import Told

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
NOW = 1_800_000_000.0
HOUR_OF_NOW = NOW - NOW % 3600


def finding(at: float = NOW, *, client: str = "shop", severity: Severity = Severity.LOW) -> Finding:
    return Finding(rule="R01", severity=severity, client=client, at=at, detail="…")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of a process that told one finding at NOW, and ended 100 seconds later."""
    path = tmp_path / "told"
    with Told(path) as told:
        assert not told.is_any
        assert told.is_new(finding())
        told.add(finding())
        told.save(NOW + 100)
    return path


@pytest.mark.parametrize(
    ("found", "new"),
    [
        (finding(), False),
        (finding(NOW + DAY - 1), False),
        (finding(NOW - DAY + 1), False),
        (finding(NOW + DAY), True),
        (finding(NOW - DAY), True),  # its lines came late
        (finding(severity=Severity.HIGH, at=NOW + 50), True),
        (finding(client="other", at=NOW - 50), True),
    ],
)
def test_the_next_process_tells_what_is_new(path: Path, found: Finding, new: bool) -> None:
    with Told(path) as told:
        assert told.is_any
        assert told.is_new(found) is new


def test_a_finding_is_known_by_all_that_were_told_and_not_by_the_last(path: Path) -> None:
    with Told(path) as told:
        told.add(finding(NOW + 2 * DAY))
        told.save()
    with Told(path) as told:
        assert not told.is_new(finding(NOW))
        assert not told.is_new(finding(NOW + 2 * DAY))


def read(path: Path, *moments: float, until: float | None = None) -> float:
    """Read rows, as one process does; return from when on their findings are told."""
    with Told(path) as told:
        for at in moments:
            told.take(at)
        since = told.open_since
        told.save(until)
        return since


def test_what_came_late_is_told_and_what_was_read_is_not(path: Path) -> None:
    first = HOUR_OF_NOW + 10
    assert read(path, first, first, until=NOW + 200) == HOUR_OF_NOW
    assert NOW + 200 < read(path, first, first, until=NOW + 200) <= NOW + 200.1
    assert NOW + 200 < read(path, first, until=NOW + 200) <= NOW + 200.1  # some went by retention
    assert NOW + 200 < read(path, first, first, until=NOW + 200) <= NOW + 200.1
    assert read(path, first, first - 9, first + 5, until=NOW + 200) == HOUR_OF_NOW
    assert read(path, first, first - 3 * DAY, until=NOW) == HOUR_OF_NOW - 3 * DAY


def test_rows_of_which_not_all_was_told_count_as_not_read(path: Path) -> None:
    read(path, NOW)
    assert read(path, NOW, until=NOW) == HOUR_OF_NOW


def test_a_clock_that_is_ahead_holds_no_later_row_back(path: Path) -> None:
    read(path, NOW, NOW + 30 * 365 * DAY, until=NOW)
    assert read(path, NOW, NOW + 30 * 365 * DAY, NOW + DAY, until=NOW) <= NOW + DAY


def test_who_was_ended_before_anything_was_told_begins_again(tmp_path: Path) -> None:
    for _ in range(2):
        with Told(tmp_path / "told") as told:
            assert not told.is_any
            told.pass_over(finding())
            told.save()


def test_who_was_killed_while_telling_goes_on(tmp_path: Path) -> None:
    with Told(tmp_path / "told") as told:
        told.add(finding())
        told.save()
    with Told(tmp_path / "told") as told:
        assert told.is_any
        told.take(NOW)
        assert told.open_since <= NOW


def test_hours_are_kept_as_many_as_there_is_room_for() -> None:
    hours = HoursRead({})
    for hour in range(MOST + 1):
        hours.take(hour * 3600.0)
    assert hours.new_since == 0
    kept = hours.kept()
    assert (len(kept), min(kept)) == (MOST, 1)
    later = HoursRead(kept)
    later.take(0.0)
    assert later.new_since == float("inf")  # of an hour that is not known any more
    later.take((MOST + 1) * 3600.0)
    assert later.new_since == (MOST + 1) * 3600


def test_what_waits_is_kept_for_its_owner_alone(path: Path) -> None:
    with Told(path) as told:
        told.waiting = [{"rule": "R01", "client": "…"}]
        told.save(0.0)
    with Told(path) as told:
        assert (told.waiting, told.until) == ([{"rule": "R01", "client": "…"}], NOW + 100)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_findings_are_kept_as_many_as_there_is_room_for(path: Path) -> None:
    with Told(path) as told:
        for number in range(10_000):
            told.add(finding(NOW + 1 + number, client=f"c{number}"))
        told.save()
    assert "shop" not in path.read_text()
    assert '"c0"' in path.read_text()


def test_one_process_has_it(path: Path) -> None:
    with Told(path), pytest.raises(BlockingIOError):
        Told(path)
    Told(path).close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"version": 3}',
        b'{"version": 2}',
        b'{"version": 2, "until": 1, "hours": [], "told": [[1]], "waiting": []}',
        b'{"version": 2, "until": 1, "hours": [], "told": [["R01", "a", 1, 9]], "waiting": []}',
        b'{"version": 2, "until": "x", "hours": [], "told": [], "waiting": []}',
        b'{"version": 2, "until": 1, "hours": [[Infinity, 1]], "told": [], "waiting": []}',
        b"[" * 100_000,
    ],
)
def test_a_file_of_something_else_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for _ in range(2):  # and is not locked by who could not read it
        with pytest.raises(ValueError, match="is not what tokens watch keeps there"):
            Told(path)
    assert path.read_bytes() == content
