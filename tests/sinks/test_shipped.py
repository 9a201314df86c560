"""No file is deleted that a shipper has not passed, up to a limit; else what is missed is told."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from gatewaylog import AccessLog, IncomingRequest
from gatewaylog.ship.checkpoint import Checkpoint, Position
from gatewaylog.sinks.numbers import numbers_in
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotate, rotated_from
from gatewaylog.sinks.shipped import Run, Unpassed, runs_behind, unpassed

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def rotated(path: Path, count: int = 3, form: str = "wso2") -> Path:
    """Write a file of so many events, and rotate it."""
    log = AccessLog(path, format=form)
    for number in range(count):
        log.write(IncomingRequest(request_in_url=f"/{number}"))
    log.close()
    found = rotate(path)
    assert found is not None
    return found


def keep(state: Path, *positions: Position) -> None:
    (state / "checkpoint.json").write_text(Checkpoint(to="command", positions=positions).text())


def position(raw: bytes, lines: int, *, over: bool = False) -> Position:
    whole = raw.splitlines(keepends=True)
    first = hashlib.sha256(whole[0]).hexdigest()
    return Position(first=first, offset=len(b"".join(whole[:lines])), over=over)


def names(path: Path) -> list[str]:
    return [file.name for _, file in rotated_from(path)]


def test_a_file_is_kept_until_its_shippers_have_passed_it(path: Path, state: Path) -> None:
    file = rotated(path)
    retention = Retention(keep=1e-9, shippers=(state,))
    assert tidy(path, retention)
    assert names(path) == [file.name]  # no checkpoint at all
    keep(state, position(file.read_bytes(), 2))
    assert tidy(path, retention)
    assert names(path) == [file.name]
    keep(state, position(file.read_bytes(), 3))
    assert tidy(path, retention)
    assert names(path) == []


def test_what_is_kept_for_shippers_is_packed_as_wished(path: Path, state: Path) -> None:
    file = rotated(path)
    raw = file.read_bytes()
    retention = Retention(keep=1e-9, compress="gz", shippers=(state,))
    assert tidy(path, retention)
    assert names(path) == [f"{file.name}.gz"]
    keep(state, position(raw, 3))
    assert tidy(path, retention)
    assert names(path) == [f"{file.name}.gz"]  # the shipper has not said that it is over
    keep(state, position(raw, 3, over=True))
    assert tidy(path, retention)
    assert names(path) == []


def test_each_shipper_is_waited_for(path: Path, tmp_path: Path, state: Path) -> None:
    file = rotated(path)
    other = tmp_path / "other"
    other.mkdir()
    keep(state, position(file.read_bytes(), 3, over=True))
    retention = Retention(keep=1e-9, shippers=(state, other))
    assert unpassed(file, retention.shippers) == [Unpassed(other, 0)]
    assert tidy(path, retention)
    assert names(path) == [file.name]


@FORMATS
def test_beyond_the_limit_what_shippers_miss_is_told_exactly(
    path: Path, state: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    oldest, newest = rotated(path, 5, form), rotated(path, 2, form)
    keep(state, position(oldest.read_bytes(), 2))
    writers = [numbers_in(file.read_bytes().splitlines()[0]) for file in (oldest, newest)]
    assert writers[0] is not None
    limit = newest.stat().st_size
    assert tidy(path, Retention(keep=1e-9, shippers=(state,), max_unshipped=limit))
    assert names(path) == [newest.name]
    assert capsys.readouterr().err == (
        f"gatewaylog: {oldest} is deleted before the shipper of {state} had it:"
        f" writer {writers[0][0]}, Seq 3 to 5\n"
    )
    (told,) = map(json.loads, path.with_name("api.log.unshipped").read_text().splitlines())
    assert told.pop("at").endswith("Z")
    assert told == {
        "file": oldest.name,
        "state": str(state),
        "writer": writers[0][0],
        "first": 3,
        "last": 5,
    }


def test_a_limit_of_none_deletes_and_tells(path: Path, state: Path) -> None:
    rotated(path)
    assert tidy(path, Retention(backups=0, keep=1e-9, shippers=(state,), max_unshipped=0))
    assert names(path) == []
    assert path.with_name("api.log.unshipped").exists()


def test_runs_are_those_of_each_writer(path: Path) -> None:
    logs = [AccessLog(path) for _ in range(2)]
    for number in range(6):
        logs[number % 2].write(IncomingRequest())
    lines = path.read_bytes().splitlines(keepends=True)
    writers = [found[0] for line in lines[:2] if (found := numbers_in(line.rstrip(b"\n")))]
    path.write_bytes(b"".join([lines[0], lines[1], b"torn\n", lines[3], lines[4], lines[5]]))
    assert runs_behind(path, len(lines[0])) == [
        Run(writer=writers[1], first=1, last=3),
        Run(writer=writers[0], first=3, last=3),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"positions": 1}', '{"positions": [{}]}'])
def test_a_state_that_cannot_be_read_has_passed_nothing(path: Path, state: Path, text: str) -> None:
    (state / "checkpoint.json").write_text(text)
    assert unpassed(rotated(path), [state]) == [Unpassed(state, 0)]


def test_what_nobody_can_read_is_not_waited_for(path: Path, state: Path) -> None:
    for end, raw in (
        (".gz", gzip.compress(b"line\n" * 9999)[:20]),
        (".gz", b"no gzip"),
        (".zst", b"no zstd"),
        ("", b""),
        ("", b"a part of a line"),
    ):
        file = path.with_name(f"broken{end}")
        file.write_bytes(raw)
        assert unpassed(file, [state]) == []


def test_packed_with_zstd_it_is_known_too(path: Path, state: Path) -> None:
    file = rotated(path)
    raw = file.read_bytes()
    assert tidy(path, Retention(compress="zst"))
    keep(state, position(raw, 1))
    (packed,) = (file for _, file in rotated_from(path))
    assert unpassed(packed, [state]) == [Unpassed(state, position(raw, 1).offset)]
    (run,) = runs_behind(packed, position(raw, 1).offset)
    assert (run.first, run.last) == (2, 3)


def test_the_logs_options_name_shippers(path: Path, state: Path) -> None:
    log = AccessLog(path, backups=1, shippers=[state], max_unshipped="1MB")
    assert log._housekeeper is not None
    assert log._housekeeper._retention == Retention(
        backups=1, shippers=(state,), max_unshipped=1_000_000
    )
    log.close()
    with pytest.raises(ValueError, match="max_unshipped"):
        AccessLog(path, max_unshipped=-1)
