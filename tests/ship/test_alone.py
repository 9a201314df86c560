"""A rotated file that is named by itself is delivered alone; what is no file is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.folder import log_of
from gatewaylog.ship.lag import lag_of
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.state import read_checkpoint
from gatewaylog.ship.stopping import Stop
from tests.ship.logs import QUICK, append, lines, once, rotate

if TYPE_CHECKING:
    from tests.ship.counterparts import Counterpart, LokiStore


def rotated(log: Path) -> None:
    """A log with 0 to 9 in .2.gz, 10 to 19 in .1.gz and 20 to 29 in itself."""
    for begin in (0, 10):
        append(log, range(begin, begin + 10))
        rotate(log, pack_from=1)
    append(log, range(20, 30))


@pytest.mark.parametrize("name", ["api.log.1", "api.log.1.gz"])
def test_a_rotated_file_is_delivered_alone(
    log: Path, state: Path, loki: Counterpart, store: LokiStore, name: str
) -> None:
    append(log, range(10))
    rotate(log, pack_from="gz" in name)
    append(log, range(10, 20))
    file = log.with_name(name)
    once(file, state, to="loki", url=loki.url)
    once(file, state, to="loki", url=loki.url)
    assert store.lines == lines(range(10))
    assert lag_of(state).events == 0  # of no log


def test_what_was_delivered_alone_is_not_delivered_again(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    rotated(log)
    once(log.with_name("api.log.1.gz"), state, to="loki", url=loki.url)
    once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(10, 20), range(10), range(20, 30))


def test_a_file_alone_leaves_the_places_of_others(
    log: Path, state: Path, loki: Counterpart, store: LokiStore, tmp_path: Path
) -> None:
    """They are no gaps, though nobody looked for them."""
    rotated(log)
    once(log, state, to="loki", url=loki.url)
    other = tmp_path / "other.log.1"
    append(other, range(40, 45))
    once(other, state, to="loki", url=loki.url)
    once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(30), range(40, 45))
    found = read_checkpoint(state)
    assert found is not None
    assert found.logs == (str(log),)


def test_a_log_brings_its_rotated_files_once(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    rotated(log)
    files = [log.with_name("api.log.1.gz"), log, log.with_name("api.log.2.gz")]
    ship(Settings(to="loki", url=loki.url), files, state, Stop(), once=True, pace=QUICK)
    assert store.lines == lines(range(30))


def test_several_rotated_files_are_delivered_without_their_log(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    rotated(log)
    files = [log.with_name("api.log.2.gz"), log.with_name("api.log.1.gz")]
    ship(Settings(to="loki", url=loki.url), files, state, Stop(), once=True, pace=QUICK)
    assert sorted(store.lines) == lines(range(20))


def test_a_log_whose_name_ends_in_a_number_is_a_log(tmp_path: Path) -> None:
    assert log_of(tmp_path / "gateway-1") == tmp_path / "gateway-1"
    (tmp_path / "gateway").touch()
    assert log_of(tmp_path / "gateway-1") == tmp_path / "gateway"
    assert log_of(tmp_path / "api.log-20261121") == tmp_path / "api.log"
    assert log_of(tmp_path / "x.gz") == tmp_path / "x"


def test_a_pipe_a_device_and_a_folder_are_refused(tmp_path: Path, state: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/null"), tmp_path):
        with pytest.raises(ShipError, match=f"^{path}: is no file: a log is one"):
            once(path, state, to="command", command=("cat",))
    assert not state.exists()
