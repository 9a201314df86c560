"""What a log held is signed: at times, at rotation, at an orderly stop."""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog import IncomingRequest
from gatewaylog.seal.digest import hash_of, read_line
from gatewaylog.seal.keys import PUBLIC_KEY, judge_of
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotate, rotated_from
from tests.seal.sealed import digests, keys, sealed, write
from tests.sinks.full_disk import small_file_system
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


def test_an_orderly_stop_signs_what_the_file_holds(path: Path) -> None:
    log = sealed(path)
    write(log, 3)
    log.close()
    (digest,) = digests(path)
    raw = path.read_bytes()
    assert (digest.number, digest.before, digest.name) == (1, "", "api.log")
    assert (digest.size, digest.lines) == (len(raw), 3)
    assert digest.sha256 == hashlib.sha256(raw).hexdigest()
    assert digest.first == hash_of(raw.splitlines(keepends=True)[0])
    (span,) = digest.writers.values()
    assert (span.first_seq, span.last_seq) == (1, 3)
    assert span.last_chain.encode() in raw.splitlines()[-1]


def test_digests_are_signed_and_each_holds_the_hash_of_the_one_before(path: Path) -> None:
    for _ in range(3):
        log = sealed(path)
        write(log, 2)
        log.close()
    raws = path.with_name("api.log.digest").read_bytes().splitlines()
    judge = judge_of(keys() / PUBLIC_KEY)
    before = ""
    for number, raw in enumerate(raws, 1):
        signed = read_line(raw)
        assert judge.is_good(signed.signature, signed.text)
        assert not judge.is_good(signed.signature, signed.text + b" ")
        assert (signed.digest.number, signed.digest.before) == (number, before)
        assert signed.digest.key == judge.name
        before = hash_of(raw)
    assert len(raws) == 3


def test_it_signs_by_itself_after_some_time_and_nothing_twice(path: Path) -> None:
    log = sealed(path, digest_every="1s")
    write(log, 1)
    wait_for(lambda: path.with_name("api.log.digest").exists() and len(digests(path)) == 1)
    write(log, 1)
    wait_for(lambda: len(digests(path)) == 2)
    log.close()
    assert len(digests(path)) == 2


def test_a_rotated_file_gets_its_last_digest_when_all_have_left_it(path: Path) -> None:
    log = sealed(path, digest_every="1h")
    write(log, 2)
    assert rotate(path)
    wait_for(lambda: any(digest.final for digest in digests(path)))
    write(log, 1)
    log.close()
    ((_, file),) = rotated_from(path)
    (final,) = [digest for digest in digests(path) if digest.final]
    assert (final.name, final.lines) == (file.name, 2)
    assert digests(path)[-1].first != final.first


def test_what_is_packed_and_deleted_is_signed_before(path: Path) -> None:
    log = sealed(path, compress="gz", backups=1)
    for _ in range(2):
        write(log, 1)
        assert rotate(path)
        log.look()
    wait_for(lambda: any(digest.deleted for digest in digests(path)))
    wait_for(lambda: [file.suffix for _, file in rotated_from(path)] == [".gz"])
    log.close()
    finals = {digest.name: digest.first for digest in digests(path) if digest.final}
    (deleted,) = [digest for digest in digests(path) if digest.deleted]
    assert len(finals) == 2
    assert deleted.first == finals[deleted.name]
    assert deleted.name == min(finals)


def test_what_was_read_once_is_not_read_again(path: Path) -> None:
    log = sealed(path)
    write(log, 2)
    assert log._sealing is not None
    log._sealing.sign()
    raw = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(30)
        file.write(b"X")
    write(log, 1)
    log.close()
    assert digests(path)[-1].sha256 != hashlib.sha256(path.read_bytes()).hexdigest()
    whole = raw + path.read_bytes()[len(raw) :]
    assert digests(path)[-1].sha256 == hashlib.sha256(whole).hexdigest()


def _write_sealed(path: Path) -> None:
    log = sealed(path, digest_every="1s")
    write(log, 50)
    log.close()


