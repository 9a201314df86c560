"""Digests of files that retention deleted go in time, and what is left can still be judged."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run as main
from gatewaylog.seal import sealing
from gatewaylog.seal.digest import Digest, Span, hash_of, signed_line
from gatewaylog.seal.keys import SIGNING_KEY, signer_of
from gatewaylog.seal.pruning import pruned
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotate, rotated_from
from tests.seal.sealed import digests, judging, keys, sealed, write

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog import AccessLog

AT = "2026-11-21T10:00:00.000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_PRUNE_AT", 1)


def keep_one(path: Path, log: AccessLog) -> None:
    assert log._housekeeper is not None
    assert tidy(path, Retention(backups=1), seal=log._housekeeper._seal)


def rotations(path: Path, log: AccessLog, count: int) -> None:
    """Write and rotate so often; one rotated file is kept."""
    for _ in range(count):
        write(log, 3)
        rotate(path)
        log.look()
        log.reopen()
        keep_one(path, log)


def verified(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    capsys.readouterr()
    status = main(["verify", str(path.parent), *judging()])
    return status, capsys.readouterr().out.splitlines()


def test_what_is_left_is_bounded_and_good(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = sealed(path)
    sizes = []
    for _ in range(6):
        rotations(path, log, 5)
        sizes.append(len(digests(path)))
    write(log, 3)
    log.close()
    assert max(sizes) < 20
    assert len(rotated_from(path)) == 1
    anchor, *rest = digests(path)
    assert (anchor.pruned, anchor.number) == (True, rest[0].number - 1)
    assert rest[0].before == anchor.before
    status, told = verified(path, capsys)
    assert (status, told[1]) == (0, "6 lines follow the one before by their Chain")
    assert f"{path}: digests 1 to {anchor.number} are gone with files that" in told[-1]


def test_verify_names_what_retention_deleted_and_what_somebody_else(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = sealed(path)
    rotations(path, log, 2)
    gone = digests(path)[-1]
    status, told = verified(path, capsys)
    assert (status, told[-1]) == (0, f"{path}: {gone.name} was deleted by retention at {gone.at}")
    rotations(path, log, 2)
    log.close()
    ((_, kept),) = rotated_from(path)
    kept.unlink()
    status, told = verified(path, capsys)
    assert status == 1
    assert told[0].startswith(f"{kept}: is missing: 3 lines of it were signed at ")
    names = [digest.name for digest in digests(path) if digest.deleted]
    many = f"{len(names)} files were deleted by retention, from {names[0]} at "
    assert any(many in text and f" to {names[-1]} at " in text for text in told)


def test_a_writer_that_was_silent_meanwhile_goes_on_from_its_chain(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent, log = sealed(path), sealed(path)
    write(silent, 2)
    log.look()
    for _ in range(6):
        write(log, 3)
        rotate(path)
        for one in (log, silent):
            one.reopen()
        keep_one(path, log)
    write(silent, 1)
    write(log, 1)
    for one in (log, silent):
        one.close()
    anchor = digests(path)[0]
    assert len(anchor.writers) == 2
    status, told = verified(path, capsys)
    assert (status, told[1]) == (0, "5 lines follow the one before by their Chain")


@pytest.mark.parametrize(
    "change",
    [
        lambda anchor, rest: [anchor.replace(b'"number": ', b'"number": 1'), *rest],
        lambda anchor, rest: rest,
        lambda anchor, rest: [anchor, *rest[1:]],
        lambda anchor, rest: [rest[0], anchor, *rest[1:]],
        lambda anchor, rest: [anchor, anchor, *rest],
    ],
    ids=["changed", "removed", "the next removed", "moved", "twice"],
)
def test_an_anchor_that_is_not_as_it_was_is_told(
    path: Path, capsys: pytest.CaptureFixture[str], change: object
) -> None:
    log = sealed(path)
    rotations(path, log, 4)
    log.close()
    ledger = path.with_name("api.log.digest")
    anchor, *rest = ledger.read_bytes().splitlines(keepends=True)
    assert b'"pruned": true' in anchor
    assert callable(change)
    ledger.write_bytes(b"".join(change(anchor, rest)))
    status, told = verified(path, capsys)
    assert status == 1
    assert any(text.startswith(f"{ledger}:") for text in told)


def test_other_processes_find_what_was_pruned_and_go_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sealed(path), sealed(path)
    for log in itertools.islice(itertools.cycle((first, second)), 12):
        for one in (first, second):
            write(one, 1)
        rotate(path)
        for one in (first, second):
            one.reopen()
        keep_one(path, log)
    for one in (first, second):
        one.close()
    finals = [digest.name for digest in digests(path) if digest.final]
    assert len(finals) == len(set(finals))
    assert verified(path, capsys)[0] == 0


def test_where_it_can_not_be_done_all_stays_and_retention_goes_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = sealed(path)
    in_the_way = path.with_name(".api.log.digest.new")
    in_the_way.mkdir()
    rotations(path, log, 4)
    log.close()
    assert len(rotated_from(path)) == 1
    assert not digests(path)[0].pruned
    assert "can't write" in capsys.readouterr().err


def lines_of(*found: Digest) -> list[bytes]:
    signer = signer_of(str(keys() / SIGNING_KEY))
    return [signed_line(digest, signer).rstrip(b"\n") for digest in found]


def digest_of(number: int, first: str, **more: object) -> Digest:
    values = {"number": number, "at": AT, "name": f"api.log.{first}", "first": first}
    return Digest(**values | more)  # type: ignore[arg-type]


def test_only_what_tells_of_deleted_files_goes_from_the_front() -> None:
    span = Span(first_seq=1, first_chain="a", last_seq=2, last_chain="b")
    raws = lines_of(
        digest_of(1, "f1", writers={"w1": span}, final=True),
        digest_of(2, "f2", final=True),
        digest_of(3, "f3"),
        digest_of(4, "", name="api.log.f1", deleted=True),
        digest_of(5, "f2", deleted=True),
        digest_of(6, "f4"),
    )
    found = pruned(raws, at=AT, name="api.log")
    assert found is not None
    anchor, kept = found
    assert kept == raws[2:]
    assert (anchor.number, anchor.before, anchor.writers) == (2, hash_of(raws[1]), {"w1": span})
    assert pruned([*lines_of(anchor), *kept], at=AT, name="api.log") is None


def test_a_line_that_can_not_be_read_goes_with_its_neighbours_and_counts() -> None:
    first, last = lines_of(digest_of(1, "f1"), digest_of(3, "f1", deleted=True))
    found = pruned([first, b"torn", last], at=AT, name="api.log")
    assert found is not None
    assert (found[0].number, found[1]) == (2, [last])


@pytest.mark.parametrize("raws", [[], [b"torn"]])
def test_the_last_line_always_stays(raws: list[bytes]) -> None:
    assert pruned(raws, at=AT, name="api.log") is None


def test_an_anchor_names_the_writers_that_were_heard_of_last() -> None:
    span = Span(first_seq=1, first_chain="a", last_seq=2, last_chain="b")
    many = {f"w{number}": span for number in range(1500)}
    raws = lines_of(
        digest_of(1, "f1", writers=many),
        digest_of(2, "f1", writers={"w3": span}),
        digest_of(3, "f1", deleted=True),
    )
    found = pruned(raws, at=AT, name="api.log")
    assert found is not None
    assert len(found[0].writers) == 1000
    assert {"w3", "w1499"} < found[0].writers.keys()
