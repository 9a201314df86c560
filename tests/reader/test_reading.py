"""`gatewaylog.read`: logs for users of the library."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import gatewaylog
from gatewaylog.exceptions import ReaderError
from gatewaylog.reader import read
from tests.reader.logs import complete, encoded, incoming, write

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.formats import Unparsed
    from gatewaylog.reader import Entry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "api.log.1", encoded(incoming(1)) + b"what is this\n")
    write(tmp_path / "api.log", encoded(complete(1), 1, "json") + encoded(incoming(2), 2, "logfmt"))
    return tmp_path


def test_events_come_by_time_from_all_formats_and_unread_lines_are_counted(folder: Path) -> None:
    events = read(folder)
    assert list(events) == [incoming(1), complete(1), incoming(2)]
    assert events.unread == 1
    assert len(list(events)) == 3
    assert events.unread == 1


def test_newest_first_and_several_paths(folder: Path) -> None:
    events = read(folder / "api.log", folder / "api.log.1", newest_first=True)
    assert list(events) == [incoming(2), complete(1), incoming(1)]


def test_unread_lines_are_handed_over_with_their_place(folder: Path) -> None:
    told: list[tuple[str, int, bytes]] = []

    def on_unread(entry: Entry, line: Unparsed) -> None:
        told.append((entry.source.name, line.number, line.raw))

    assert len(list(read(folder, on_unread=on_unread))) == 3
    assert told == [(str(folder / "api.log.1"), 2, b"what is this")]


def test_lines_tell_the_time_too(folder: Path) -> None:
    times = [line.time for line in read(folder).lines()]
    assert (times[1] - times[0]).total_seconds() == 1.0


def test_what_is_not_there_raises_when_it_is_iterated(tmp_path: Path) -> None:
    events = read(tmp_path / "missing")
    with pytest.raises(ReaderError, match=r"missing: No such file or directory$"):
        list(events)


def test_the_package_offers_read_but_loads_it_only_when_it_is_used(folder: Path) -> None:
    assert len(list(gatewaylog.read(folder))) == 3
    script = "import sys, gatewaylog; print('gatewaylog.reader' in sys.modules); gatewaylog.read"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.split() == [b"False"]
    with pytest.raises(AttributeError, match="nothing"):
        gatewaylog.nothing  # type: ignore[attr-defined]  # noqa: B018
