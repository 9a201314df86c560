"""Tokens among several workers, through reloads; and nowhere a secret of theirs to be found."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from gatewaylog.audit.application_store import DatabaseApplications
from gatewaylog.audit.registered import Registered, RegisteredKey
from tests.auth.gateways import (
    APPLICATIONS,
    KEY,
    RESOURCES,
    SECRET,
    auth,
    database,
    gateway,
    introspection_table,
    jwt_table,
)
from tests.auth.issuers import KEY_SET, OTHER_RSA_KEY, claims, jwt
from tests.auth.test_introspection import GOOD, Server
from tests.http_client import request
from tests.running import api, launched, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http_client import Answer
    from tests.running import Process

pytestmark = pytest.mark.system
FORM = b"Content-Type: application/x-www-form-urlencoded"
CLIENT = f"client_id=mobile-client&client_secret={SECRET}"
CANARY = "c4n4ry"


async def post(served: Process, name: str, form: str, *lines: bytes) -> Answer:
    target = f"/oauth/{name}".encode()
    return await served.ask(request(target, FORM, *lines, method=b"POST", body=form.encode()))


async def issued(served: Process) -> str:
    answer = await post(served, "token", f"grant_type=client_credentials&{CLIENT}")
    token = json.loads(answer.body)["access_token"]
    assert isinstance(token, str)
    return token


async def call(served: Process, token: str) -> int:
    answer = await served.ask(request(b"/echo/x", b"Authorization: Bearer " + token.encode()))
    return answer.status


def several(folder: Path, backend: str, more: str = "") -> str:
    echo = api(backend, auth="required", more=RESOURCES)
    tables = auth("tokens", more=more), database(folder)
    return toml(folder, APPLICATIONS, *tables, echo, server="workers = 4")


async def test_workers_share_tokens_and_their_limit(tmp_path: Path) -> None:
    """They make the table together, and count a client's tokens one after the other."""
    async with StrictBackend() as backend:
        text = several(tmp_path, backend.url)
        async with launched(tmp_path, text) as served:
            form = f"grant_type=client_credentials&{CLIENT}"
            answers = await asyncio.gather(*(post(served, "token", form) for _ in range(40)))
            assert sorted(answer.status for answer in answers) == [200] * 15 + [429] * 25
            tokens = [
                json.loads(answer.body)["access_token"]
                for answer in answers
                if answer.status == 200
            ]
            calls = await asyncio.gather(*(call(served, one) for one in tokens for _ in range(4)))
            assert set(calls) == {200}
            assert await served.stop() == 0


async def test_a_revocation_acts_in_all_workers(tmp_path: Path) -> None:
    """At once where nothing is kept in memory."""
    async with StrictBackend() as backend:
        text = several(tmp_path, backend.url, "token_cache = 0")
        async with launched(tmp_path, text) as served:
            token = await issued(served)
            assert {await call(served, token) for _ in range(12)} == {200}
            assert (await post(served, "revoke", f"token={token}&{CLIENT}")).status == 200
            assert {await call(served, token) for _ in range(12)} == {401}
            assert await served.stop() == 0


async def test_tokens_outlive_reloads_and_restarts(tmp_path: Path) -> None:
    async with StrictBackend() as backend:
        text = gateway(tmp_path, backend.url, auth("tokens"), database(tmp_path))
        async with launched(tmp_path, text) as served:
            token = await issued(served)
            served.config.write_text(text.replace("[auth]", "[auth]\ntoken_limit = 20"))
            served.signal(signal.SIGHUP)
            await served.says("serving by the new configuration")
            assert await call(served, token) == 200
            assert await served.stop() == 0
        async with launched(tmp_path, text) as served:
            assert await call(served, token) == 200
            assert await served.stop() == 0


def forms_of(secret: str) -> list[bytes]:
    """The text as it is, and in the usual encodings."""
    plain = secret.encode()
    return [
        plain,
        b64encode(plain).rstrip(b"="),
        urlsafe_b64encode(plain).rstrip(b"="),
        quote(plain, safe="").encode(),
        plain.hex().encode(),
    ]


