"""Where the gateway listens: TCP, unix sockets, TLS, several at once."""

from __future__ import annotations

import socket
import ssl
import stat
from typing import TYPE_CHECKING

import pytest
import trustme

from gatewaylog.exceptions import ConfigurationError
from gatewaylog.gateway.config import Address
from gatewaylog.gateway.listening import listeners, told
from tests.http_client import Client, request
from tests.running import api, running, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_unix_socket_serves_clients_that_have_no_address(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    async with StrictBackend() as backend:
        text = toml(tmp_path, api(backend.url), listen=f'"unix:{path}"')
        async with running(text) as gateway:
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert (await gateway.ask(request())).status == 200
            await gateway.ended()
    received = backend.requests[0]
    assert received.value(b"forwarded") == b"for=unknown;host=gw.example;proto=http"
    assert received.value(b"x-forwarded-for") == b"unknown"
    assert gateway.log.complete().remote_ip is None


async def test_a_proxy_on_the_unix_socket_is_believed_where_it_is_trusted(tmp_path: Path) -> None:
    async with StrictBackend() as backend:
        text = toml(
            tmp_path,
            api(backend.url),
            listen=f'"unix:{tmp_path}/gateway.sock"',
            server='trusted_proxies = ["unix"]',
        )
        async with running(text) as gateway:
            await gateway.ask(request(b"/echo", b"X-Forwarded-For: 203.0.113.7"))
            await gateway.ended()
    assert backend.requests[0].value(b"x-forwarded-for") == b"203.0.113.7, unknown"
    assert gateway.log.complete().remote_ip == "203.0.113.7"


async def test_tls_is_served_and_told_to_backends(tmp_path: Path) -> None:
    ca = trustme.CA()
    pem = tmp_path / "server.pem"
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    server = f'tls_certificate = "{pem}"\ntls_key = "{pem}"'
    async with StrictBackend() as backend:
        text = toml(tmp_path, api(backend.url, more='schemes = ["https"]'), server=server)
        async with running(text) as gateway:
            async with Client(gateway.where, tls=trusting) as client:
                assert (await client.ask(request())).status == 200
                assert (await client.ask(request(b"/none"))).status == 404
            async with Client(gateway.where) as plain:
                await plain.send(request())
                assert b"200" not in await plain.rest()
            await gateway.ended(2)
    received = backend.requests[0]
    assert received.value(b"x-forwarded-proto") == b"https"
    assert received.value(b"forwarded") == b"for=127.0.0.1;host=gw.example;proto=https"


async def test_several_addresses_serve_the_same(tmp_path: Path) -> None:
    path = f"{tmp_path}/gateway.sock"
    async with StrictBackend() as backend:
        text = toml(tmp_path, api(backend.url), listen=f'["127.0.0.1:0", "unix:{path}"]')
        async with running(text) as gateway:
            for where in (gateway.where, path):
                async with Client(where) as client:
                    assert (await client.ask(request())).status == 200


def test_every_address_that_can_not_be_had_is_named_and_none_is_kept(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        missing = str(tmp_path / "missing" / "x.sock")
        free = str(tmp_path / "free.sock")
        addresses = [
            Address(host="127.0.0.1", port=port),
            Address(unix_path=missing),
            Address(unix_path=free),
        ]
        with pytest.raises(ConfigurationError) as caught:
            listeners(addresses)
    first, second = caught.value.problems
    assert first == f"server.listen: can't listen on 127.0.0.1:{port}: Address already in use"
    assert second.startswith(f"server.listen: can't listen on unix:{missing}: ")
    with socket.socket(socket.AF_UNIX) as probe:
        assert probe.connect_ex(free) != 0


def test_a_socket_that_nobody_listens_on_is_replaced_and_another_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "gateway.sock")
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(path)
    (fresh,) = listeners([Address(unix_path=path)])
    with fresh, pytest.raises(ConfigurationError, match="in use"):
        listeners([Address(unix_path=path)])
    ordinary = tmp_path / "file"
    ordinary.write_text("kept")
    with pytest.raises(ConfigurationError):
        listeners([Address(unix_path=str(ordinary))])
    assert ordinary.read_text() == "kept"


def test_an_address_is_told_as_an_operator_can_use_it(tmp_path: Path) -> None:
    path = str(tmp_path / "gateway.sock")
    with (
        listeners([Address(host="127.0.0.1")])[0] as four,
        listeners([Address(host="::1")])[0] as six,
        listeners([Address(unix_path=path)])[0] as unix,
    ):
        assert told(four, secure=False) == f"http://127.0.0.1:{four.getsockname()[1]}"
        assert told(six, secure=True) == f"https://[::1]:{six.getsockname()[1]}"
        assert told(unix, secure=False) == f"unix:{path}"


def test_a_name_that_no_address_has_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"invalid:80: .*(known|resol)"):
        listeners([Address(host="no-such-host.invalid", port=80)])


def test_every_user_may_connect_to_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    (listener,) = listeners([Address(unix_path=str(path))])
    with listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
