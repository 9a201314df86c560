"""Tokens that another server knows: what its answers open, and answers that are no help."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from gatewaylog.auth.introspection import Asking, Introspection
from gatewaylog.auth.verdicts import Facts
from gatewaylog.errors import AUTH_UNAVAILABLE
from gatewaylog.exceptions import AuthServerTimeout
from tests.auth.gateways import (
    SECRET,
    auth,
    database,
    gateway,
    introspection_table,
    jwt_table,
)
from tests.auth.issuers import KEY_SET, http, jwt
from tests.auth.test_jwt import call
from tests.http_client import request
from tests.running import running, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.running import Running
    from tests.strict_backend import Received

LATER = int(time.time()) + 86_400  # tests are collected long before they run
GOOD = {"active": True, "client_id": "mobile-client", "username": "amy", "exp": LATER}


class Server:
    """An introspection endpoint: says of each token what stands in `known`."""

    def __init__(self, **known: Any) -> None:
        self.known = known
        self.asked: list[str] = []
        self.raw: bytes | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, received: Received) -> bytes:
        assert received.value(b"authorization") == b"Basic Z2F0ZXdheTphc2tpbmc="
        assert received.value(b"content-type") == b"application/x-www-form-urlencoded"
        form = parse_qs(received.body.decode(), strict_parsing=True)
        assert form["token_type_hint"] == ["access_token"]
        (token,) = form["token"]
        self.asked.append(token)
        await self.free.wait()
        if self.raw is not None:
            return self.raw
        return http(json.dumps(self.known.get(token, {"active": False})).encode())


@contextlib.asynccontextmanager
async def serving(
    folder: Path, server: Server, more: str = "", *, timeout: float = 10.0
) -> AsyncIterator[Running]:
    async with StrictBackend() as backend, StrictBackend(server) as known:
        tables = auth("introspection") + introspection_table(
            f"{known.url}/introspect", more, timeout=timeout
        )
        async with running(gateway(folder, backend.url, tables)) as served:
            yield served
            server.free.set()


async def test_an_active_token_opens_and_is_asked_for_once(tmp_path: Path) -> None:
    server = Server(**{"a~token+/=": GOOD | {"scope": "items.read"}})
    async with serving(tmp_path, server) as served:
        asked = [call(served, "a~token+/=", b"/echo/scoped") for _ in range(10)]
        assert set(await asyncio.gather(*asked)) == {(200, "")}
        assert await call(served, "a~token+/=", b"/echo/writing") == (403, "900910")
        assert server.asked == ["a~token+/="]
        await served.ended(11)
    assert {(one.application_name, one.end_user_name) for one in served.log.terminals()} == {
        ("mobile", "amy")
    }


async def test_an_inactive_token_is_asked_for_once(tmp_path: Path) -> None:
    server = Server()
    async with serving(tmp_path, server) as served:
        for _ in range(3):
            assert await call(served, "gone") == (401, "900904")
        assert server.asked == ["gone"]


async def test_answers_are_kept_as_long_as_wished(tmp_path: Path) -> None:
    server = Server(good=GOOD)
    async with serving(tmp_path, server, "cache = 0") as served:
        assert await call(served, "good") == (200, "")
        server.known.clear()
        assert await call(served, "good") == (401, "900904")
    assert server.asked == ["good", "good"]


ANSWERS = [
    (GOOD | {"exp": 5}, (401, "900903")),
    (GOOD | {"nbf": LATER}, (401, "900901")),
    (GOOD | {"exp": "later"}, (401, "900901")),
    (GOOD | {"exp": None}, (401, "900901")),
    (GOOD | {"client_id": "nobody"}, (403, "900908")),
    (GOOD | {"client_id": 5}, (403, "900908")),
    (GOOD | {"client_id": "resting-client"}, (401, "900909")),
    ({"active": True, "client_id": "mobile-client"}, (200, "")),
    ({"active": True, "azp": "mobile-client", "sub": "x"}, (200, "")),
    ({"active": False, "client_id": "mobile-client"}, (401, "900904")),
    ({"active": "true", "client_id": "mobile-client"}, (500, "900900")),
    ({"active": 1, "client_id": "mobile-client"}, (500, "900900")),
    ({"client_id": "mobile-client"}, (500, "900900")),
    ([True], (500, "900900")),
    ("active", (500, "900900")),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
async def test_the_answer_decides(tmp_path: Path, answer: Any, expected: tuple[int, str]) -> None:
    async with serving(tmp_path, Server(token=answer)) as served:
        assert await call(served, "token") == expected


@pytest.mark.parametrize(
    "raw",
    [
        http(b"", b"500 Internal Server Error"),
        http(b"", b"401 Unauthorized"),
        http(json.dumps(GOOD).encode(), b"201 Created"),
        http(b"{"),
        http(b"[" * 100_000),
        http(b"\xff"),
        http(b" " * 600_000),
        b"nonsense\r\n\r\n",
    ],
)
async def test_a_server_that_fails_or_lies_opens_nothing(
    tmp_path: Path, raw: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    server = Server(token=GOOD)
    server.raw = raw
    async with serving(tmp_path, server) as served:
        for _ in range(2):
            assert await call(served, "token") == (500, "900900")
        server.raw = None
        assert await call(served, "token") == (200, "")
        await served.ended(3)
    assert capfd.readouterr().err.count("auth.introspection: ") == 1
    assert [one.error_code for one in served.log.errors()] == ["900900", "900900"]


async def test_a_slow_server_delays_its_own_tokens_alone(tmp_path: Path) -> None:
    server = Server(one=GOOD, two=GOOD)
    async with serving(tmp_path, server) as served:
        assert await call(served, "one") == (200, "")
        server.free.clear()
        waiting = asyncio.create_task(call(served, "two"))
        for _ in range(20):
            assert await call(served, "one") == (200, "")
        assert not waiting.done()
        server.free.set()
        assert await waiting == (200, "")


async def test_a_server_that_takes_too_long_opens_nothing(tmp_path: Path) -> None:
    server = Server(token=GOOD)
    server.free.clear()
    async with serving(tmp_path, server, timeout=0.2) as served:
        assert await call(served, "token") == (500, "900900")


async def test_a_server_that_is_down_costs_one_call_its_time_and_the_others_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = Server(known=GOOD, other=GOOD)
    async with serving(tmp_path, server, "suspend = 600", timeout=0.2) as served:
        assert await call(served, "known") == (200, "")
        server.free.clear()
        for number in range(20):
            assert await call(served, f"token{number}") == (500, "900900")
        assert await call(served, "known") == (200, "")
        assert server.asked == ["known", "token0"]
    assert capfd.readouterr().err.count("auth.introspection: no answer within 0.2 s") == 1


async def test_one_question_tries_a_server_that_was_left_alone() -> None:
    now, answer, asked = 0.0, asyncio.Event(), []

    async def post(_: object, body: bytes) -> bytes:
        asked.append(body)
        await answer.wait()
        if now < 20:
            raise AuthServerTimeout("no answer")
        return json.dumps(GOOD).encode()

    asking = Asking(client_id="a", client_secret="b", suspended=5.0)
    source = Introspection(post, asking, monotonic=lambda: now)

    async def ask() -> object:
        async with asyncio.timeout(20):
            return (await source.ask(b"token", b"")).verdict

    answer.set()
    assert await ask() is AUTH_UNAVAILABLE
    assert await ask() is AUTH_UNAVAILABLE
    assert len(asked) == 1
    now = 6.0
    answer.clear()
    trying = asyncio.create_task(ask())
    await asyncio.sleep(0)
    assert await ask() is AUTH_UNAVAILABLE
    assert len(asked) == 2
    answer.set()
    assert await trying is AUTH_UNAVAILABLE
    now = 10.0
    assert await ask() is AUTH_UNAVAILABLE
    assert len(asked) == 2
    now = 20.0
    for _ in range(3):
        assert isinstance(await ask(), Facts)
    assert len(asked) == 5


async def test_one_question_without_an_answer_among_others_leaves_a_server_as_it_is() -> None:
    """That may be the token's own doing, as one who wants to shut others out would like."""
    waiting = asyncio.Event()
    now = 0.0

    async def post(_: object, body: bytes) -> bytes:
        if b"odd" in body:
            await waiting.wait()
            raise AuthServerTimeout("no answer")
        return json.dumps(GOOD).encode()

    source = Introspection(post, Asking(client_id="a", client_secret="b"), monotonic=lambda: now)
    odd = asyncio.create_task(source.ask(b"odd", b""))
    await asyncio.sleep(0)
    now = 1.0
    assert isinstance((await source.ask(b"token", b"")).verdict, Facts)
    waiting.set()
    assert (await odd).verdict is AUTH_UNAVAILABLE
    assert isinstance((await source.ask(b"token", b"")).verdict, Facts)


