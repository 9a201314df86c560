"""A file is read on from where it was read to, whole lines alone."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from gatewaylog.seal.covered import Covered
from tests.seal.sealed import sealed, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_part_of_a_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"part")
    covered = Covered(os.open(path, os.O_RDONLY))
    covered.advance()
    assert (covered.size, covered.lines, covered.first) == (0, 0, "")
    with path.open("ab") as file:
        file.write(b" and rest\nnext")
    covered.advance()
    assert (covered.size, covered.lines) == (14, 1)
    assert covered.sha256 == covered.first == hashlib.sha256(b"part and rest\n").hexdigest()
    covered.close()


def test_a_line_may_be_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    raw = b"x" * 3_000_000 + b"\n" + b"y\n" * 10
    path.write_bytes(raw)
    covered = Covered(os.open(path, os.O_RDONLY))
    covered.advance()
    assert (covered.size, covered.lines) == (len(raw), 11)
    assert covered.sha256 == hashlib.sha256(raw).hexdigest()
    assert covered.writers == {}
    covered.close()


def test_ends_are_those_of_each_writer(tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs = [sealed(path) for _ in range(2)]
    for count in (1, 2):
        for log in logs:
            write(log, count)
    covered = Covered(os.open(path, os.O_RDONLY))
    covered.advance()
    assert [(span.first_seq, span.last_seq) for span in covered.writers.values()] == [(1, 3)] * 2
    covered.close()
    for log in logs:
        log.close()
