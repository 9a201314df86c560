"""A gateway whose `[[ship]]` is a database: who used which token, and what became of each."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from tests.auth.gateways import KEY, SECRET, auth, gateway
from tests.http_client import request
from tests.postgresql import cluster
from tests.running import launched, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Process

pytestmark = pytest.mark.system
FORM = b"Content-Type: application/x-www-form-urlencoded"
CLIENT = f"client_id=mobile-client&client_secret={SECRET}"
KEY_NAME = f"key:{hashlib.sha256(KEY.encode()).hexdigest()[:8]}"


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """For who delivers, for the gateway's tokens, for who looks."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
        install(url)
        yield url, url, url
        return
    with cluster() as server:
        owner = server.url()
        install(owner)
        for user, role in (("ship", "gatewaylog_writer"), ("gate", "gatewaylog_gateway")):
            run(owner, f"CREATE ROLE {user} LOGIN IN ROLE {role}")
        yield server.url(user="ship"), server.url(user="gate"), owner


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = engine_at(url)
    try:
        with engine.begin() as connection:
            found = connection.execute(sa.text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []
    finally:
        engine.dispose()


def tables(folder: Path, ship: str, tokens: str, key: str) -> list[str]:
    return [
        auth("api_keys", "tokens"),
        f'[database]\nurl = "{tokens}"\n',
        f'[event_log]\npath = "{folder}/event.log"\n',
        f'[[ship]]\nto = "database"\nurl = "{ship}"\nstate = "{folder}/ship"\ntimeout = 2.0\n',
        f'[log]\npath = "{folder}/api.log"\npseudonym_key = "{key}"\n' if key else "",
    ]


async def token_of(served: Process) -> str:
    form = f"grant_type=client_credentials&{CLIENT}".encode()
    answer = await served.ask(request(b"/oauth/token", FORM, method=b"POST", body=form))
    return str(json.loads(answer.body)["access_token"])


async def call(served: Process, *headers: bytes) -> None:
    await served.ask(request(b"/echo/x", *headers))


def bearer(token: str) -> bytes:
    return b"Authorization: Bearer " + token.encode()


@pytest.mark.parametrize("key", ["", "a-pseudonym-key"])
async def test_each_call_is_a_row_that_tells_whose_credential_it_was(
    tmp_path: Path, urls: tuple[str, str, str], key: str
) -> None:
    ship, tokens, owner = urls
    schema = "" if owner.startswith("sqlite") else "gatewaylog."
    use = f"{schema}client_access_token_logs"
    *others, log = tables(tmp_path, ship, tokens, key)
    async with StrictBackend() as backend:
        text = gateway(tmp_path, backend.url, *others)
        if key:
            text = text.replace(f'[log]\npath = "{tmp_path}/api.log"\n', log)
        async with launched(tmp_path, text) as served:
            token = await token_of(served)
            for _ in range(3):
                await call(served, bearer(token))
            await call(served, b"ApiKey: " + KEY.encode())
            await call(served, b"ApiKey: stolen")
            await call(served)
            await until(lambda: len(run(owner, f"SELECT 1 FROM {use}")) == 5)
            form = f"token={token}&{CLIENT}".encode()
            await served.ask(request(b"/oauth/revoke", FORM, method=b"POST", body=form))
            assert await served.stop() == 0
    found = run(
        owner,
        "SELECT api_client_key, application_name, status_code, count(*)"
        f" FROM {use} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3",
    )
    assert found == [
        ("mobile-client", "mobile", 200, 3),
        (KEY_NAME, "mobile", 200, 1),
        (None, None, 401, 1),
    ]
    life = run(
        owner,
        "SELECT kind, client_id, expires_at IS NOT NULL AND token_ref IN"
        f" (SELECT token_ref FROM {use}) FROM {schema}token_events ORDER BY at, kind",
    )
    assert [(kind, client, bool(is_known)) for kind, client, is_known in life] == [
        ("issued", "mobile-client", True),
        ("revoked", "mobile-client", True),
    ]
    events = [row[0] for row in run(owner, f"SELECT event FROM {schema}event_log ORDER BY id")]
    assert events[-1] == "GATEWAY_STOPPED"
    assert token not in str(run(owner, f"SELECT * FROM {use}"))


async def test_calls_go_on_while_nobody_can_write_and_no_row_is_missing(
    tmp_path: Path, urls: tuple[str, str, str]
) -> None:
    ship, tokens, owner = urls
    is_sqlite = owner.startswith("sqlite")
    use = "client_access_token_logs" if is_sqlite else "gatewaylog.client_access_token_logs"
    lock = "SELECT 1" if is_sqlite else f"LOCK TABLE {use}"
    engine = engine_at(owner)
    async with StrictBackend() as backend:
        kept = f"sqlite:///{tmp_path}/tokens.db" if is_sqlite else tokens
        text = gateway(tmp_path, backend.url, *tables(tmp_path, ship, kept, "")[:-1])
        async with launched(tmp_path, text) as served:
            with engine.begin() as connection:  # SQLite's writes from its begin
                connection.execute(sa.text(lock))
                for _ in range(30):
                    await call(served, b"ApiKey: " + KEY.encode())
                await served.says("trying again, nothing is lost")
                connection.rollback()
            await until(lambda: len(run(owner, f"SELECT 1 FROM {use}")) == 30, 60.0)
            assert await served.stop() == 0
    engine.dispose()