async def test_a_client_that_leaves_does_not_take_the_question_from_others(tmp_path: Path) -> None:
    server = Server(token=GOOD)
    server.free.clear()
    async with serving(tmp_path, server) as served:
        async with served.client() as leaving:
            await leaving.send(request(b"/echo/x", b"Authorization: Bearer token"))
            while not server.asked:
                await asyncio.sleep(0.001)
            other = asyncio.create_task(call(served, "token"))
            while len(served.tasks) < 2:
                await asyncio.sleep(0.001)
            leaving.reset()
        await until(lambda: served.log.terminals())
        server.free.set()
        assert await other == (200, "")
        await served.ended(2)
    assert server.asked == ["token"]
    assert [one.status_code for one in served.log.terminals()] == [499, 200]


async def test_a_wanted_audience_must_be_there(tmp_path: Path) -> None:
    server = Server(right=GOOD | {"aud": ["a", "b"]}, wrong=GOOD | {"aud": "c"}, none=GOOD)
    async with serving(tmp_path, server, 'audience = ["b"]') as served:
        assert await call(served, "right") == (200, "")
        assert await call(served, "wrong") == (401, "900901")
        assert await call(served, "none") == (401, "900901")


async def test_jwts_go_to_their_keys_our_tokens_to_the_store_the_rest_is_asked_for(
    tmp_path: Path,
) -> None:
    (tmp_path / "keys.json").write_bytes(KEY_SET)
    server = Server(strange=GOOD, **{"x" * 43: GOOD})
    async with StrictBackend() as backend, StrictBackend(server) as known:
        tables = (
            auth("tokens", "jwt", "introspection")
            + jwt_table(str(tmp_path / "keys.json"))
            + introspection_table(known.url)
            + database(tmp_path)
        )
        async with running(gateway(tmp_path, backend.url, tables)) as served:
            for token in (jwt(), "strange", "x" * 43):
                assert await call(served, token) == (200, "")
            assert await call(served, "a.b.c") == (401, "900901")
            assert server.asked == ["strange", "x" * 43]


