"""The event log tells what happened to tokens, and holds none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from typing import TYPE_CHECKING

from gatewaylog.audit.events.line import parse_line
from tests.auth.gateways import SECRET, auth, database, gateway
from tests.auth.test_token_endpoint import GRANT, MOBILE, post
from tests.http_client import request
from tests.running import running
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path


async def test_issued_refused_and_revoked_tokens_are_recorded(tmp_path: Path) -> None:
    """With the client and its address, and the TokenRef that the access log has too."""
    events = tmp_path / "event.log"
    tables = (
        auth("tokens", more="token_limit = 1"),
        database(tmp_path),
        f'[event_log]\npath = "{events}"\nformat = "json"\n',
    )
    async with StrictBackend() as backend:
        text = gateway(tmp_path, backend.url, *tables, log='pseudonym_key = "k"')
        async with running(text) as served:
            issued = await post(served, b"token", GRANT + MOBILE)
            token = json.loads(issued.body)["access_token"]
            await post(served, b"token", GRANT + MOBILE)
            await post(served, b"token", GRANT + b"&client_id=my-password&client_secret=x")
            await post(served, b"token", GRANT + b"&client_id=mobile-client&client_secret=x")
            await post(served, b"token_info", MOBILE[1:] + b"&token=" + token.encode())
            guess = b"client_id=mobile-client&client_secret=guess&token=" + token.encode()
            await post(served, b"token_info", guess)
            await post(served, b"revoke", MOBILE[1:] + b"&token=" + token.encode())
            await post(served, b"revoke", MOBILE[1:] + b"&token=" + token.encode())
            assert served.log.events() == []
    records = [json.loads(line) for line in events.read_text().splitlines()]
    told = [(one["event"], one["requestor"], one["ip"]) for one in records]
    assert told == [
        ("TOKEN_ISSUED", "mobile-client", "127.0.0.1"),
        ("TOKEN_REFUSED", "mobile-client", "127.0.0.1"),
        ("TOKEN_REFUSED", None, "127.0.0.1"),
        ("TOKEN_REFUSED", "mobile-client", "127.0.0.1"),
        ("TOKEN_REFUSED", "mobile-client", "127.0.0.1"),
        ("TOKEN_REVOKED", "mobile-client", "127.0.0.1"),
    ]
    assert [one["detail"] for one in records[1:5]] == [
        "reason=too_many_tokens",
        *["reason=invalid_client"] * 3,
    ]
    assert records[0]["detail"] == records[5]["detail"]
    assert records[0]["detail"].startswith("token_ref=")
    raw = events.read_bytes()
    for secret in (token, SECRET, "my-password", hashlib.sha256(token.encode()).hexdigest()[:32]):
        assert secret.encode() not in raw


async def test_addresses_are_pseudonyms_where_they_are_in_the_access_log(tmp_path: Path) -> None:
    """The same as there: beside a TokenRef a plain address would tell whose it is."""
    events = tmp_path / "event.log"
    tables = (auth("tokens"), database(tmp_path), f'[event_log]\npath = "{events}"\n')
    async with StrictBackend() as backend:
        log = 'pseudonym_key = "k"\npseudonyms = ["RemoteIP"]'
        async with running(gateway(tmp_path, backend.url, *tables, log=log)) as served:
            issued = await post(served, b"token", GRANT + MOBILE)
            token = json.loads(issued.body)["access_token"]
            line = b"Authorization: Bearer " + token.encode()
            assert (await served.ask(request(b"/echo/x", line))).status == 200
            await served.ended()
            address = served.log.complete().remote_ip
    raw = events.read_text()
    assert address != "127.0.0.1"
    assert "127.0.0.1" not in raw
    assert [event.ip for event in map(parse_line, raw.encode().splitlines())][:1] == [address]


async def test_a_token_that_has_expired_is_not_recorded_as_revoked(tmp_path: Path) -> None:
    """Its end was before; so is an expired one told of as expired, not as revoked."""
    events = tmp_path / "event.log"
    tables = (auth("tokens"), database(tmp_path), f'[event_log]\npath = "{events}"\n')
    async with (
        StrictBackend() as backend,
        running(gateway(tmp_path, backend.url, *tables)) as served,
    ):
        issued = await post(served, b"token", GRANT + MOBILE)
        token = json.loads(issued.body)["access_token"].encode()
        with contextlib.closing(sqlite3.connect(tmp_path / "tokens.db")) as kept:
            kept.execute("UPDATE access_tokens SET expires_at = ?", (time.time() - 1,))
            kept.commit()
        assert (await post(served, b"revoke", MOBILE[1:] + b"&token=" + token)).status == 200
        refused = await served.ask(request(b"/echo/x", b"Authorization: Bearer " + token))
        assert json.loads(refused.body)["code"] == "900903"
    told = [parse_line(line).event for line in events.read_bytes().splitlines()]
    assert "TOKEN_REVOKED" not in told
