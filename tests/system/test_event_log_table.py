"""The gateway's event log in its table: each record once, whatever the database does meanwhile."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.events.line import parse_line
from gatewaylog.cli import run as main
from tests.auth.gateways import SECRET, auth, database, gateway
from tests.http_client import request
from tests.running import launched, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Process

pytestmark = pytest.mark.system
_LONG = 120.0  # seconds: the shipper tries a locked database less and less often
FORM = b"Content-Type: application/x-www-form-urlencoded"


async def issue(served: Process) -> None:
    form = f"grant_type=client_credentials&client_id=mobile-client&client_secret={SECRET}"
    answer = await served.ask(request(b"/oauth/token", FORM, method=b"POST", body=form.encode()))
    assert answer.status in {200, 429}


def rows(path: Path) -> list[tuple[str, str | None]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT event, message FROM event_log ORDER BY id").fetchall()


async def test_each_record_is_a_row_though_the_table_was_locked_and_the_gateway_restarted(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "kept.db"
    url = f"sqlite:///{kept}"
    assert main(["tokens", "init", "--database", url]) == 0
    ship = (
        f'[[ship]]\nto = "database"\nurl = "{url}"\nfile = ["{tmp_path}/event.log"]\n'
        f'state = "{tmp_path}/ship"\n'
    )
    events = f'[event_log]\npath = "{tmp_path}/event.log"\nmax_size = "1KB"\nbackups = 1\n'

    def lines() -> list[tuple[str, str | None]]:
        files = [*sorted(tmp_path.glob("event.log.*")), tmp_path / "event.log"]
        found = (parse_line(raw) for file in files for raw in file.read_bytes().splitlines())
        return [(str(event.event), event.detail) for event in found]

    async with StrictBackend() as backend:
        text = gateway(tmp_path, backend.url, auth("tokens"), database(tmp_path), events, ship)
        async with launched(tmp_path, text) as served:
            await until(lambda: len(rows(kept)) >= 2, _LONG)
            with contextlib.closing(sqlite3.connect(kept, isolation_level=None)) as holder:
                holder.execute("BEGIN EXCLUSIVE")
                for _ in range(30):  # more than the files would keep
                    await issue(served)
            await until(lambda: len(rows(kept)) >= 32, _LONG)
            assert await served.stop() == 0
        async with launched(tmp_path, text) as served:
            assert await served.stop() == 0
    # What the gateway's shipper had no time for, as the last records of a stop may be.
    shipped = ["ship", f"{tmp_path}/event.log", "--to", "database", "--url", url, "--once"]
    assert main([*shipped, "--state", f"{tmp_path}/ship"]) == 0
    told = [event for event, _ in rows(kept)]
    assert told.count("TOKEN_ISSUED") == 15
    assert told.count("TOKEN_REFUSED") == 15
    assert told.count("GATEWAY_STARTED") == told.count("GATEWAY_STOPPED") == 2
    assert told[-1] == "GATEWAY_STOPPED"
    assert set(lines()) <= set(rows(kept))


async def test_the_stop_itself_is_delivered_before_the_shipper_ends(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ship = (
        f'[[ship]]\nto = "command"\ncommand = ["sh", "-c", "cat >> {out}"]\n'
        f'file = ["{tmp_path}/event.log"]\nstate = "{tmp_path}/ship"\n'
    )
    text = toml(tmp_path, f'[event_log]\npath = "{tmp_path}/event.log"\n', ship)
    async with launched(tmp_path, text) as served:
        await until(lambda: out.exists() and b"CONFIGURATION_LOADED" in out.read_bytes(), _LONG)
        assert await served.stop() == 0
    assert out.read_bytes() == (tmp_path / "event.log").read_bytes()
    assert b"GATEWAY_STOPPED" in out.read_bytes()
