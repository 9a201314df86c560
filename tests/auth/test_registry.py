"""Applications in the database: found, remembered, and never let in where it can't be asked."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sqlite3
import threading
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.application_store import DatabaseApplications
from gatewaylog.audit.registered import Registered, RegisteredKey
from gatewaylog.auth.flights import Flights
from gatewaylog.auth.registry import UNASKED, Registry
from gatewaylog.exceptions import TokenStoreError
from tests.auth.gateways import KEY, LABEL, RESOURCES, SECRET, auth, jwt_table
from tests.auth.issuers import KEY_SET, claims, jwt, kept
from tests.gateway.configured import problem
from tests.http_client import request
from tests.running import api, running, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.running import Running

OTHER_KEY = "the-key-of-resting"
SHOP = Registered(
    name="shop",
    owner="ann",
    client_id="shop-client",
    client_secret=kept(SECRET),
    subscriptions=frozenset({LABEL}),
    scopes=frozenset({"items.read"}),
)
RESTING = Registered(
    name="resting",
    owner="bob",
    subscriptions=frozenset({"*"}),
    suspended=frozenset({LABEL}),
)
FORM = b"Content-Type: application/x-www-form-urlencoded"


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.fixture
def store(tmp_path: Path) -> DatabaseApplications:
    made = DatabaseApplications(f"sqlite:///{tmp_path}/kept.db")
    for application, key in ((SHOP, KEY), (RESTING, OTHER_KEY)):
        made.keep(application)
        made.add_key(RegisteredKey(digest=sha256(key), application=application.name, created_at=1))
    return made


@contextlib.asynccontextmanager
async def serving(folder: Path, *accepted: str, cached: float = 30) -> AsyncIterator[Running]:
    (folder / "keys.json").write_bytes(KEY_SET)
    tables = (
        auth(*accepted, more=f"token_cache = {cached}"),
        jwt_table(f"{folder}/keys.json") if "jwt" in accepted else "",
        f'[database]\nurl = "sqlite:///{folder}/kept.db"\napplications = true\n',
    )
    async with StrictBackend() as backend:
        text = toml(folder, *tables, api(backend.url, auth="required", more=RESOURCES))
        async with running(text) as one:
            yield one


async def status(served: Running, line: bytes, path: bytes = b"/echo/x") -> tuple[int, str]:
    """The status, and the code of an ERROR."""
    answer = await served.ask(request(path, line))
    code = json.loads(answer.body)["code"] if answer.status >= 400 else ""
    return answer.status, str(code)


async def test_a_key_in_the_database_opens_what_its_application_may(
    tmp_path: Path, store: DatabaseApplications
) -> None:
    basic = b"Authorization: Basic "
    async with serving(tmp_path, "api_keys") as served:
        for _ in range(2):
            assert await status(served, b"X-API-Key: " + KEY.encode()) == (200, "")
            assert await status(served, basic + b64encode(f"shop:{KEY}".encode())) == (200, "")
            wrong = basic + b64encode(f"other:{KEY}".encode())
            assert await status(served, wrong) == (401, "900901")
            assert await status(served, b"X-API-Key: " + KEY.encode(), b"/echo/scoped") == (200, "")
            writing = await status(served, b"X-API-Key: " + KEY.encode(), b"/echo/writing")
            assert writing == (403, "900910")
            assert await status(served, b"X-API-Key: " + OTHER_KEY.encode()) == (401, "900909")
            assert await status(served, b"X-API-Key: guess") == (401, "900901")
            assert await status(served, b"X-Other: x") == (401, "900902")
        await served.ended(16)
        complete = served.log.completes()[0]
        assert (complete.application_name, complete.end_user_name) == ("shop", "ann")


async def test_a_key_that_is_disabled_opens_nothing_when_the_cache_is_over(
    tmp_path: Path, store: DatabaseApplications
) -> None:
    async with serving(tmp_path, "api_keys", cached=0) as served:
        line = b"X-API-Key: " + KEY.encode()
        assert await status(served, line) == (200, "")
        assert store.disable(sha256(KEY), 5.0)
        assert await status(served, line) == (401, "900901")
        assert not store.disable(sha256(KEY), 6.0)


async def test_a_client_in_the_database_gets_tokens_and_calls_by_them_and_by_jwts(
    tmp_path: Path, store: DatabaseApplications
) -> None:
    async with serving(tmp_path, "tokens", "jwt") as served:
        form = f"grant_type=client_credentials&client_id=shop-client&client_secret={SECRET}"
        asked = request(b"/oauth/token", FORM, method=b"POST", body=form.encode())
        answer = json.loads((await served.ask(asked)).body)
        assert answer["scope"] == "items.read"
        bearer = b"Authorization: Bearer "
        for _ in range(2):
            assert await status(served, bearer + answer["access_token"].encode()) == (200, "")
            shop = jwt(claims(client_id="shop-client"))
            assert await status(served, bearer + shop.encode()) == (200, "")
            nobody = jwt(claims(client_id="nobody"))
            assert await status(served, bearer + nobody.encode()) == (403, "900908")
            odd = jwt(claims(client_id="a\u0000b" * 100))
            assert await status(served, bearer + odd.encode()) == (403, "900908")
        wrong = request(
            b"/oauth/token", FORM, method=b"POST", body=form.replace(SECRET, "guess").encode()
        )
        assert (await served.ask(wrong)).status == 401


async def test_a_live_token_does_not_follow_its_client_to_another_application(
    tmp_path: Path, store: DatabaseApplications
) -> None:
    """Nobody gets what the other application may; that one's own tokens are as good as ever."""
    form = f"grant_type=client_credentials&client_id=shop-client&client_secret={SECRET}".encode()
    asked = request(b"/oauth/token", FORM, method=b"POST", body=form)
    async with serving(tmp_path, "tokens", cached=0) as served:
        old = json.loads((await served.ask(asked)).body)["access_token"].encode()
        bearer = b"Authorization: Bearer "
        assert await status(served, bearer + old) == (200, "")
        store.keep(replace(SHOP, client_id="", client_secret=""))
        store.keep(replace(SHOP, name="other", owner="eve"))
        assert await status(served, bearer + old) == (401, "900904")
        told = form.partition(b"&")[2] + b"&token=" + old
        about = request(b"/oauth/token_info", FORM, method=b"POST", body=told)
        assert json.loads((await served.ask(about)).body) == {"active": False}
        ending = request(b"/oauth/revoke", FORM, method=b"POST", body=told)
        assert json.loads((await served.ask(ending)).body)["error"] == "invalid_grant"
        fresh = json.loads((await served.ask(asked)).body)["access_token"].encode()
        assert await status(served, bearer + fresh) == (200, "")


