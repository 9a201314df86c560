"""What can't be read of logs, in every verb that reads them: said, and told by the exit status."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run

if TYPE_CHECKING:
    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013

LOG = Path(__file__).parents[1] / "search" / "access_log.txt"
VERBS = [
    ["tail"],
    ["tail", "--since", "2017-01-01T00:00:00Z"],
    ["search", "*"],
    ["search", "* | stats count by API", "--engine", "pure"],
    ["search", "*", "--unread"],
    ["show", "a1"],
    ["orphans", "--grace", "0s"],
    ["report"],
    ["report", "apis"],
    ["convert", "--to", "json"],
]
each_verb = pytest.mark.parametrize("verb", VERBS, ids=" ".join)
UNREADABLE = Path("/proc/self/mem")  # a file whose begin nobody can read, the superuser neither


def cut_log(folder: Path) -> Path:
    """A compressed log of which the end is missing."""
    *first, last = LOG.read_bytes().splitlines(keepends=True)
    log = folder / "cut.log.gz"
    log.write_bytes(gzip.compress(b"".join(first)) + gzip.compress(last)[:12])
    return log


@each_verb
def test_compressed_data_that_breaks_off_is_said_once(
    verb: list[str], tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = cut_log(tmp_path)
    run([*verb, str(log)])
    told = [line for line in capsys.readouterr().err.splitlines() if "breaks off" in line]
    said = [line for line in told if line.startswith("gatewaylog: ")]
    assert said == [
        f"gatewaylog: {log}: the compressed data breaks off after 11 lines:"
        " what is behind it is not read"
    ]


@each_verb
def test_of_several_files_those_are_read_that_can_be(
    verb: list[str], tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    assert run([*verb, str(LOG)]) in {0, 1}
    whole = capsys.readouterr().out
    missing = tmp_path / "missing.log"
    assert run([*verb, str(missing), str(LOG)]) == 2
    told = capsys.readouterr()
    assert told.out == whole
    assert f"gatewaylog: {missing}: No such file or directory\n" in told.err
    assert run([*verb, str(LOG)]) in {0, 1}  # the next call knows nothing of it


@pytest.mark.skipif(not UNREADABLE.exists(), reason="needs Linux's /proc")
@each_verb
def test_a_file_of_a_folder_that_can_t_be_read_is_told_and_the_others_are_read(
    verb: list[str], tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    (tmp_path / "a.log").symlink_to(UNREADABLE)
    (tmp_path / "b.log").write_bytes(LOG.read_bytes())
    assert run([*verb, str(tmp_path / "b.log")]) in {0, 1}
    whole = capsys.readouterr().out
    assert run([*verb, str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == whole
    assert f"gatewaylog: {tmp_path}/a.log: Input/output error\n" in told.err


@each_verb
def test_where_nothing_can_be_read_each_is_told_once(
    verb: list[str], tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    missing = [str(tmp_path / name) for name in ("a.log", "b*.log", "c.log")]
    assert run([*verb, *missing]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert sorted(line.split(": ")[1] for line in told.err.splitlines()) == sorted(missing)


@each_verb
def test_the_log_of_a_configuration_that_is_not_there_is_named(
    verb: list[str], tmp_path: Path, capsys: CaptureFixture[str], monkeypatch: MonkeyPatch
) -> None:
    """A relative path begins in the current folder, as `serve` has it."""
    (tmp_path / "gw").mkdir()
    (tmp_path / "gw" / "gateway.toml").write_text('[log]\npath = "logs/own.log"\n')
    monkeypatch.chdir(tmp_path)
    assert run([*verb, "--config", "gw/gateway.toml"]) == 2
    assert capsys.readouterr().err == (
        "gatewaylog: gw/gateway.toml: log.path: logs/own.log: No such file or directory"
        " (relative to this folder, as serve takes it)\n"
    )
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "own.log").write_bytes(LOG.read_bytes())
    assert run([*verb, "--config", "gw/gateway.toml"]) in {0, 1}
