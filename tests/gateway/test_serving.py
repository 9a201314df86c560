"""A gateway that is given another configuration while it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import LogError
from tests.http_client import request
from tests.logged import Log
from tests.running import api, running, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Running


def reload(gateway: Running, text: str) -> None:
    gateway.text = text
    gateway.serving.reload(gateway.load())


async def test_verbosity_changes_while_running(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo/1"))
        reload(gateway, toml(tmp_path, api(backend.url, more='verbosity = "off"')))
        await gateway.ask(request(b"/echo/2"))
        reload(gateway, toml(tmp_path, api(backend.url)))
        await gateway.ask(request(b"/echo/3"))
        await gateway.ended(2)
    told = [event.request_in_url for event in gateway.log.terminals()]
    assert told == ["/echo/1", "/echo/3"]


async def test_connections_to_a_backend_outlive_a_reload(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request())
        reload(gateway, toml(tmp_path, api(backend.url, name="Other")))
        await gateway.ask(request())
        assert backend.connections == 1


async def test_a_log_that_can_not_be_opened_leaves_the_old_configuration(tmp_path: Path) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "api.log").symlink_to(tmp_path / "api.log")
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        with pytest.raises(LogError):
            reload(gateway, toml(tmp_path / "link", api(backend.url, context="/new")))
        assert (await gateway.ask(request(b"/echo"))).status == 200
        assert (await gateway.ask(request(b"/new"))).status == 404
        await gateway.ended(2)
    assert len(gateway.log.terminals()) == 2


async def test_an_exchange_ends_in_the_log_that_it_began_in(tmp_path: Path) -> None:
    """So both of its lines are in one file, whatever a reload does meanwhile."""
    (tmp_path / "new").mkdir()
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:

        async def moving(_: object) -> bytes:
            reload(gateway, toml(tmp_path / "new", api(backend.url)))
            return b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

        backend.answering = moving
        assert (await gateway.ask(request(b"/echo/old"))).status == 200
        await gateway.ended()
    assert gateway.log.complete().request_in_url == "/echo/old"
    assert Log(tmp_path / "new" / "api.log").events() == []


async def test_a_changed_limit_counts_for_new_exchanges(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        large = request(method=b"PUT", body=b"x" * 2000)
        assert (await gateway.ask(large)).status == 200
        reload(gateway, toml(tmp_path, api(backend.url), server='max_body = "1KiB"'))
        assert (await gateway.ask(large)).status == 413
