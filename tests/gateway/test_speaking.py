"""What the gateway says in its system log: by which logger, with which code, of which exchange."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from gatewaylog.systemlog import SystemLog, SystemLogOptions
from tests.auth.gateways import auth, database, gateway, introspection_table
from tests.http_client import request
from tests.running import api, launched, running, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NOWHERE = "http://127.0.0.1:1/introspect"
_TOKEN = b"Authorization: Bearer " + b"x" * 43


@pytest.fixture
def system_log(tmp_path: Path) -> Iterator[Path]:
    """The file of a system log with details, of this process."""
    path = tmp_path / "system.log"
    log = SystemLog(SystemLogOptions(path=str(path), console=False, details=True))
    yield path
    log.close()


DOWN: dict[str, Callable[[Path], tuple[str, str]]] = {
    "aside.Aside._tell": lambda folder: (auth("tokens"), database(folder)),
    "introspection.Introspection._unavailable": lambda _: (
        auth("introspection"),
        introspection_table(_NOWHERE),
    ),
    "throttle._Store._tell": lambda _: (
        auth("api_keys"),
        '[[throttle]]\nper = "api"\nrate = "9/day"\nstore = "redis://127.0.0.1:1/0"\n',
    ),
}


@pytest.mark.parametrize("where", DOWN)
async def test_who_does_not_answer_is_told_with_a_code_and_the_exchange(
    tmp_path: Path, system_log: Path, where: str
) -> None:
    tables = DOWN[where](tmp_path)
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url, *tables)) as one:
        (tmp_path / "tokens.db").write_bytes(b"no database" * 1000)
        path = b"/echo/open" if where.startswith("throttle") else b"/echo/x"
        await one.ask(request(path, _TOKEN))
        await one.ended()
        (incoming,) = one.log.incoming()
    (line,) = system_log.read_text().splitlines()
    told = rf" \(0x0021\) \[{incoming.message_id}\] \(MainThread {re.escape(where)}, .*py:\d+\)$"
    assert re.search(told, line)


async def test_a_fault_of_the_gateways_own_is_told_with_its_stack_and_exchange(
    tmp_path: Path, system_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("odd")

    monkeypatch.setattr("gatewaylog.gateway.forward._target", broken)
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as one:
        await one.ask(request(b"/echo/x"))
        await one.ended()
        (incoming,) = one.log.incoming()
    first, *stack = system_log.read_text().splitlines()
    told = f"a fault of the gateway's own, LookupError: odd (0x0001) [{incoming.message_id}] ("
    assert f" ERROR app.__call__() -> {told}" in first
    assert stack[0] == "\tTraceback (most recent call last):"
    assert stack[-1] == "\tLookupError: odd"


async def test_a_configuration_that_is_refused_is_told_with_its_code(tmp_path: Path) -> None:
    async with StrictBackend() as backend:
        text = toml(tmp_path, api(backend.url))
        async with launched(tmp_path, text) as one:
            one.config.write_text(text + "[no_such_table]\n")
            one.signal(signal.SIGHUP)
            await one.says("the configuration stays as it was")
            assert await one.stop() == 0
    (line,) = [line for line in one.said if "no_such_table" in line]
    assert re.search(r"\] \[ERROR\] server .* \(0x0011\)$", line)


async def test_each_room_of_a_gateway_has_its_level(tmp_path: Path) -> None:
    levels = '[system_log.levels]\n"gatewaylog.gateway.server" = "CRITICAL"\n'
    path = tmp_path / "system.log"
    async with StrictBackend() as backend:
        more = f'[system_log]\npath = "{path}"\n{levels}', api(backend.url)
        text = toml(tmp_path, *more, server="workers = 2")
        async with launched(tmp_path, text) as one:
            one.config.write_text(text + "[no_such_table]\n")
            one.signal(signal.SIGHUP)
            await one.says("the configuration stays as it was")
            assert await one.stop() == 0
    said = path.read_text()
    assert "ERROR supervisor._reloaded() -> " in said
    assert "INFO  supervisor._served() -> listening on " in said
    assert " server." not in said