def test_several_processes_sign_one_after_the_other(path: Path) -> None:
    keys()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_sealed, args=(path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = digests(path)
    assert [digest.number for digest in found] == list(range(1, len(found) + 1))
    assert found[-1].lines == 200
    assert len(found[-1].writers) == 4


def test_an_outside_rotation_is_signed_up_to_where_it_was_seen(path: Path) -> None:
    log = sealed(path, digest_every="1h")
    write(log, 1)
    assert log._sealing is not None
    log._sealing.look()
    write(log, 2)
    path.rename(path.with_name("api.log.1"))
    log._sealing.look()
    assert digests(path)[-1].lines == 3
    log.close()


def test_a_torn_digest_is_ended_and_counted(path: Path) -> None:
    log = sealed(path)
    write(log, 1)
    log.close()
    ledger = path.with_name("api.log.digest")
    torn = ledger.read_bytes()[:-40]
    ledger.write_bytes(torn)
    log = sealed(path)
    write(log, 1)
    log.close()
    first, second = ledger.read_bytes().splitlines()
    assert first == torn
    digest = read_line(second).digest
    assert (digest.number, digest.before) == (2, hash_of(torn))


def test_a_full_disk_leaves_no_part_of_a_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_file_system(tmp_path, 16 * 4096) as folder:
        path = folder / "api.log"
        log = sealed(path)
        write(log, 1)
        assert log._sealing is not None
        filling = folder / "filling"
        with filling.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError:
                pass
        log._sealing.sign()
        log._sealing.sign()
        assert capsys.readouterr().err.count("can't write") == 1
        assert path.with_name("api.log.digest").read_bytes() == b""
        filling.unlink()
        log.close()
        assert [digest.lines for digest in digests(path)] == [1]


def test_nothing_is_packed_while_another_process_has_the_digests(path: Path) -> None:
    log = sealed(path)
    write(log, 1)
    log.close()
    rotated = rotate(path)
    assert rotated is not None
    assert log._sealing is not None
    with path.with_name("api.log.digest").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not tidy(path, Retention(compress="gz"), seal=log._sealing)
        assert not tidy(path, Retention(keep=1e-9), seal=log._sealing)
    assert rotated.exists()
    assert tidy(path, Retention(keep=1e-9), seal=log._sealing)
    assert not rotated.exists()


def test_nothing_packed_is_deleted_while_another_process_has_the_digests(path: Path) -> None:
    log = sealed(path)
    write(log, 1)
    log.close()
    rotate(path)
    assert tidy(path, Retention(compress="gz"), seal=log._sealing)
    ((_, packed),) = rotated_from(path)
    with path.with_name("api.log.digest").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not tidy(path, Retention(keep=1e-9), seal=log._sealing)
    assert packed.exists()
    assert tidy(path, Retention(keep=1e-9), seal=log._sealing)
    assert not packed.exists()


def test_a_folder_that_is_gone_is_told_and_closing_goes_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = sealed(path, digest_every="1h")
    write(log, 1)
    assert log._sealing is not None
    log._sealing.look()
    path.parent.rename(path.parent.with_name("elsewhere"))
    log._sealing.look()
    log.close()
    told = f"gatewaylog: can't write {path}.digest: No such file or directory"
    assert told in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    "line", [b"{}", b'{"version": 2}', b"", b"null", b'{"a": 1, "signature": ""}']
)
def test_what_is_no_digest_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="is no"):
        read_line(line)


def test_a_value_of_another_type_is_refused(path: Path) -> None:
    log = sealed(path)
    log.write(IncomingRequest())
    log.close()
    raw = path.with_name("api.log.digest").read_bytes().splitlines()[0]
    for before, after in ((b'"number": 1', b'"number": "1"'), (b'"version": 1', b'"version": 2')):
        with pytest.raises(ValueError, match="is no digest"):
            read_line(raw.replace(before, after))
    with pytest.raises(ValueError, match="not written as"):
        read_line(raw.replace(b'"number": 1', b'"number":  1'))


