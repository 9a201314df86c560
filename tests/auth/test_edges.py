"""What seldom happens: an endpoint that fails, files that change for the worse, odd keys."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gatewaylog.auth.api_keys import ApiKeys
from gatewaylog.auth.clients import Clients, OAuthError, TokenRequest
from gatewaylog.auth.credentials import Credentials
from gatewaylog.auth.jwks import keys_of
from gatewaylog.exceptions import ConfigurationError
from gatewaylog.gateway.access import Access
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
from tests.auth.gateways import SECRET, auth, database, gateway, introspection_table
from tests.auth.issuers import EC_KEY, RSA_KEY, jwk, kept, key_set
from tests.auth.test_credentials import MOBILE
from tests.auth.test_token_endpoint import GRANT, post
from tests.auth.test_token_endpoint import MOBILE as CLIENT
from tests.gateway.configured import read
from tests.http_client import request
from tests.running import running, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_endpoint_that_fails_answers_500_and_tells_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gatewaylog.auth.tokens.Tokens.issue", None)
    text = gateway(tmp_path, "http://127.0.0.1:1", auth("tokens"), database(tmp_path))
    async with running(text) as served:
        assert (await post(served, b"token", GRANT + CLIENT)).status == 500
    told = capfd.readouterr().err
    assert "TypeError" in told
    assert SECRET not in told


async def test_a_client_that_leaves_in_its_form_gets_no_token(tmp_path: Path) -> None:
    text = gateway(tmp_path, "http://127.0.0.1:1", auth("tokens"), database(tmp_path))
    async with running(text) as served:
        async with served.client() as client:
            form = b"Content-Type: application/x-www-form-urlencoded"
            asked = request(b"/oauth/token", form, b"Content-Length: 500", method=b"POST")
            await client.send(asked)
            await until(lambda: served.tasks)
        await until(lambda: not served.tasks)
    assert not (tmp_path / "tokens.db").exists()
    assert served.log.events() == []


@pytest.mark.parametrize(
    "lines",
    [
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Host: another.example"],
    ],
)
async def test_a_request_that_can_be_read_in_two_ways_gets_no_token(
    tmp_path: Path, lines: list[bytes]
) -> None:
    text = gateway(tmp_path, "http://127.0.0.1:1", auth("tokens"), database(tmp_path))
    async with running(text) as served:
        asked = request(b"/oauth/token", *lines, method=b"POST")
        assert (await served.ask(asked)).status == 400


async def test_the_target_s_absolute_form_leads_to_the_endpoint_too(tmp_path: Path) -> None:
    text = gateway(tmp_path, "http://127.0.0.1:1", auth("tokens"), database(tmp_path))
    async with running(text) as served:
        asked = request(b"http://gw.example/oauth/token", method=b"GET")
        assert (await served.ask(asked)).status == 405


async def test_files_that_are_gone_at_a_reload_leave_all_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("asking")
    table = introspection_table("http://127.0.0.1:1").replace(
        'client_secret = "asking"', f'client_secret_file = "{secret}"'
    )
    async with StrictBackend() as backend, running(gateway(tmp_path, backend.url)) as served:
        served.text = gateway(tmp_path, backend.url, auth("introspection"), table)
        load = served.server._load
        config = load()
        secret.unlink()
        served.server._load = lambda: config
        served.server._reload()
        answer = await served.ask(request(b"/echo/x", b"X-API-Key: x"))
        assert answer.status == 401
    told = capfd.readouterr().err
    assert "auth.introspection.client_secret_file: must be a file that can be read" in told
    assert "the configuration stays as it was" in told


async def test_a_redis_url_that_is_none_is_refused() -> None:
    access = Access(HttptoolsEngine())
    table = '[[throttle]]\nper = "api"\nrate = "1/day"\nstore = "redis://:s3cret@h:port"\n'
    with pytest.raises(ConfigurationError, match="throttle") as caught:
        access.throttle(read(table))
    assert "s3cret" not in str(caught.value)
    await access.aclose()


def test_api_keys_alone_are_checked_without_a_detour() -> None:
    assert isinstance(Access(HttptoolsEngine()).checker(read("")), ApiKeys)
    table = auth("api_keys", "introspection") + introspection_table("http://h/i")
    assert isinstance(Access(HttptoolsEngine()).checker(read(table)), Credentials)


def test_two_keys_that_fit_are_none() -> None:
    """A token without a kid could be meant for either; so with two keys of one kid."""
    keys = keys_of(key_set(jwk(EC_KEY, kid="a"), jwk(EC_KEY, kid="b"), jwk(EC_KEY, kid="b")))
    assert len(keys) == 3
    assert keys.find(None, "ES256") is None
    assert keys.find("b", "ES256") is None
    assert keys.find("a", "ES256") is not None


def test_a_short_rsa_key_is_passed_over() -> None:
    short = {"kty": "RSA", "n": "x" * 170 + "w", "e": "AQAB", "kid": "short"}
    keys = keys_of(key_set(short, jwk(RSA_KEY, kid="r")))
    assert keys.find("short", "RS256") is None
    assert len(keys) == 1


@pytest.mark.parametrize("client_id", ["mobile-client", "nobody"])
async def test_client_secrets_are_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch, client_id: str
) -> None:
    """Also where there is no such client."""
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), other))
        return True

    monkeypatch.setattr("hmac.compare_digest", compare)
    clients = Clients([replace(MOBILE, client_secret=kept("y"))])
    form = {"client_id": client_id, "client_secret": "x"}
    request_ = TokenRequest(method="POST", headers=[], body=b"")
    if client_id == "nobody":
        with pytest.raises(OAuthError):
            await clients.authenticated(request_, form)
    else:
        assert (await clients.authenticated(request_, form)).name == "mobile"
    assert compared == [(32, hashlib.sha256(b"x").digest())]


async def test_a_client_without_a_secret_gets_no_token() -> None:
    clients = Clients([MOBILE])
    for secret in ("x", "sha256:"):
        with pytest.raises(OAuthError, match="unknown client"):
            await clients.authenticated(
                TokenRequest(method="POST", headers=[], body=b""),
                {"client_id": "mobile-client", "client_secret": secret},
            )
