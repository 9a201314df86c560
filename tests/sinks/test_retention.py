"""Rotated files are packed and deleted, but never while somebody may still write to them."""

from __future__ import annotations

import fcntl
import gzip
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import zstandard

from gatewaylog.reader import entries
from gatewaylog.sinks import FileSink
from gatewaylog.sinks.packing import packer
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotate, rotated_from
from tests.sinks.full_disk import small_file_system

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"".join(b"a line, the number %d of them\n" % n for n in range(20_000))


def aged(path: Path, days: float, content: bytes = b"line\n") -> Path:
    """A file that was rotated so many days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)
    file = path.with_name(f"{path.name}.{moment:%Y-%m-%dT%H-%M-%S-%f}")
    file.write_bytes(content)
    return file


def left(path: Path) -> list[Path]:
    return [file for _, file in rotated_from(path)]


def unpack_zstd(raw: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(raw)


@pytest.mark.parametrize(("form", "unpack"), [("gz", gzip.decompress), ("zst", unpack_zstd)])
def test_a_rotated_file_is_replaced_by_its_packed_form(
    tmp_path: Path, form: str, unpack: object
) -> None:
    path = tmp_path / "api.log"
    file = aged(path, 1, CONTENT)
    file.chmod(0o600)
    times = file.stat().st_mtime_ns
    paused: list[int] = []
    assert tidy(path, Retention(compress=form), lambda: paused.append(1))
    (packed,) = left(path)
    assert packed.name == f"{file.name}.{form}"
    assert unpack(packed.read_bytes()) == CONTENT  # type: ignore[operator]
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    assert packed.stat().st_mtime_ns == times
    assert len(paused) == len(CONTENT) // (256 * 1024) + 1
    assert [entry.raw for entry in entries(tmp_path)] == CONTENT.splitlines()
    assert {one.name for one in tmp_path.iterdir()} == {packed.name, ".api.log.lock"}


def test_the_log_itself_and_what_is_packed_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_bytes(CONTENT)
    file = aged(path, 1)
    assert tidy(path, Retention(compress="gz"))
    before = (tmp_path / f"{file.name}.gz").read_bytes()
    assert tidy(path, Retention(compress="gz"))
    assert (tmp_path / f"{file.name}.gz").read_bytes() == before
    assert path.read_bytes() == CONTENT


def test_as_many_files_are_kept_as_are_wished_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    files = [aged(path, days) for days in range(5, 0, -1)]
    assert tidy(path, Retention(backups=2))
    assert left(path) == files[-2:]
    assert tidy(path, Retention())
    assert left(path) == files[-2:]


def test_files_are_kept_as_long_as_is_wished(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    files = [aged(path, days) for days in (91, 90.01, 89.9, 1)]
    assert tidy(path, Retention(keep=90 * 86400))
    assert left(path) == files[2:]


def test_what_a_writer_holds_is_left_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    sink = FileSink(path)
    sink.write(b"early\n")
    rotated = rotate(path)
    assert rotated is not None
    for retention in (Retention(compress="gz"), Retention(keep=1e-9)):
        assert not tidy(path, retention)
        assert left(path) == [rotated]
    sink.write(b"late\n")
    sink.look()
    assert tidy(path, Retention(compress="gz"))
    assert gzip.decompress(left(path)[0].read_bytes()) == b"early\nlate\n"
    assert tidy(path, Retention(keep=1e-9))
    assert left(path) == []


def test_one_process_does_it_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    file = aged(path, 1)
    with (tmp_path / ".api.log.lock").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not tidy(path, Retention(compress="gz"))
    assert left(path) == [file]
    assert tidy(path, Retention(compress="gz"))


def test_what_a_killed_packer_left_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    file = aged(path, 1, CONTENT)
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from gatewaylog.sinks.retention import Retention, tidy\n"
        "tidy(Path(sys.argv[1]), Retention(compress='gz'),"
        " lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert left(path) == [file]
    # Or between its two last steps: both are there, and readers take one.
    file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(CONTENT))
    assert len(list(entries(tmp_path))) == 20_000
    assert tidy(path, Retention(compress="gz"))
    (packed,) = left(path)
    assert gzip.decompress(packed.read_bytes()) == CONTENT
    assert {one.name for one in tmp_path.iterdir()} == {packed.name, ".api.log.lock"}


def test_a_packer_that_is_stopped_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    file = aged(path, 1, CONTENT)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tidy(path, Retention(compress="gz"), stop)
    assert {one.name for one in tmp_path.iterdir()} == {file.name, ".api.log.lock"}


def test_a_full_disk_leaves_the_file_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_file_system(tmp_path, 1 << 20) as folder:
        path = folder / "api.log"
        file = aged(path, 1, os.urandom(800_000))
        assert tidy(path, Retention(compress="gz"))
        assert left(path) == [file]
        assert capsys.readouterr().err == (
            f"gatewaylog: can't pack {file}: No space left on device; it stays as it is\n"
        )


def test_a_file_that_goes_meanwhile_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    aged(path, 2, CONTENT)
    newer = aged(path, 1, CONTENT)

    def remove() -> None:
        for file in left(path):
            if file != newer:
                file.unlink()

    assert not tidy(path, Retention(compress="gz"), remove)
    assert [file.name for file in left(path)] == [f"{newer.name}.gz"]


def test_zstandard_without_its_module_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(ValueError, match=r"pip install 'gatewaylog\[zstd\]'"):
        packer("zst")