async def test_another_gateways_tokens_are_asked_for_at_its_token_info(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with StrictBackend() as backend:
        issuing = gateway(first, backend.url, auth("tokens"), database(first))
        async with running(issuing) as issuer:
            form = f"grant_type=client_credentials&client_id=mobile-client&client_secret={SECRET}"
            lines = b"Content-Type: application/x-www-form-urlencoded"
            asked = request(b"/oauth/token", lines, method=b"POST", body=form.encode())
            token = json.loads((await issuer.ask(asked)).body)["access_token"]
            url = f"http://127.0.0.1:{issuer.where}/oauth/token_info"
            table = (
                f'[auth.introspection]\nurl = "{url}"\nclient_id = "mobile-client"\n'
                f'client_secret = "{SECRET}"\n'
            )
            asking = gateway(second, backend.url, auth("introspection"), table)
            async with running(asking) as served:
                assert await call(served, token, b"/echo/scoped") == (200, "")
                assert await call(served, "y" * 43) == (401, "900904")


async def test_an_open_resource_takes_any_token(tmp_path: Path) -> None:
    server = Server()
    async with serving(tmp_path, server) as served:
        assert await call(served, "whatever", b"/echo/open") == (200, "")
        await served.ended()
    assert server.asked == []
    assert served.log.complete().token_ref is not None
