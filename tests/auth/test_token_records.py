"""The event log tells what happened to tokens, and holds none."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tests.auth.gateways import SECRET, auth, database, gateway
from tests.auth.test_token_endpoint import GRANT, MOBILE, post
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
        ("TOKEN_REVOKED", "mobile-client", "127.0.0.1"),
    ]
    assert [one["detail"] for one in records[1:4]] == [
        "reason=too_many_tokens",
        "reason=invalid_client",
        "reason=invalid_client",
    ]
    assert records[0]["detail"] == records[4]["detail"]
    assert records[0]["detail"].startswith("token_ref=")
    raw = events.read_bytes()
    for secret in (token, SECRET, "my-password", hashlib.sha256(token.encode()).hexdigest()[:32]):
        assert secret.encode() not in raw
