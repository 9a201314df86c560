"""The token endpoint over real HTTP, by a client library that is not ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from tests.auth.gateways import OTHER_SECRET, SECRET, auth, database, gateway
from tests.http_client import request
from tests.running import running
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.http_client import Answer
    from tests.running import Running

FORM = b"Content-Type: application/x-www-form-urlencoded"
GRANT = b"grant_type=client_credentials"
MOBILE = b"&client_id=mobile-client&client_secret=" + SECRET.encode()


@contextlib.asynccontextmanager
async def serving(folder: Path, more: str = "") -> AsyncIterator[Running]:
    text = auth("api_keys", "tokens", more=more) + database(folder)
    async with StrictBackend() as backend, running(gateway(folder, backend.url, text)) as one:
        yield one


def client(served: Running, *, method: str = "client_secret_basic", **options: Any) -> Any:
    known = {"client_id": "mobile-client", "client_secret": SECRET} | options
    return AsyncOAuth2Client(
        **known,
        token_endpoint_auth_method=method,
        token_endpoint=f"{base(served)}/oauth/token",
        revocation_endpoint_auth_method=method,
        timeout=10,
    )


def base(served: Running) -> str:
    return f"http://127.0.0.1:{served.where}"


async def post(served: Running, name: bytes, body: bytes, *lines: bytes) -> Answer:
    return await served.ask(request(b"/oauth/" + name, FORM, *lines, method=b"POST", body=body))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_gets_a_token_and_calls_with_it(tmp_path: Path, method: str) -> None:
    async with serving(tmp_path) as served, client(served, method=method) as oauth:
        token = await oauth.fetch_token(grant_type="client_credentials")
        assert (token["token_type"], token["expires_in"]) == ("bearer", 1800)
        assert token["scope"] == "items.list items.read"
        assert len(token["access_token"]) == 43
        answers = [await oauth.get(f"{base(served)}/echo/scoped") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        await served.ended(2)
    assert {(one.application_name, one.end_user_name) for one in served.log.completes()} == {
        ("mobile", "lzelus")
    }
    assert len(served.log.events()) == 4  # the token endpoint leaves no access events


async def test_a_token_has_the_scopes_that_were_asked_for_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, client(served, scope="items.list") as oauth:
        token = await oauth.fetch_token(grant_type="client_credentials")
        assert token["scope"] == "items.list"
        refused = await oauth.get(f"{base(served)}/echo/scoped")
        assert (refused.status_code, refused.json()["code"]) == (403, "900910")
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


async def test_a_client_id_beyond_plain_characters_is_taken_as_rfc_6749_encodes_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as served:
        other = {"client_id": "other+client%3A%25", "client_secret": OTHER_SECRET}
        async with client(served, **other) as oauth:
            token = await oauth.fetch_token(grant_type="client_credentials")
            assert "scope" not in token
            refused = await oauth.get(f"{base(served)}/echo/x")
    assert (refused.status_code, refused.json()["code"]) == (403, "900908")


async def test_a_wrong_secret_is_an_invalid_client(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, client(served, client_secret="wrong") as oauth:
        with pytest.raises(OAuthError) as caught:
            await oauth.fetch_token(grant_type="client_credentials")
    assert caught.value.error == "invalid_client"


async def test_a_revoked_token_opens_nothing_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, client(served) as oauth:
        await oauth.fetch_token(grant_type="client_credentials")
        assert (await oauth.get(f"{base(served)}/echo/x")).status_code == 200
        gone = await oauth.revoke_token(
            f"{base(served)}/oauth/revoke", token_type_hint="access_token"
        )
        assert gone.status_code == 200
        refused = await oauth.get(f"{base(served)}/echo/x")
        assert (refused.status_code, refused.json()["code"]) == (401, "900904")
        again = await oauth.revoke_token(f"{base(served)}/oauth/revoke")
        assert again.status_code == 200
        await served.ended(2)
    assert [one.error_code for one in served.log.errors()] == ["900904"]


async def test_a_client_can_not_revoke_anothers_token(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, client(served) as oauth:
        token = (await oauth.fetch_token(grant_type="client_credentials"))["access_token"]
        body = f"token={token}&client_id=resting-client&client_secret={SECRET}".encode()
        refused = await post(served, b"revoke", body)
        assert (refused.status, json.loads(refused.body)["error"]) == (400, "invalid_grant")
        assert (await oauth.get(f"{base(served)}/echo/x")).status_code == 200


async def test_introspection_tells_of_live_tokens_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, client(served) as oauth:
        token = (await oauth.fetch_token(grant_type="client_credentials"))["access_token"]
        url = f"{base(served)}/oauth/token_info"
        told = (await oauth.introspect_token(url, token=token)).json()
        assert told.pop("exp") - told.pop("iat") == 1800
        assert told == {
            "active": True,
            "client_id": "mobile-client",
            "token_type": "bearer",
            "scope": "items.list items.read",
        }
        await oauth.revoke_token(f"{base(served)}/oauth/revoke", token=token)
        for gone in (token, "x" * 43, "nonsense"):
            assert (await oauth.introspect_token(url, token=gone)).json() == {"active": False}


RIGHT = b"Authorization: Basic " + b64encode(b"mobile-client:" + SECRET.encode())
ODD = [
    (b"token", b"", b"", 401, "invalid_client"),
    (b"token", MOBILE[1:], b"", 400, "invalid_request"),
    (b"token", GRANT, b"", 401, "invalid_client"),
    (b"token", b"grant_type=password" + MOBILE, b"", 400, "unsupported_grant_type"),
    (b"token", b"grant_type=" + MOBILE, b"", 400, "invalid_request"),
    (b"token", GRANT + MOBILE + b"&scope=items.write", b"", 400, "invalid_scope"),
    (b"token", GRANT + MOBILE + b"&scope=items.read+x", b"", 400, "invalid_scope"),
    (b"token", GRANT + MOBILE + b"&scope=a&scope=a", b"", 400, "invalid_request"),
    (b"token", GRANT + b"&" + GRANT + MOBILE, b"", 400, "invalid_request"),
    (b"token", GRANT + b"&x=%ff" + MOBILE, b"", 400, "invalid_request"),
    (b"token", GRANT + b"&x=\xff" + MOBILE, b"", 400, "invalid_request"),
    (b"token", b"&".join([b"x%d=" % n for n in range(200)]), b"", 400, "invalid_request"),
    (b"token", GRANT + MOBILE, b"Authorization: Basic eDp4", 400, "invalid_request"),
    (b"token", GRANT + MOBILE, RIGHT, 400, "invalid_request"),  # twice the same is twice
    (b"token", GRANT + b"&client_id=y", b"Authorization: Basic eDp4", 400, "invalid_request"),
    (b"token", GRANT, b"Authorization: Basic eDp4", 401, "invalid_client"),
    (b"token", GRANT, b"Authorization: Basic !!!", 401, "invalid_client"),
    (b"token", GRANT, b"Authorization: Bearer x", 401, "invalid_client"),
    (b"token", GRANT, b"Authorization: Basic eDp4\r\nAuthorization: x", 400, "invalid_request"),
    (b"token", GRANT + b"&client_id=mobile-client&client_secret=x", b"", 401, "invalid_client"),
    (b"token", GRANT + b"&client_id=nobody&client_secret=x", b"", 401, "invalid_client"),
    (b"token?x=y", GRANT + MOBILE, b"", 400, "invalid_request"),
    (b"revoke", MOBILE[1:], b"", 400, "invalid_request"),
    (b"revoke", b"token=x", b"", 401, "invalid_client"),
    (b"token_info", MOBILE[1:], b"", 400, "invalid_request"),
    (b"token_info", b"token=x", b"", 401, "invalid_client"),
]


@pytest.mark.parametrize(("name", "body", "line", "status", "error"), ODD)
async def test_what_is_wrong_with_a_request_is_told_as_rfc_6749_says(
    tmp_path: Path, name: bytes, body: bytes, line: bytes, status: int, error: str
) -> None:
    async with serving(tmp_path) as served:
        answer = await post(served, name, body, *filter(None, [line]))
    assert (answer.status, json.loads(answer.body)["error"]) == (status, error)
    assert answer.value(b"cache-control") == b"no-store"
    assert answer.value(b"content-type") == b"application/json"
    assert (answer.value(b"www-authenticate") is not None) == (status == 401)
    assert served.log.events() == []


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([b"Content-Type: application/json"], "invalid_request"),
        ([], "invalid_request"),
        ([FORM, FORM], "invalid_request"),
    ],
)
async def test_the_body_must_be_a_form(tmp_path: Path, lines: list[bytes], error: str) -> None:
    async with serving(tmp_path) as served:
        asked = request(b"/oauth/token", *lines, method=b"POST", body=GRANT + MOBILE)
        answer = await served.ask(asked)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, error)


async def test_the_endpoints_take_post_alone_and_forms_of_64_kib(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        wrong = await served.ask(request(b"/oauth/token"))
        assert (wrong.status, wrong.value(b"allow")) == (405, b"POST")
        large = await post(served, b"token", b"x" * 70_000)
        assert large.status == 413
        for answer in (wrong, large):
            assert answer.value(b"cache-control") == b"no-store"
        assert (await served.ask(request(b"/oauth/else"))).status == 404


async def test_the_endpoints_can_be_moved_and_are_not_there_without_tokens(tmp_path: Path) -> None:
    async with serving(tmp_path, 'token_path = "/a/b"') as served:
        body = GRANT + MOBILE
        moved = await served.ask(request(b"/a/b/token", FORM, method=b"POST", body=body))
        assert moved.status == 200
        assert (await post(served, b"token", GRANT + MOBILE)).status == 404
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url)) as served:
        assert (await post(served, b"token", GRANT + MOBILE)).status == 404


async def test_a_client_may_have_so_many_live_tokens(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        asked = [post(served, b"token", GRANT + MOBILE) for _ in range(20)]
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status for answer in answers) == [200] * 15 + [429] * 5
        refused = next(answer for answer in answers if answer.status == 429)
        assert 1700 < int(refused.value(b"retry-after") or 0) <= 1800
        assert json.loads(refused.body)["error"] == "too_many_tokens"
        other = GRANT + f"&client_id=resting-client&client_secret={SECRET}".encode()
        assert (await post(served, b"token", other)).status == 200
        token = json.loads(next(one for one in answers if one.status == 200).body)["access_token"]
        await post(served, b"revoke", MOBILE[1:] + f"&token={token}".encode())
        assert (await post(served, b"token", GRANT + MOBILE)).status == 200


async def test_the_database_holds_the_hash_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, client(served) as oauth:
        token = (await oauth.fetch_token(grant_type="client_credentials"))["access_token"]
        await oauth.get(f"{base(served)}/echo/x")
        await served.ended()
    with contextlib.closing(sqlite3.connect(tmp_path / "tokens.db")) as kept:
        (row,) = kept.execute("SELECT digest, client_id FROM access_tokens")
    assert row[1] == "mobile-client"
    assert row[0].startswith(served.log.complete().token_ref or "nothing")
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in everything
    assert SECRET.encode() not in everything


async def test_an_expired_token_is_told_as_expired(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, client(served) as oauth:
        await oauth.fetch_token(grant_type="client_credentials")
        with contextlib.closing(sqlite3.connect(tmp_path / "tokens.db")) as kept:
            kept.execute("UPDATE access_tokens SET expires_at = ?", (time.time() - 1,))
            kept.commit()
        refused = await oauth.get(f"{base(served)}/echo/x")
    assert (refused.status_code, refused.json()["code"]) == (401, "900903")


async def test_a_store_that_is_down_opens_nothing_and_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where it is back, calls go on; a token that is in the cache goes on all the time."""
    async with serving(tmp_path) as served, client(served) as oauth:
        token = (await oauth.fetch_token(grant_type="client_credentials"))["access_token"]
        assert (await oauth.get(f"{base(served)}/echo/x")).status_code == 200
        with contextlib.closing(sqlite3.connect(tmp_path / "tokens.db")) as kept:
            kept.execute("ALTER TABLE access_tokens RENAME TO elsewhere")
        async with httpx.AsyncClient(base_url=base(served)) as plain:
            headers = {"Authorization": f"Bearer {'x' * 43}"}
            refused = await plain.get("/echo/x", headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (500, "900900")
            assert (await oauth.get(f"{base(served)}/echo/x")).status_code == 200
            down = await post(served, b"token", GRANT + MOBILE)
            assert (down.status, down.value(b"retry-after")) == (503, b"1")
            assert (
                await post(served, b"token_info", MOBILE[1:] + b"&token=" + b"x" * 43)
            ).status == 503
            with contextlib.closing(sqlite3.connect(tmp_path / "tokens.db")) as kept:
                kept.execute("ALTER TABLE elsewhere RENAME TO access_tokens")
            assert (await plain.get("/echo/x", headers=headers)).json()["code"] == "900901"
    told = capfd.readouterr().err.splitlines()
    assert [line for line in told if "token store" in line] == [
        "gatewaylog: the token store: no such table: main.access_tokens",
        "gatewaylog: the token store answers again",
    ]
    assert token not in "".join(told)
