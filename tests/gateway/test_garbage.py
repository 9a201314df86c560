"""Serving leaves nothing to the garbage collector, which workers therefore run seldom."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from tests.http_client import request
from tests.running import api, running, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Running

SENT = (request(b"/echo/a"), request(b"/echo/a", method=b"POST", body=b"body"), request(b"/none"))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No collection but those that the test asks for."""
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def cyclic() -> list[str]:
    """What of the gateway's own only the collector could free."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    kinds = [type(found) for found in gc.garbage]
    return [kind.__qualname__ for kind in kinds if kind.__module__.startswith("gatewaylog")]


async def ended(gateway: Running, count: int) -> None:
    await gateway.ended(count)
    await until(lambda: not gateway.server.server_state.connections)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("sent", SENT, ids=["GET", "POST", "refused"])
async def test_a_call_and_its_connection_leave_no_cycle(tmp_path: Path, sent: bytes) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(sent)
        await ended(gateway, 1)
        gc.collect()
        await gateway.ask(sent)
        await ended(gateway, 2)
        assert cyclic() == []
