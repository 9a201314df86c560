"""A shipper that is a process of its own holds rotation back while it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gatewaylog import AccessLog
from gatewaylog.exceptions import ShipError
from gatewaylog.ship.registering import forget, register_at
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.stopping import Stop
from gatewaylog.sinks.registered import is_registered, registered
from gatewaylog.sinks.rotation import rotated_from
from tests.reader.logs import incoming
from tests.ship.logs import append, lines, ndjson
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ship.counterparts import Counterpart, LokiStore


def ship_once(state: Path, *logs: Path) -> None:
    settings = Settings(to="command", command=("sh", "-c", "cat > /dev/null"))
    ship(settings, logs, state, Stop(), once=True, registers=True)


def started(log: Path, state: Path, url: str) -> subprocess.Popen[bytes]:
    to = ("--to", "loki", "--url", url, "--state", str(state))
    return subprocess.Popen([sys.executable, "-m", "gatewaylog", "ship", str(log), *to])


def ended(shipper: subprocess.Popen[bytes], how: signal.Signals) -> int:
    shipper.send_signal(how)
    return shipper.wait(60)


@pytest.mark.system
def test_while_it_is_stopped_nothing_is_deleted_that_it_has_not_delivered(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    count, first = 2000, 20
    access_log = AccessLog(log, max_size=20_000, backups=1)
    for number in range(first):
        access_log.write(incoming(number))
    shipper = started(log, state, loki.url)
    wait_for(lambda: len(store.entries) == first)
    assert ended(shipper, signal.SIGKILL) == -signal.SIGKILL
    for number in range(first, count):
        access_log.write(incoming(number))
    keeper = access_log._housekeeper
    assert keeper is not None
    keeper._seen = (0, 0)
    keeper.look()
    assert len(rotated_from(log)) > 10
    shipper = started(log, state, loki.url)
    wait_for(lambda: len(store.entries) == count)
    assert ended(shipper, signal.SIGTERM) == 0
    assert ndjson(state / "gaps.ndjson") == []
    keeper._seen = (0, 0)
    wait_for(lambda: len(rotated_from(log)) == 1)  # all is delivered: one is kept, as wished
    access_log.close()
    assert not log.with_name("api.log.unshipped").exists()


def test_it_registers_beside_each_log_that_it_follows(log: Path, state: Path) -> None:
    other = log.with_name("other.log")
    for path in (log, other):
        append(path, range(3))
    ship_once(state, log, other)
    assert registered(log) == registered(other) == (state,)
    ship_once(state, other)
    assert (registered(log), registered(other)) == ((), (state,))


def test_one_that_is_given_up_is_forgotten(log: Path, state: Path) -> None:
    append(log, range(3))
    ship_once(state, log)
    assert forget(state, []) == [log]
    assert forget(state, []) == []
    ship_once(state, log)
    for path in state.iterdir():
        path.unlink()
    with pytest.raises(ShipError, match="holds no checkpoint: of which log"):
        forget(state, [])
    assert forget(state, [log]) == [log]
    assert not is_registered(log, state)


def test_one_that_is_at_work_is_not_forgotten(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    append(log, range(3))
    shipper = started(log, state, loki.url)
    wait_for(lambda: store.lines == lines(range(3)))
    with pytest.raises(ShipError, match="its shipper is at work: stop it first"):
        forget(state, [])
    assert ended(shipper, signal.SIGTERM) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_where_it_may_not_register_it_ships_all_the_same(
    log: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append(log, range(3))
    os.chown(log, 12345, -1)
    ship_once(state, log)
    (told,) = capsys.readouterr().err.splitlines()
    assert told == (
        f"gatewaylog: {log}: can't register beside it: the log belongs to another user (uid 12345);"
        " its rotation waits for this shipper only where [log] shippers names the state folder"
    )
    assert registered(log) == ()


def test_what_can_not_be_removed_is_told(
    log: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, state: Path) -> bool:
        del state
        raise PermissionError(13, "Permission denied", str(path))

    register_at([log], state, [])
    monkeypatch.setattr("gatewaylog.ship.registering.unregister", refuse)
    with pytest.raises(ShipError, match="can't be removed: Permission denied"):
        forget(state, [log])
