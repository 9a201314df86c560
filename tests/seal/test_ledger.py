"""`FILE.digest`, held by one process at a time though another takes its place."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.seal.digest import Digest, Span, read_line
from gatewaylog.seal.keys import SIGNING_KEY, signer_of
from gatewaylog.seal.ledger import opened
from tests.seal.sealed import keys

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.seal.keys import Signer

AT = "2026-11-21T10:00:00.000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.log.digest"


@pytest.fixture
def signer() -> Signer:
    return signer_of(str(keys() / SIGNING_KEY))


def digest(first: str = "f1", **more: object) -> Digest:
    values: dict[str, object] = {"number": 0, "at": AT, "name": "api.log", "first": first}
    return Digest(**values | more)  # type: ignore[arg-type]


def append(path: Path, signer: Signer, *digests: Digest) -> None:
    with opened(path) as ledger:
        assert ledger is not None
        for one in digests:
            ledger.append(one, signer)


def numbers(path: Path) -> list[int]:
    return [read_line(raw).digest.number for raw in path.read_bytes().splitlines()]


def test_who_waits_gets_the_file_that_was_put_in_its_place(path: Path, signer: Signer) -> None:
    append(path, signer, digest(), digest(deleted=True), digest("f2"))
    got: list[list[int]] = []

    def wait() -> None:
        with opened(path, wait=True) as ledger:
            assert ledger is not None
            ledger.append(digest("f3"), signer)
            got.append([read_line(raw).digest.number for raw in ledger.lines()])

    waiting = threading.Thread(target=wait)
    with opened(path) as ledger:
        assert ledger is not None
        waiting.start()
        ledger.prune(AT, "api.log", signer)
        with opened(path) as other:
            assert other is None  # the new file is held as well
    waiting.join(20)
    assert got == [[2, 3, 4]]
    assert numbers(path) == [2, 3, 4]


def test_one_that_was_removed_meanwhile_is_made_anew(
    path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, signer, digest())

    def removed_meanwhile(fd: int, operation: int) -> None:
        del fd, operation
        monkeypatch.undo()
        path.unlink()

    monkeypatch.setattr("gatewaylog.seal.ledger.fcntl.flock", removed_meanwhile)
    append(path, signer, digest("f2"))
    assert numbers(path) == [1]


def test_a_line_of_many_writers_is_read_whole(path: Path, signer: Signer) -> None:
    span = Span(first_seq=1, first_chain="a" * 32, last_seq=2, last_chain="b" * 32)
    many = digest(writers={f"{number:016x}": span for number in range(2000)})
    append(path, signer, many, many, many)
    assert numbers(path) == [1, 2, 3]


def test_behind_a_line_that_can_not_be_read_numbers_go_on(path: Path, signer: Signer) -> None:
    """Also where digests before were pruned, and lines are fewer than numbers."""
    append(path, signer, digest(), digest(), digest(deleted=True), digest("f2"))
    with opened(path) as ledger:
        assert ledger is not None
        ledger.prune(AT, "api.log", signer)
    assert numbers(path) == [3, 4]
    with path.open("ab") as file:
        file.write(b"broken\ntorn")
    append(path, signer, digest("f2"))
    assert read_line(path.read_bytes().splitlines()[-1]).digest.number == 7
