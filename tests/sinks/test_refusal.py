"""What would be refused as a log is told without making anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import LogError
from gatewaylog.sinks import FileSink
from gatewaylog.sinks.fitness import refusal

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534


def said_by_the_sink(path: Path) -> str:
    with pytest.raises(LogError) as caught:
        FileSink(path)
    return str(caught.value).removeprefix(f"{path}: ")


def test_what_can_be_a_log_is_not_refused_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "there.log").touch(0o640)
    assert refusal(tmp_path / "there.log") is None
    assert refusal(tmp_path / "fresh.log") is None
    assert refusal(tmp_path / "some" / "folders" / "fresh.log") is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["there.log"]


def test_a_link_and_a_folder_are_refused_in_the_words_of_the_sink(tmp_path: Path) -> None:
    (tmp_path / "real.log").touch()
    link, dangling, pipe = (tmp_path / name for name in ("link", "dangling", "pipe"))
    link.symlink_to("real.log")
    dangling.symlink_to("none")
    os.mkfifo(pipe)
    for path in (link, dangling, pipe):
        assert refusal(path) == said_by_the_sink(path)
    assert refusal(tmp_path) == "is no regular file"


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file" / "log") == "can't be opened: Not a directory"
    (tmp_path / "link").symlink_to("none")
    assert refusal(tmp_path / "link" / "log") == f"can't be made: {tmp_path}/link is no folder"


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: needs root, to be somebody else")
def test_what_belongs_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs.log").touch()
    os.chown(tmp_path / "theirs.log", NOBODY, NOBODY)
    path = tmp_path / "theirs.log"
    assert refusal(path) == said_by_the_sink(path) == f"belongs to another user (uid {NOBODY})"


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: needs root, to be somebody else")
def test_what_may_not_be_written_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(0o755)
    (folder / "own.log").touch(0o400)
    os.chown(folder / "own.log", NOBODY, NOBODY)
    for above in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        above.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        told = [refusal(folder / name) for name in ("own.log", "new.log", "below/new.log")]
    finally:
        os.seteuid(0)
    assert told[0] == "can't be opened: Permission denied"
    assert told[1] == told[2] == f"can't be made: {folder}: Permission denied"
