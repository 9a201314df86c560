"""What the system log says in DEBUG of credentials: why they were refused, never what they are."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from gatewaylog.systemlog import SystemLog, SystemLogOptions
from tests.auth.gateways import (
    LABEL,
    auth,
    database,
    gateway,
    introspection_table,
    jwt_table,
)
from tests.auth.issuers import EC_KEY, KEY_SET, OTHER_RSA_KEY, KeyServer, claims, http, jwt
from tests.http_client import request
from tests.running import running
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.running import Running

    Speaks = Callable[[str], None]

NOW = int(time.time())
LATER = NOW + 86_400


@pytest.fixture
def speaks() -> Iterator[Speaks]:
    """Has the room of credentials speak at a level, and all else not."""
    logs: list[SystemLog] = []

    def speak(level: str) -> None:
        levels = {"gatewaylog.auth": level}
        logs.append(SystemLog(SystemLogOptions(level="CRITICAL", levels=levels)))

    yield speak
    for log in logs:
        log.close()


async def call(served: Running, *tokens: str, path: bytes = b"/echo/x") -> None:
    for token in tokens:
        await served.ask(request(path, b"Authorization: Bearer " + token.encode()))


REFUSED = {
    "what looks like a JWT is none: ": "a.b.c",
    "kid None: alg 'none' is not accepted": jwt(None, None, alg="none", kid=None),
    "kid 'x', alg RS256: no key": jwt(kid="x"),
    "kid 'r': the signature is wrong": jwt(None, OTHER_RSA_KEY),
    "iss 'https://other' with aud 'https://gw": jwt(claims(iss="https://other")),
    "exp is missing, or": jwt(claims(exp=None)),
    "nbf is ": jwt(claims(nbf=LATER)),
    "exp was ": jwt(claims(exp=NOW - 1000)),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_why_a_jwt_is_refused_is_said_with_its_exchange_and_without_it(
    tmp_path: Path, speaks: Speaks, capfd: pytest.CaptureFixture[str], why: str
) -> None:
    (tmp_path / "keys.json").write_bytes(KEY_SET)
    tables = auth("api_keys", "jwt") + jwt_table(str(tmp_path / "keys.json"))
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url, tables)) as one:
        speaks("DEBUG")
        await call(one, REFUSED[why])
        await one.ended()
        (incoming,) = one.log.incoming()
    lines = capfd.readouterr().err.splitlines()
    (told,) = [line for line in lines if f"[DEBUG] jwt {why}" in line or f"] jwks {why}" in line]
    assert told.endswith(f" [{incoming.message_id}]")
    assert f"refusals {LABEL}: refused, 90090" in lines[-1]
    assert REFUSED[why] not in "".join(lines)
    assert "asked for" in lines[0]


async def test_keys_and_the_cache_are_told_of(
    tmp_path: Path, speaks: Speaks, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys.json").write_bytes(KEY_SET)
    tables = auth("jwt") + jwt_table(str(tmp_path / "keys.json"))
    token = jwt(None, EC_KEY, alg="ES256", kid="e")
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url, tables)) as one:
        speaks("DEBUG")
        await call(one, token, token)
    told = [line.partition("[DEBUG] ")[2] for line in capfd.readouterr().err.splitlines()]
    assert [line.partition(" [")[0] for line in told] == [
        "credentials the token's verdict is asked for",
        "jwks 3 keys were fetched",
        "jwks kid 'e', alg ES256: found",
        "credentials the token's verdict is in the cache",
    ]


@pytest.mark.parametrize("level", ["CRITICAL", "WARNING"])
async def test_the_level_of_the_room_silences_what_it_says_of_a_key_server(
    tmp_path: Path, speaks: Speaks, capfd: pytest.CaptureFixture[str], level: str
) -> None:
    keys = KeyServer(b"no keys")
    async with StrictBackend() as backend, StrictBackend(keys) as server:
        tables = auth("jwt") + jwt_table(f"{server.url}/keys")
        async with running(gateway(tmp_path, backend.url, tables)) as one:
            speaks(level)
            await call(one, jwt())
            await one.ended()
            (incoming,) = one.log.incoming()
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == (level == "WARNING")
    for line in lines:
        assert "[WARNING] jwks auth.jwt.jwks: " in line
        assert line.endswith(f" (0x0023) [{incoming.message_id}]")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b'{"active": false}', "the token is not active"),
        (b'{"active": true, "aud": "x"}', "aud 'x' is not accepted"),
        (b'{"active": true, "aud": "us", "exp": "soon"}', "exp or nbf is no time"),
        (b'{"active": true, "aud": "us", "exp": 1}', "exp was "),
    ],
)
async def test_why_a_token_is_refused_by_who_is_asked_is_said(
    tmp_path: Path, speaks: Speaks, capfd: pytest.CaptureFixture[str], answer: bytes, why: str
) -> None:
    async with StrictBackend() as backend, StrictBackend(lambda _: http(answer)) as server:
        table = introspection_table(f"{server.url}/introspect", 'audience = "us"')
        async with running(gateway(tmp_path, backend.url, auth("introspection"), table)) as one:
            speaks("DEBUG")
            await call(one, "s3cret")
    said = capfd.readouterr().err
    assert f"[DEBUG] introspection {why}" in said
    assert "s3cret" not in said


async def test_why_a_token_of_ours_or_its_client_is_refused_is_said(
    tmp_path: Path, speaks: Speaks, capfd: pytest.CaptureFixture[str]
) -> None:
    tables = auth("tokens"), database(tmp_path)
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url, *tables)) as one:
        speaks("DEBUG")
        await call(one, "s3cret", "s" * 43)
        form = b"grant_type=client_credentials&client_id=mobile-client&client_secret=s3cret"
        kind = b"Content-Type: application/x-www-form-urlencoded"
        await one.ask(request(b"/oauth/token", kind, method=b"POST", body=form))
    said = capfd.readouterr().err
    assert "tokens the token is none of ours by its shape" in said
    assert "tokens the token is not in the store" in said
    assert "token: refused, invalid_client: unknown client or wrong secret; client 'mob" in said
    assert "s3cret" not in said
    assert "s" * 43 not in said


async def test_a_key_of_the_database_is_asked_for_once(
    tmp_path: Path, speaks: Speaks, capfd: pytest.CaptureFixture[str]
) -> None:
    tables = auth("api_keys") + database(tmp_path) + "applications = true\n"
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url, tables)) as one:
        speaks("DEBUG")
        for _ in range(2):
            await one.ask(request(b"/echo/x", b"X-API-Key: s3cret"))
    said = capfd.readouterr().err
    told = re.findall(r"credentials the key is ([a-z ]+) \[urn:uuid:", said)
    assert told == ["asked for", "in the cache"]
    assert "s3cret" not in said


async def test_which_limit_is_exceeded_is_said(
    tmp_path: Path, speaks: Speaks, capfd: pytest.CaptureFixture[str]
) -> None:
    limit = '[[throttle]]\nper = "api"\nrate = "1/day"\n'
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url, limit)) as one:
        speaks("DEBUG")
        for _ in range(2):
            await one.ask(request(b"/echo/open"))
    (line,) = capfd.readouterr().err.splitlines()
    assert "[DEBUG] throttle over the limit: 'api 1/86400/" in line
