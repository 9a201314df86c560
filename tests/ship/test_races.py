"""Files that are renamed in the very moment in which a shipper looks at them."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ReaderError
from gatewaylog.ship.folder import Folder
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


def test_files_that_are_renamed_all_the_time_are_not_taken_to_be_gone(
    log: Path, reading: Followed
) -> None:
    """A listing misses files that get other names meanwhile, as logrotate gives each of them."""
    for number in range(20):
        append(log, range(number, number + 1))
        rotate(log)
    reading.read()
    reading.again()
    over = threading.Event()
    rotations = itertools.count()
    done = [0]

    def rename() -> None:
        while not over.is_set():
            done[0] = next(rotations)
            append(log, [100 + done[0]])
            rotate(log)

    renaming = threading.Thread(target=rename)
    renaming.start()
    try:
        while done[0] < 200 and not reading.trail.gaps:
            reading.trail.look()
    finally:
        over.set()
        renaming.join()
    assert reading.trail.gaps == []


def test_a_file_that_is_gone_from_a_folder_that_never_rests_is_a_gap(
    log: Path, reading: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewaylog.ship.folder.Folder.is_settled", lambda folder: False)
    monkeypatch.setattr("gatewaylog.ship.trail._LOOKS", 3)
    append(log, range(3))
    rotate(log)
    append(log, range(3, 6))
    reading.read(batches=1)
    reading.again()
    log.with_name("api.log.1").unlink()
    reading.read()
    assert reading.gaps == ["the file is gone, and what stood there with it"]


def test_a_folder_that_is_not_there_is_settled(tmp_path: Path) -> None:
    assert Folder(tmp_path / "missing" / "api.log").is_settled()
