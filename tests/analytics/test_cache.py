"""A log that grows, is rotated, cut, replaced or changed never gets another's answer."""

from __future__ import annotations

import gzip
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from gatewaylog.analytics import building, folders
from gatewaylog.analytics.building import build
from gatewaylog.analytics.folders import NAME
from gatewaylog.analytics.schema import VERSION
from gatewaylog.analytics.segments import listed
from gatewaylog.events import IncomingRequest
from gatewaylog.formats import LineOptions, Wso2Format
from tests.analytics.answers import by_cache, by_lines, bytes_held, cached, held, source_of
from tests.search.access_log import planned

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.reader import Source


_FORM = Wso2Format(LineOptions())
_QUERIES = ("* | stats count by API", "shop | stats count", "what* | stats count")
SIZE = 20_000


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make segments of a few lines."""
    monkeypatch.setattr(building, "SIZE", SIZE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def lines(count: int, api: str = "shop", begin: int = 0) -> bytes:
    raws = []
    for at in range(count):
        event = IncomingRequest(api=f"{api}{at % 5}", message_id=f"{api}-{at}")
        raws.append(_FORM.encode(event, 1.4e9 + begin + at, "t"))
    return b"".join(raws) + b"what is this\n"


def written(source: Source) -> dict[Path, int]:
    """When each file of the cache was written."""
    paths = [part.segment.path for part in held(source)]
    return {path: path.stat().st_mtime_ns for path in paths}


def log_of(folder: Path, count: int = 500, api: str = "shop") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "api.log"
    path.write_bytes(lines(count, api))
    return path


def assert_same(path: Path) -> None:
    source = source_of(path)
    for query in _QUERIES:
        assert by_cache(planned(query), source) == by_lines(planned(query), source)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / NAME).rglob("*") if path.is_file())


def test_a_log_that_grows_has_only_its_new_part_read(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    assert bytes_held(cached(path)) == path.stat().st_size
    before = written(source_of(path))
    assert len(before) > 2
    with path.open("ab") as log:
        log.write(lines(300, "news", 500) + b"half a li")
    assert_same(path)
    assert bytes_held(source_of(path)) < path.stat().st_size
    source = cached(path)
    assert bytes_held(source) == path.stat().st_size - len(b"half a li")
    after = written(source)
    assert before.items() < after.items()
    assert_same(path)


def test_a_rotated_log_keeps_its_cache_and_the_new_one_gets_its_own(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    cached(path)
    old = path.rename(path.with_name("api.log.1"))
    assert bytes_held(source_of(old)) == old.stat().st_size
    path.write_bytes(lines(200, "news"))
    assert not held(source_of(path))
    cached(path)
    for each in (old, path):
        assert bytes_held(source_of(each)) == each.stat().st_size
        assert_same(each)


def test_a_log_that_was_copied_and_cut_is_known_by_every_byte(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    cached(path)
    copy = path.with_name("api.log.1")
    shutil.copy(path, copy)
    path.write_bytes(b"")
    assert not held(source_of(path))
    assert bytes_held(source_of(copy)) == copy.stat().st_size
    assert_same(copy)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_a_log_that_was_cut_short_gives_what_is_left(tmp_path: Path, share: float) -> None:
    path = log_of(tmp_path / "log")
    cached(path)
    os.truncate(path, int(path.stat().st_size * share))
    assert bytes_held(source_of(path)) <= path.stat().st_size
    assert_same(path)
    cached(path)
    assert_same(path)


@pytest.mark.parametrize("keeps_time", [False, True])
def test_a_changed_byte_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, keeps_time: bool
) -> None:
    """In place, between what is sampled, and in a copy that has the old one's time and name."""
    monkeypatch.setattr(building, "SIZE", 100 * SIZE)
    path = log_of(tmp_path / "log", 3000)
    cached(path)
    status, raw = path.stat(), path.read_bytes()
    at = raw.index(b'API="shop3"', len(raw) * 8 // 16 + 10_000)
    changed = raw[:at] + b'API="spam3"' + raw[at + 11 :]
    if keeps_time:
        new = path.with_name("new")
        new.write_bytes(changed)
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        new.replace(path)
    else:
        path.write_bytes(changed)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert_same(path)
    assert not held(source_of(path))
    cached(path)
    assert bytes_held(source_of(path)) == path.stat().st_size
    assert_same(path)


def test_a_longer_log_with_the_same_first_line_is_another(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    cached(path)
    first = path.read_bytes().split(b"\n")[0]
    path.write_bytes(first + b"\n" + lines(900, "news"))
    assert not held(source_of(path))
    assert_same(path)
    assert bytes_held(cached(path)) == path.stat().st_size
    assert_same(path)


def test_a_packed_log_is_held_whole_or_not_at_all(tmp_path: Path) -> None:
    plain = lines(4000)  # more than is unpacked at once
    path = tmp_path / "log" / "api.log.1.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(plain))
    source = cached(path)
    assert bytes_held(source) == len(plain)
    assert len(held(source)) > 2
    alone = by_cache(planned(_QUERIES[0]), source)
    (tmp_path / "plain").write_bytes(plain)
    assert alone == by_lines(planned(_QUERIES[0]), source_of(tmp_path / "plain"))
    held(source)[1].segment.path.unlink()
    assert not held(source)
    assert bytes_held(cached(path)) == len(plain)
    path.write_bytes(gzip.compress(plain)[:-300])
    build(source_of(path))
    assert not held(source_of(path))


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(1000))


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 64
    path.write_bytes(raw)


@pytest.mark.parametrize("damage", [_garbage, _cut, _flip])
def test_a_damaged_file_of_the_cache_is_made_again(tmp_path: Path, damage: object) -> None:
    path = log_of(tmp_path / "log")
    broken = held(cached(path))[1].segment.path
    damage(broken)  # type: ignore[operator]
    assert_same(path)
    assert not broken.exists()
    assert bytes_held(cached(path)) == path.stat().st_size
    assert_same(path)


def test_what_is_not_ours_in_the_cache_is_left_alone_or_made_again(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    cached(path)
    folder = path.parent / NAME
    (folder / "0123456789ab").mkdir()
    (folder / "0123456789ab" / "old.parquet").touch()
    (folder / "notes").touch()
    (seen,) = folder.rglob("seen.json")
    for content in ("{", "[]", '{"a": 1}', "null"):
        seen.write_text(content)
        assert bytes_held(source_of(path)) == path.stat().st_size
    cached(path)
    assert not (folder / "0123456789ab").exists()
    assert (folder / "notes").exists()
    assert_same(path)


def test_the_cache_of_a_log_that_is_gone_is_removed(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    cached(path)
    path.unlink()
    other = log_of(tmp_path / "log", api="news")
    cached(other)
    assert len(list((path.parent / NAME / VERSION).iterdir())) == 1
    assert_same(other)


def test_the_cache_is_the_user_s_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = log_of(tmp_path / "log")
        cached(path)
    finally:
        os.umask(old)
    found = [path.parent / NAME, *(path.parent / NAME).rglob("*")]
    assert len(found) > 4
    for each in found:
        assert each.stat().st_mode & 0o777 == (0o700 if each.is_dir() else 0o600)


def test_a_cache_that_others_may_write_to_is_not_believed(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    cached(path)
    (path.parent / NAME).chmod(0o777)
    assert not held(source_of(path))
    cached(path)
    assert bytes_held(source_of(path)) == path.stat().st_size
    assert list((tmp_path / "xdg").rglob("*.parquet"))


def test_a_link_in_the_place_of_the_cache_is_not_followed(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    (tmp_path / "other").mkdir(0o700)
    (path.parent / NAME).symlink_to(tmp_path / "other")
    cached(path)
    assert not list((tmp_path / "other").iterdir())
    assert_same(path)


def test_where_the_log_s_folder_takes_no_cache_it_is_the_user_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_of(tmp_path / "log")
    (path.parent / NAME).touch()
    source = cached(path)
    assert bytes_held(source) == path.stat().st_size
    assert all((tmp_path / "xdg") in part.segment.path.parents for part in held(source))
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not held(source_of(path))
    assert not build(source_of(path))
    assert_same(path)


def test_no_cache_is_made_where_the_disk_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_of(tmp_path / "log")
    usage = shutil.disk_usage(path)._replace(free=path.stat().st_size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert not build(source_of(path))
    assert not files(path.parent)


def test_a_folder_is_built_in_by_one_at_a_time(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log")
    root = folders.prepared(path)
    assert root is not None
    with folders.locked(root, wait=False) as held_here:
        assert held_here
        assert not build(source_of(path))
    assert build(source_of(path))


def test_a_log_without_a_whole_line_has_none(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    for content in (b"", b"no line feed", b"x" * 100_000 + b"\n"):
        path.write_bytes(content)
        assert not build(source_of(path))
        assert not held(source_of(path))


def test_a_folder_of_any_name_will_do(tmp_path: Path) -> None:
    path = log_of(tmp_path / "it's [a] *log*? é\\ $1")
    assert bytes_held(cached(path)) == path.stat().st_size
    assert_same(path)
    assert all(segment.path.exists() for segment in listed(held(source_of(path))[0].segment.folder))


def test_several_processes_build_as_one_does(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log", 3000)
    assert build(source_of(path), workers=2)
    assert bytes_held(source_of(path)) == path.stat().st_size
    assert_same(path)