async def test_no_secret_of_a_token_or_a_client_is_found_anywhere(tmp_path: Path) -> None:
    """Neither those that open, nor those that do not, nor those that the gateway asks with."""
    (tmp_path / "keys.json").write_bytes(KEY_SET)
    known = Server(**{f"{CANARY}-known": GOOD, f"{CANARY}-odd": {"active": CANARY}})
    good, bad = jwt(claims(jti=CANARY)), jwt(claims(jti=CANARY), OTHER_RSA_KEY)
    old = jwt(claims(exp=5, jti=CANARY))
    secrets = [good, bad, old, SECRET, "asking", f"{CANARY}-known", f"{CANARY}-odd"]
    secrets += [f"{CANARY}-secret", f"{CANARY}-redis", f"{CANARY}-code", CANARY + "x" * 37]
    throttle = (
        '[[throttle]]\nper = "api"\nrate = "1000/day"\n'
        f'store = "redis://:{CANARY}-redis@127.0.0.1:1"\n'
    )
    keys = [f"{CANARY}-key", f"{CANARY}-guess", KEY]
    secrets += keys
    store = DatabaseApplications(f"sqlite:///{tmp_path}/tokens.db")
    store.keep(Registered(name="kept", owner="ann", subscriptions=frozenset({"*"})))
    digest = hashlib.sha256(keys[0].encode()).digest()
    store.add_key(RegisteredKey(digest=digest, application="kept", created_at=1.0))
    async with StrictBackend() as backend, StrictBackend(known) as asked:
        text = gateway(
            tmp_path,
            backend.url,
            auth("api_keys", "tokens", "jwt", "introspection"),
            jwt_table(str(tmp_path / "keys.json")),
            introspection_table(asked.url),
            database(tmp_path) + "applications = true\n",
            throttle,
            f'[event_log]\npath = "{tmp_path}/event.log"\n',
            f'[system_log]\nlevel = "DEBUG"\npath = "{tmp_path}/system.log"\n',
        ).replace("[server]", f'[server]\nadmin = "unix:{tmp_path}/admin.sock"')
        answers = []
        async with launched(tmp_path, text) as served:
            token = await issued(served)
            secrets.append(token)
            for one in [token, *secrets]:
                for path in (b"/echo/x", b"/echo/open", b"/echo/writing", b"/nowhere"):
                    line = b"Authorization: Bearer " + one.encode()
                    answers.append(await served.ask(request(path, line)))
            for key in keys:
                pair = b64encode(f"{CANARY}-user:{key}".encode())
                lines = (b"X-API-Key: " + key.encode(), b"Authorization: Basic " + pair)
                answers += [await served.ask(request(b"/echo/x", line)) for line in lines]
            for name in ("token", "revoke", "token_info"):
                basic = b64encode(f"mobile-client:{CANARY}-secret".encode())
                refused = [
                    await post(
                        served, name, f"client_id={CANARY}-code&client_secret={CANARY}-code"
                    ),
                    await post(served, name, f"token={good}", b"Authorization: Basic " + basic),
                    await post(served, name, f"token={good}&{CLIENT}&token={good}"),
                    await post(served, f"{name}?token={CANARY}-code", CLIENT),
                ]
                assert {answer.status for answer in refused} <= {400, 401}
                answers += refused
            assert (await post(served, "revoke", f"token={token}&{CLIENT}")).status == 200
            metrics = await _metrics(tmp_path)
            assert await served.stop() == 0
    places = {
        path.name: path.read_bytes()
        for path in tmp_path.iterdir()
        if path.is_file() and path.name not in {"gateway.toml", "keys.json"}
    }
    assert {"api.log", "event.log", "system.log", "tokens.db"} <= places.keys()
    places |= {
        "standard error": "\n".join(served.said).encode(),
        "metrics": metrics,
        "answers": b"".join(answer.body for answer in answers if answer.status >= 400),
        "headers": repr([answer.headers for answer in answers if answer.status >= 400]).encode(),
    }
    for name, content in places.items():
        for secret in {*secrets, *(part for one in (good, bad, old) for part in one.split("."))}:
            if len(secret) > 5 and secret != good.split(".")[0]:
                assert not any(form in content for form in forms_of(secret)), (name, secret)


async def _metrics(folder: Path) -> bytes:
    from tests.http_client import Client

    async with Client(f"{folder}/admin.sock") as client:
        answer = await client.ask(request(b"/metrics"))
    assert answer.status == 200
    return answer.body
