"""What the event log tells of a gateway in processes of its own: losses, keys, rules that fired."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.events.account import account
from gatewaylog.audit.events.line import parse_line
from gatewaylog.auth.api_keys import new_key
from tests.cli.processes import gatewaylog
from tests.http_client import request
from tests.running import api, launched, toml, until
from tests.sinks.full_disk import fill, small_file_system
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.audit.events import AuditEvent

pytestmark = pytest.mark.system
_LOST = "events of the access log were lost"


def recorded(path: Path, *names: str) -> list[AuditEvent]:
    lines = path.read_bytes().splitlines() if path.exists() else []  # made a moment after a start
    events = [parse_line(raw) for raw in lines]
    return [event for event in events if not names or event.event in names]


async def test_lines_of_the_access_log_that_are_lost_are_recorded(tmp_path: Path) -> None:
    """By each worker while it runs, and with the numbers that are missing from the log."""
    events = tmp_path / "event.log"
    with small_file_system(tmp_path, 64 * 4096) as folder:
        async with StrictBackend() as backend:
            tables = (f'[event_log]\npath = "{events}"', api(backend.url))
            text = toml(folder, *tables)
            async with launched(folder, text) as gateway:
                fill(folder)

                def lost() -> list[AuditEvent]:
                    return recorded(events, "LOG_LOST")

                async with asyncio.timeout(20):
                    while not lost():
                        await gateway.ask(request(b"/echo/x"))
                assert await gateway.stop() == 0
    told = [(event.detail or "").partition(": ")[2].split() for event in recorded(events)]
    count = sum(int(words[0]) for words in told if words[1:] == _LOST.split())
    assert count > 0
    assert {event.user for event in lost()} == {account()}
    (closed,) = recorded(events, "LOG_CLOSED")
    assert int((closed.detail or "").split("last_seq=")[1].split()[0]) >= count


async def test_a_key_is_made_and_taken_and_a_rule_fires_on_guesses(tmp_path: Path) -> None:
    key, kept = new_key()
    events, name = tmp_path / "event.log", f"key:{kept[7:15]}"
    application = (
        f'[[application]]\nname = "shop"\nowner = "ann"\nsubscriptions = ["*"]\nkeys = ["{kept}"]\n'
    )
    async with StrictBackend() as backend:
        tables = (f'[event_log]\npath = "{events}"', api(backend.url, auth="required"))
        without = toml(tmp_path, *tables)
        async with launched(tmp_path, without) as gateway:
            for text, event in ((without + application, "KEY_CREATED"), (without, "KEY_DISABLED")):
                gateway.config.write_text(text)
                gateway.signal(signal.SIGHUP)
                await until(lambda event=event: recorded(events, event))  # type: ignore[misc]
                if event == "KEY_CREATED":
                    await gateway.says("serving by the new configuration")
                    for guess in [*(f"guess{n}" for n in range(20)), key]:
                        line = b"X-API-Key: " + guess.encode()
                        answer = await gateway.ask(request(b"/echo/x", line))
                    assert answer.status == 200
            assert await gateway.stop() == 0
    done = gatewaylog("tokens", "watch", "--once", "--record", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "R06 high   shop: 20 refusals" in done.stdout
    made, gone = recorded(events, "KEY_CREATED", "KEY_DISABLED")
    assert [(one.requestor, one.detail) for one in (made, gone)] == [("shop", name)] * 2
    (fired,) = recorded(events, "RULE_FIRED")
    assert (fired.requestor, fired.authority) == ("shop", "gatewaylog.rules")
    assert key.encode() not in events.read_bytes()
