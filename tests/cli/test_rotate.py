"""`gatewaylog rotate`: a log is rotated now, whoever writes to it."""

from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.audit.events.account import account
from gatewaylog.audit.events.line import parse_line
from gatewaylog.cli import rotate as verb
from gatewaylog.cli import run as main
from gatewaylog.events import IncomingRequest
from gatewaylog.sinks import FileSink
from gatewaylog.sinks.rotation import rotated_from
from tests.seal.sealed import digests, sealed, write
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


def names(path: Path) -> list[str]:
    return [file.name for _, file in rotated_from(path)]


def test_the_log_gets_a_name_with_the_time(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(path)
    log.write(IncomingRequest())
    assert main(["rotate", str(path)]) == 0
    (name,) = names(path)
    assert capsys.readouterr().out == f"{path} -> {name}\n"
    assert not path.exists()  # who writes makes it: another user's would be refused
    log.look()
    log.write(IncomingRequest())
    assert path.read_bytes().count(b"\n") == 1


def test_an_empty_log_stays(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.touch()
    assert main(["rotate", str(path)]) == 0
    assert capsys.readouterr().out == f"{path} is empty: nothing to rotate\n"
    assert names(path) == []


def test_it_is_packed_when_its_writers_have_left(path: Path) -> None:
    sink = FileSink(path)
    sink.write(b"line\n")
    looking = threading.Timer(0.2, sink.look)
    looking.start()
    assert main(["rotate", str(path), "--compress", "gz"]) == 0
    looking.join()
    (name,) = names(path)
    assert gzip.decompress((path.parent / name).read_bytes()) == b"line\n"


def test_a_writer_that_stays_is_told_of(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "_PATIENCE", 0.05)
    sink = FileSink(path)
    sink.write(b"line\n")
    assert main(["rotate", str(path), "--compress", "gz"]) == 0
    assert "packing is left for the next time" in capsys.readouterr().err
    assert len(names(path)) == 1


def test_the_gateways_configuration_says_what_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    (path.parent / "gateway.toml").write_text(
        '[log]\npath = "api.log"\ncompress = "gz"\nbackups = 2\n'
    )
    for _ in range(3):
        path.write_bytes(b"line\n")
        assert main(["rotate"]) == 0
    assert [name[-3:] for name in names(path)] == [".gz", ".gz"]
    path.write_bytes(b"line\n")
    assert main(["rotate", "--backups", "1"]) == 0
    assert len(names(path)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.log"], "rotate: {folder}/none.log: is no log file"),
        (["."], "rotate: {folder}: is no log file"),
        (["link.log"], "rotate: {folder}/link.log: is no log file"),
        (["real.log", "--keep", "soon"], "rotate: keep: must be a time like"),
        (
            ["real.log", "--backups", "-1"],
            "rotate: max_size, backups and max_unshipped: must not be under 0",
        ),
    ],
)
def test_what_cannot_be_rotated_is_told(
    tmp_path: Path,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real.log").write_bytes(b"line\n")
    (tmp_path / "link.log").symlink_to("real.log")
    assert main(["rotate", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"gatewaylog: {said.format(folder=tmp_path)}")
    assert names(tmp_path / "real.log") == []


def test_a_log_on_standard_output_has_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text('[log]\npath = "-"\n')
    assert main(["rotate"]) == 2
    assert "standard output" in capsys.readouterr().err


def test_a_tamper_evident_log_is_packed_by_its_writers(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = sealed(path, compress="gz", digest_every="1h")
    write(log, 2)
    assert log._sealing is not None
    log._sealing.sign()
    assert main(["rotate", str(path), "--keep", "1s", "--compress", "gz"]) == 0
    assert "its writers sign, pack and delete" in capsys.readouterr().err
    wait_for(lambda: [name[-3:] for name in names(path)] == [".gz"])
    log.close()
    assert digests(path)[-1].final


def test_the_gateways_shippers_are_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    (path.parent / "gateway.toml").write_text(
        '[log]\npath = "api.log"\nbackups = 1\nshippers = ["state"]\nmax_unshipped = "1MB"\n'
        '[[ship]]\nto = "command"\nstate = "other"\n'
    )
    for _ in range(3):
        path.write_bytes(b"line\n")
        assert main(["rotate"]) == 0
    assert len(names(path)) == 3


def test_what_is_deleted_is_recorded_in_the_gateways_event_log(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parent)
    events = path.with_name("event.log")
    (path.parent / "gateway.toml").write_text(
        '[log]\npath = "api.log"\nbackups = 1\n[event_log]\npath = "event.log"\n'
    )
    for _ in range(2):
        path.write_bytes(b"line\n")
        (name,) = names(path) or [""]
        assert main(["rotate"]) == 0
    record = parse_line(events.read_bytes())
    assert (record.event, record.user, record.authority) == (
        "RETENTION_RUN",
        account(),
        "gatewaylog.cli",
    )
    assert record.detail == f"1 rotated file of {path} deleted: {name}"
    events.unlink()
    events.mkdir()
    path.write_bytes(b"line\n")
    assert main(["rotate"]) == 0
    assert "nothing is recorded" in capsys.readouterr().err