async def test_a_database_that_is_down_lets_in_nobody_but_who_is_known(
    tmp_path: Path, store: DatabaseApplications
) -> None:
    async with serving(tmp_path, "api_keys", "jwt") as served:
        good, other = (b"X-API-Key: " + key.encode() for key in (KEY, OTHER_KEY))
        assert await status(served, good) == (200, "")
        with contextlib.closing(sqlite3.connect(tmp_path / "kept.db")) as connection:
            connection.execute("DROP TABLE applications")
        assert await status(served, good) == (200, "")
        assert await status(served, other) == (500, "900900")
        bearer = b"Authorization: Bearer " + jwt(claims(client_id="shop-client")).encode()
        for _ in range(2):  # the token's verdict is known, its application is not
            assert await status(served, bearer) == (500, "900900")


class Counting:
    """A register that knows one key, and holds the answer back until it may go."""

    def __init__(self) -> None:
        self.asked = 0
        self.free = threading.Event()

    def by_key(self, digest: bytes) -> Registered | None:
        self.asked += 1
        self.free.wait(10)
        return SHOP if digest == b"good" else None

    def by_client(self, client_id: str) -> Registered | None:
        raise TokenStoreError(f"down: {client_id}")

    def close(self) -> None:
        """Nothing to close."""


async def test_all_who_ask_for_the_same_wait_for_one_answer_which_is_kept() -> None:
    register, now = Counting(), 0.0
    registry = Registry(register, cached=30.0, most=2, monotonic=lambda: now)
    calls = [asyncio.create_task(registry.find(b"good")) for _ in range(20)]
    await asyncio.sleep(0)
    register.free.set()
    found = await asyncio.gather(*calls)
    assert {one.name for one in found if one} == {"shop"}
    assert register.asked == 1
    now = 29.0
    assert await registry.find(b"good") is found[0]
    now = 31.0
    assert registry.known(b"good") is UNASKED
    for number in range(3):  # a flood of guesses drives out guesses alone
        assert await registry.find(b"%d" % number) is None
    assert registry.known(b"0") is UNASKED
    assert registry.known(b"2") is None
    with pytest.raises(TokenStoreError, match="down: c"):
        await registry.find("c")
    await registry.aclose()


async def test_too_many_look_ups_at_once_are_not_waited_for() -> None:
    registry = Registry(Counting())
    registry._flights = Flights(most=0)
    with pytest.raises(TokenStoreError, match="too many look-ups"):
        await registry.find(b"good")
    await registry.aclose()


@pytest.mark.parametrize("text", ["[database]\napplications = 1"])
def test_the_key_is_a_yes_or_no(text: str) -> None:
    assert problem(text).startswith("database.applications: must be ")