def test_an_end_without_close_is_signed_too(path: Path) -> None:
    keys()
    child = os.fork()
    if child == 0:
        log = sealed(path)
        write(log, 1)
        log.leave()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert digests(path)[-1].lines == 1


def test_what_was_rotated_before_an_end_without_close_is_signed(path: Path) -> None:
    keys()
    child = os.fork()
    if child == 0:
        log = sealed(path, digest_every="1h")
        write(log, 2)
        rotate(path)
        log.reopen()
        write(log, 1)
        log.leave()
        write(log, 1)  # it still takes events
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    signed = digests(path)
    assert [one.lines for one in signed if one.final] == [2]
    assert (signed[-1].name, signed[-1].lines) == (path.name, 1)
    assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("at", ["soon", "2999-01-01T00:00:00.000Z", "2026-11-21T00:00:00"])
def test_a_forged_time_puts_no_digest_off(path: Path, at: str) -> None:
    log = sealed(path, digest_every="1h")
    write(log, 1)
    assert log._sealing is not None
    log._sealing.sign()
    ledger = path.with_name("api.log.digest")
    real = digests(path)[0].at
    ledger.write_bytes(ledger.read_bytes().replace(real.encode(), at.encode()))
    log._sealing._due = 0.0
    write(log, 1)
    log._sealing.look()
    assert [digest.lines for digest in digests(path)] == [1, 2]
    log.close()


def test_a_log_that_is_not_there_yet_is_signed_later(path: Path) -> None:
    log = sealed(path, digest_every="1h")
    path.unlink()
    assert log._sealing is not None
    log._sealing.sign()
    assert digests(path) == []
    log.reopen()
    write(log, 1)
    log.close()
    assert len(digests(path)) == 1


def test_a_log_that_was_removed_is_signed_as_far_as_it_was_open(path: Path) -> None:
    log = sealed(path, digest_every="1h")
    write(log, 1)
    assert log._sealing is not None
    log._sealing.look()
    write(log, 1)
    path.unlink()
    log._sealing.look()
    assert digests(path)[-1].lines == 2
    log.close()


def test_an_orderly_stop_signs_what_was_rotated_just_before(path: Path) -> None:
    log = sealed(path, max_size=1000, digest_every="1h")
    write(log, 400)
    log.close()
    finals = {digest.name: digest.lines for digest in digests(path) if digest.final}
    assert sorted(finals) == [file.name for _, file in rotated_from(path)]
    assert len(finals) >= 2
    live = path.read_bytes().count(b"\n") if path.exists() else 0
    assert sum(finals.values()) + live == 400


def test_an_end_that_others_hold_up_is_waited_for_a_moment_alone(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = sealed(path, digest_every="1h")
    write(log, 1)
    rotated = rotate(path)
    assert rotated is not None
    with rotated.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        log.close()
    assert not any(digest.final for digest in digests(path))
    assert capsys.readouterr().err == ""


def test_an_end_waits_while_another_process_keeps_house(path: Path) -> None:
    """Else nobody would sign what that one had found still open."""
    log = sealed(path, digest_every="1h")
    write(log, 1)
    rotate(path)
    ending = threading.Thread(target=log.close)
    with path.with_name(f".{path.name}.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ending.start()
        ending.join(2.5)
        assert ending.is_alive()
        assert not any(digest.final for digest in digests(path))
    ending.join(20)
    assert [digest.lines for digest in digests(path) if digest.final] == [1]


def test_what_was_rotated_is_signed_before_anything_is_packed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = sealed(path, digest_every="1h")
    for _ in range(2):
        write(log, 1)
        rotate(path)
        log.reopen()
    seen: list[int] = []

    def look(*_: object) -> None:
        seen.append(sum(digest.final for digest in digests(path)))

    monkeypatch.setattr("gatewaylog.sinks.retention._pack", look)
    assert tidy(path, Retention(compress="gz"), seal=log._sealing)
    assert seen == [2, 2]
    log.close()
