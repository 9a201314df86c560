"""Shippers that are kept running: started, replaced, ended."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from gatewaylog.gateway import shipping
from gatewaylog.gateway.shipping import Order, Shippers
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.state import is_held
from tests.ship.logs import append
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "_LOOK", 0.02)
    monkeypatch.setattr(shipping, "_PAUSE", 0.05)


def order(folder: Path, name: str, command: str | None = None, **more: object) -> Order:
    settings = Settings(
        to="command", command=("sh", "-c", command or f"cat >> '{folder / name}.out'")
    )
    text = {"logs": [f"{folder}/api.log"], "state": str(folder / name)} | more
    return Order(to="command", text=json.dumps({"settings": asdict(settings), **text}))


def got(folder: Path, name: str) -> bytes:
    out = folder / f"{name}.out"
    return out.read_bytes() if out.exists() else b""


def test_lines_are_delivered_to_the_last(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    append(log, range(3))
    with Shippers([order(tmp_path, "a")]):
        wait_for(lambda: got(tmp_path, "a") == log.read_bytes())
        append(log, range(3, 6))
    assert got(tmp_path, "a") == log.read_bytes()
    assert not is_held(tmp_path / "a")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_the_gateways_signals_end_no_shipper(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "api.log"
    append(log, range(3))
    with Shippers([order(tmp_path, "a")]) as shippers:
        wait_for(lambda: got(tmp_path, "a") == log.read_bytes())
        (process,) = shippers._running.values()
        process.send_signal(number)
        append(log, range(3, 6))
        wait_for(lambda: got(tmp_path, "a") == log.read_bytes())
        assert process.poll() is None


@pytest.mark.parametrize("room", ["gatewaylog.ship", "gatewaylog.loss"])
def test_a_shipper_speaks_by_the_gateways_system_log(tmp_path: Path, room: str) -> None:
    append(tmp_path / "api.log", range(3))
    path = tmp_path / "system.log"
    by = {"path": str(path), "console": False, "levels": {room: "CRITICAL"}}
    fails = f"touch '{tmp_path}/asked'; exit 1"
    with Shippers([order(tmp_path, "a", fails, system_log=by)]):
        wait_for((tmp_path / "asked").exists)
        if room == "gatewaylog.loss":
            wait_for(lambda: "; trying again, nothing is lost (0x0021)" in path.read_text())
    assert ("] WARNING shipper." in path.read_text()) == (room == "gatewaylog.loss")


def test_what_is_wanted_instead_replaces_what_runs(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    append(log, range(3))
    with Shippers([]) as shippers:
        shippers.watch()
        shippers.want([order(tmp_path, "a")])
        wait_for(lambda: got(tmp_path, "a"))
        shippers.want([order(tmp_path, "b")])
        wait_for(lambda: got(tmp_path, "b"))
        wait_for(lambda: not is_held(tmp_path / "a"))
        assert is_held(tmp_path / "b")


def test_one_that_fails_begins_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    append(tmp_path / "api.log", range(3))
    (tmp_path / "a").write_text("no folder")
    with Shippers([order(tmp_path, "a")]) as shippers:
        shippers.watch()
        said: list[str] = []

        def hears() -> bool:
            said.append(capfd.readouterr().err)
            return "shipping to command ended with status 2; it begins again" in "".join(said)

        wait_for(hears)
        (tmp_path / "a").unlink()
        wait_for(lambda: got(tmp_path, "a"))


def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "_FAREWELL", 0.2)
    append(tmp_path / "api.log", range(3))
    began = tmp_path / "began"
    with Shippers([order(tmp_path, "a", f"touch '{began}'; exec tail -f /dev/null")]):
        wait_for(began.exists)
    assert not is_held(tmp_path / "a")
