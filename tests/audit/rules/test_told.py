"""What was told of findings is known to the next process, and to one at a time."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.rules import Finding, Severity
from gatewaylog.audit.rules.told import Told

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
NOW = 1_800_000_000.0


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
        (finding(NOW + 90), False),
        (finding(NOW + DAY), True),
        (finding(severity=Severity.HIGH, at=NOW + 50), True),
        (finding(client="other", at=NOW + 101), True),
        (finding(client="other", at=NOW + 50), True),  # its line may have come late
        (finding(client="other", at=NOW - 50), False),  # it was looked at, and not to be told
    ],
)
def test_the_next_process_tells_what_is_new(path: Path, found: Finding, new: bool) -> None:
    with Told(path) as told:
        assert told.is_any
        assert told.is_new(found) is new


def test_what_waits_is_kept_for_its_owner_alone(path: Path) -> None:
    with Told(path) as told:
        told.waiting = [{"rule": "R01", "client": "…"}]
        told.save(0.0)
    with Told(path) as told:
        assert (told.waiting, told.until) == ([{"rule": "R01", "client": "…"}], NOW + 100)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_old_is_forgotten(path: Path) -> None:
    with Told(path) as told:
        told.save(NOW + 3 * DAY)
    assert "shop" not in path.read_text()


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
        b'{"version": 2}',
        b'{"version": 1}',
        b'{"version": 1, "until": 1, "told": [[1]], "waiting": []}',
        b'{"version": 1, "until": 1, "told": [["R01", "a", 1, 9]], "waiting": []}',
        b'{"version": 1, "until": "x", "told": [], "waiting": []}',
        b"[" * 100_000,
    ],
)
def test_a_file_of_something_else_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for _ in range(2):  # and is not locked by who could not read it
        with pytest.raises(ValueError, match="is not what tokens watch keeps there"):
            Told(path)
    assert path.read_bytes() == content
