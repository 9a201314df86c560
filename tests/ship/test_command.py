"""Lines to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ShipError
from tests.ship.logs import append, lines, ndjson, once

if TYPE_CHECKING:
    from pathlib import Path


def test_a_command_gets_each_batch_on_its_standard_input(
    log: Path, state: Path, tmp_path: Path
) -> None:
    append(log, range(3000))
    out = tmp_path / "out"
    once(log, state, to="command", command=("sh", "-c", f"cat >> '{out}'"))
    assert out.read_bytes() == log.read_bytes()


def test_a_command_that_fails_is_run_again(log: Path, state: Path, tmp_path: Path) -> None:
    append(log, range(10))
    out, mark = tmp_path / "out", tmp_path / "mark"
    script = f"cat >> '{out}'; [ -e '{mark}' ] || {{ touch '{mark}'; exit 1; }}"
    once(log, state, to="command", command=("sh", "-c", script))
    assert out.read_text().splitlines() == lines(range(10), range(10))


def test_a_command_that_reads_nothing_and_fails_is_run_again(
    log: Path, state: Path, tmp_path: Path
) -> None:
    append(log, range(3000))
    out, mark = tmp_path / "out", tmp_path / "mark"
    script = f"[ -e '{mark}' ] || {{ touch '{mark}'; exit 1; }}; cat >> '{out}'"
    once(log, state, to="command", command=("sh", "-c", script))
    assert out.read_bytes() == log.read_bytes()


def test_a_command_refuses_a_line_for_good_by_status_65(
    log: Path, state: Path, tmp_path: Path
) -> None:
    append(log, range(20))
    out = tmp_path / "out"
    script = f't=$(cat); case "$t" in */shop/7\\"*) exit 65;; esac; echo "$t" >> \'{out}\''
    once(log, state, to="command", command=("bash", "-c", script))
    assert out.read_text().splitlines() == lines(range(7), range(8, 20))
    assert [letter["line"] for letter in ndjson(state / "dead-letters.ndjson")] == lines([7])


def test_a_command_that_takes_too_long_is_ended_with_its_children(
    log: Path, state: Path, tmp_path: Path
) -> None:
    append(log, range(3))
    out, mark = tmp_path / "out", tmp_path / "mark"
    script = f"cat >> '{out}'; [ -e '{mark}' ] || {{ touch '{mark}'; tail -f /dev/null; }}"
    once(log, state, to="command", command=("sh", "-c", script), timeout=0.3)
    assert out.read_text().splitlines() == lines(range(3), range(3))


def test_a_command_that_is_not_there_is_told(log: Path, state: Path) -> None:
    append(log, range(3))
    with pytest.raises(ShipError, match="/no/such/program: No such file"):
        once(log, state, to="command", command=("/no/such/program",))
    with pytest.raises(ShipError, match="which program"):
        once(log, state, to="command")
