"""Files that are renamed in the very moment in which a shipper looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ReaderError
from tests.ship.logs import append, lines, rotate
from tests.ship.test_trail import Followed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.ship.cursor import Cursor


@pytest.fixture
def reading(log: Path) -> Iterator[Followed]:
    found = Followed(log)
    yield found
    found.trail.close()


def test_a_name_that_another_file_gets_while_it_is_looked_at_is_no_fault(
    log: Path, reading: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation between `stat` and reading: the file is elsewhere, its name is another's."""
    append(log, range(3))
    rotate(log)
    append(log, range(3, 6))

    def renamed_meanwhile(path: Path) -> str | None:
        monkeypatch.undo()
        rotate(log)
        append(log, range(6, 9))
        raise ReaderError(f"{path}: No such file or directory")

    monkeypatch.setattr("gatewaylog.ship.folder.first_line", renamed_meanwhile)
    assert sorted(reading.read() + reading.read()) == lines(range(9))
    assert reading.gaps == []


def test_a_name_that_another_file_gets_before_it_is_opened_is_no_fault(
    log: Path, reading: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, range(3))
    reading.read()
    reading.again()

    def renamed_meanwhile(path: Path, name: str) -> Cursor:
        monkeypatch.undo()
        rotate(log)
        append(log, range(3, 6))
        raise FileNotFoundError(str(path), name)

    monkeypatch.setattr("gatewaylog.ship.track.opened", renamed_meanwhile)
    assert reading.read() + reading.read() == lines(range(3, 6))
    assert reading.gaps == []


def test_a_file_that_can_not_be_read_is_told(
    log: Path, reading: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, name: str) -> Cursor:
        raise PermissionError(str(path), name)

    append(log, range(3))
    monkeypatch.setattr("gatewaylog.ship.track.opened", refuse)
    with pytest.raises(PermissionError):
        reading.read()


def test_a_file_that_goes_while_it_is_looked_at_is_no_fault(
    log: Path, reading: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone_meanwhile(path: Path) -> str | None:
        monkeypatch.undo()
        log.unlink()
        raise ReaderError(f"{path}: No such file or directory")

    append(log, range(3))
    monkeypatch.setattr("gatewaylog.ship.folder.first_line", gone_meanwhile)
    assert reading.read() == []
    append(log, range(3, 6))
    assert reading.read() == lines(range(3, 6))
