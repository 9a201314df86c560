"""Following into files that were rotated and packed between two looks."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

import zstandard

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest
from gatewaylog.reader import Follower, following
from gatewaylog.sinks import MemorySink
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotate, rotated_from

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def lines(count: int) -> list[bytes]:
    sink = MemorySink()
    log = AccessLog(sink)
    for number in range(count):
        log.write(IncomingRequest(request_in_url=f"/{number}"))
    return sink.lines


def given(follower: Follower) -> list[bytes]:
    return [entry.raw + b"\n" for entry in follower.poll()]


def test_files_that_were_packed_before_they_were_opened_are_given_once(tmp_path: Path) -> None:
    path, written = tmp_path / "api.log", lines(8)
    path.write_bytes(written[0])
    with Follower(path, last=None) as follower:
        assert given(follower) == written[:1]
        for begin in (1, 3, 5):
            path.write_bytes(path.read_bytes() + b"".join(written[begin : begin + 2]))
            rotate(path)
            path.touch()
        assert tidy(path, Retention(compress="gz"))
        path.write_bytes(written[7])
        assert given(follower) == written[1:]
        assert given(follower) == []


def test_a_file_that_was_given_is_not_given_again_when_it_is_packed(tmp_path: Path) -> None:
    path, written = tmp_path / "api.log", lines(3)
    path.write_bytes(written[0])
    with Follower(path, last=None) as follower:
        assert given(follower) == written[:1]
        rotate(path)
        path.write_bytes(written[1])
        assert given(follower) == written[1:2]
        assert tidy(path, Retention(compress="gz"))
        assert given(follower) == []


def test_what_was_packed_before_following_began_is_passed_over(tmp_path: Path) -> None:
    path, written = tmp_path / "api.log", lines(3)
    path.write_bytes(written[0])
    rotate(path)
    assert tidy(path, Retention(compress="gz"))
    path.write_bytes(written[1])
    with Follower(path, last=None) as follower:
        assert given(follower) == written[1:2]


def test_a_packed_file_that_can_not_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    path, written = tmp_path / "api.log", lines(2)
    path.write_bytes(written[0])
    with Follower(path, last=None) as follower:
        assert given(follower) == written[:1]
        packed = tmp_path / "api.log.2026-11-21T10-22-33-123456.zst"
        packed.write_bytes(zstandard.ZstdCompressor().compress(written[1]))
        with path.open("ab") as file:
            file.write(written[1])
        assert given(follower) == written[1:]


def test_a_file_that_gets_another_name_while_it_is_looked_for_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = tmp_path / "api.log", lines(3)
    path.write_bytes(written[0])
    opened = following._opened
    packed: list[Path] = []

    def late(found: Path, name: Path) -> object:
        if not packed and found.suffix != ".gz":
            packed.append(found.with_name(f"{found.name}.gz"))
            packed[0].write_bytes(gzip.compress(found.read_bytes()))
            found.unlink()
        return opened(found, name)

    with Follower(path, last=None) as follower:
        assert given(follower) == written[:1]
        first = path.with_name("was-current")
        path.rename(first)
        path.write_bytes(written[1])
        rotate(path)
        path.write_bytes(written[2])
        monkeypatch.setattr(following, "_opened", late)
        assert given(follower) == written[1:]
    assert [file for _, file in rotated_from(path)] == packed
