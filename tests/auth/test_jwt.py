"""JWTs over real HTTP: what opens, what never does, and servers of keys that are no help."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

import pytest

from gatewaylog.auth.jwks import Keys, keys_of
from gatewaylog.exceptions import AuthServerError
from tests.auth.gateways import KEY, auth, gateway, jwt_table
from tests.auth.issuers import (
    EC_KEY,
    ED_KEY,
    KEY_SET,
    OTHER_RSA_KEY,
    RSA_KEY,
    KeyServer,
    b64,
    claims,
    http,
    jwk,
    jwt,
    key_set,
    pem,
)
from tests.http_client import request
from tests.running import running
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.http_client import Answer
    from tests.running import Running
    from tests.strict_backend import Received

NOW = int(time.time())


@contextlib.asynccontextmanager
async def serving(folder: Path, jwks: str = "", *, timeout: float = 10.0) -> AsyncIterator[Running]:
    """A gateway that takes JWTs by the keys of a file, or of a server."""
    if not jwks:
        jwks = str(folder / "keys.json")
        (folder / "keys.json").write_bytes(KEY_SET)
    tables = auth("api_keys", "jwt") + jwt_table(jwks, timeout=timeout)
    async with StrictBackend() as backend, running(gateway(folder, backend.url, tables)) as one:
        yield one


async def call(served: Running, token: str, path: bytes = b"/echo/x") -> tuple[int, str]:
    """Status and code of a call with this token."""
    answer = await served.ask(request(path, b"Authorization: Bearer " + token.encode()))
    return told(answer)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, "" if answer.status == 200 else json.loads(answer.body)["code"]


GOOD = {
    "RS256": jwt(),
    "ES256": jwt(None, EC_KEY, alg="ES256", kid="e"),
    "EdDSA": jwt(None, ED_KEY, alg="EdDSA", kid="d"),
    "only one key fits": jwt(None, EC_KEY, alg="ES256", kid=None),
    "several audiences": jwt(claims(aud=["x", "https://gw.example"])),
    "client in azp": jwt(claims(client_id=None, azp="mobile-client")),
    "odd types where they do not matter": jwt(claims(nbf=0.5, scope=7, scp=["items.read", 5])),
    "an unknown header": jwt(x5t="abc", extra={"a": 1}),
    "a far end": jwt(claims(exp=10**300)),
    "an end with a fraction": jwt(claims(exp=4e9 + 0.5)),
}


async def test_a_token_is_good_within_the_leeway_on_both_sides(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        now = int(time.time())
        assert await call(served, jwt(claims(exp=now - 5))) == (200, "")
        assert await call(served, jwt(claims(nbf=now + 20))) == (200, "")


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_token_opens(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as served:
        assert await call(served, GOOD[name]) == (200, "")
        assert await call(served, GOOD[name]) == (200, "")
        await served.ended(2)
    assert {(one.application_name, one.end_user_name) for one in served.log.completes()} == {
        ("mobile", "amy")
    }


def unsigned(**header: object) -> str:
    return jwt(None, None, **header)


def changed(token: str, part: int, text: str) -> str:
    parts = token.split(".")
    parts[part] = text
    return ".".join(parts)


def with_end(text: str) -> bytes:
    """Claims whose JSON ends in this text as `exp`."""
    return json.dumps(claims(exp=None)).encode()[:-1] + f', "exp": {text}}}'.encode()


INVALID = {
    "alg none": unsigned(alg="none"),
    "alg None": unsigned(alg="None", kid=None),
    "alg none, with a signature": changed(jwt(), 0, b64(b'{"alg":"none"}')),
    "no alg": unsigned(alg=None),
    "HMAC with the public key": jwt(None, pem(RSA_KEY), alg="HS256"),
    "HMAC with the public key's own JSON": jwt(
        None, json.dumps(jwk(RSA_KEY, kid="r")).encode(), alg="HS256"
    ),
    "HMAC said to be RS256": jwt(None, pem(RSA_KEY)),
    "another algorithm of the key": jwt(None, RSA_KEY, alg="RS512"),
    "PS256": jwt(None, RSA_KEY, alg="PS256"),
    "EC algorithm, RSA key": jwt(None, RSA_KEY, alg="ES256"),
    "EC signature, RSA header": jwt(None, EC_KEY),
    "another key, same kid": jwt(None, OTHER_RSA_KEY),
    "kid of another kind of key": jwt(None, RSA_KEY, kid="e"),
    "kid that is no text": jwt(None, RSA_KEY, kid=["r"]),
    "key in its own header": jwt(None, OTHER_RSA_KEY, jwk=jwk(OTHER_RSA_KEY), kid=None),
    "a critical header that nobody knows": jwt(crit=["b64"], b64=False),
    "an empty signature": changed(jwt(), 2, ""),
    "no base64": changed(jwt(), 2, "a"),
    "another payload": changed(jwt(), 1, b64(json.dumps(claims(sub="eve")).encode())),
    "no object": jwt(b"[1]"),
    "no JSON": jwt(b"{"),
    "an end that never comes": jwt(with_end("Infinity")),
    "an end beyond numbers": jwt(with_end("1e999")),
    "a number beyond numbers elsewhere": jwt(with_end('4e9, "x": -1e999')),
    "two ends": jwt(with_end('4e9, "exp": 5e9')),
    "a name twice, further in": jwt(with_end('4e9, "x": [{"y": 1, "y": 1}]')),
    "no UTF-8": jwt(b'{"iss": "\xff"}'),
    "deep JSON": jwt(b"[" * 3000),
    "header no JSON": changed(jwt(), 0, b64(b"{")),
    "header a list": changed(jwt(), 0, b64(b"[]")),
    "header too long": jwt(None, RSA_KEY, x="y" * 5000),
    "two parts": ".".join(jwt().split(".")[:2]),
    "five parts": jwt() + ".x.y",
    "oversized": jwt(claims(more="x" * 9000)),
    "odd characters": jwt() + '"',
    "another issuer": jwt(claims(iss="https://evil.example")),
    "no issuer": jwt(claims(iss=None)),
    "an issuer that is no text": jwt(claims(iss=["https://issuer.example"])),
    "another audience": jwt(claims(aud="https://other.example")),
    "no audience": jwt(claims(aud=None)),
    "an audience that is no text": jwt(claims(aud={"https://gw.example": 1})),
    "not yet valid": jwt(claims(nbf=NOW + 86_400)),
    "no end": jwt(claims(exp=None)),
    "an end that is no number": jwt(claims(exp=str(NOW + 60))),
    "an end that is true": jwt(claims(exp=True)),
    "an end that is NaN": jwt(json.dumps(claims(exp=float("nan"))).encode()),
    "nbf that is no number": jwt(claims(nbf="now")),
    "unknown kid": jwt(None, RSA_KEY, kid="unknown"),
    "nothing": "..",
}


@pytest.mark.parametrize("name", INVALID)
async def test_no_other_token_opens(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as served:
        for _ in range(2):
            assert await call(served, INVALID[name]) == (401, "900901")
        await served.ended(2)
    assert {(one.error_source, one.error_code) for one in served.log.errors()} == {
        ("_auth_failure_handler_", "900901")
    }
    assert {one.application_name for one in served.log.errors()} == {None}


async def test_rights_are_those_of_the_application_and_of_the_token(tmp_path: Path) -> None:
    cases = [
        (jwt(claims(exp=NOW - 60)), b"/echo/x", (401, "900903")),
        (jwt(), b"/echo/scoped", (200, "")),
        (jwt(claims(scope="other", scp="items.write")), b"/echo/scoped", (200, "")),
        (jwt(), b"/echo/writing", (403, "900910")),
        (jwt(claims(client_id="nobody")), b"/echo/x", (403, "900908")),
        (jwt(claims(client_id=None)), b"/echo/x", (403, "900908")),
        (jwt(claims(client_id="other client:%")), b"/echo/x", (403, "900908")),
        (jwt(claims(client_id="resting-client")), b"/echo/x", (401, "900909")),
    ]
    async with serving(tmp_path) as served:
        for token, path, expected in cases:
            assert await call(served, token, path) == expected
        known = await served.ask(request(b"/echo/x", b"X-API-Key: " + KEY.encode()))
        assert known.status == 200


async def test_one_key_serves_all_calls_until_an_unknown_one_comes(tmp_path: Path) -> None:
    """Then the server is asked once a minute at most, and others do not wait for it."""
    server = KeyServer(key_set(jwk(RSA_KEY, kid="r")))
    async with StrictBackend(server) as keys, serving(tmp_path, f"{keys.url}/jwks?x=y") as served:
        answers = await asyncio.gather(
            *(call(served, jwt(claims(jti=number))) for number in range(10))
        )
        assert set(answers) == {(200, "")}
        assert server.asked == 1
        assert keys.requests[0].target == b"/jwks?x=y"
        server.answer = http(KEY_SET)
        assert await call(served, jwt(None, EC_KEY, alg="ES256", kid="e")) == (200, "")
        assert server.asked == 2
        for kid in ("x", "y"):
            assert await call(served, jwt(None, RSA_KEY, kid=kid)) == (401, "900901")
        assert server.asked == 2


async def test_calls_with_known_keys_do_not_wait_for_a_slow_server(tmp_path: Path) -> None:
    release = asyncio.Event()
    asked: list[bool] = []

    async def slow(_: Received) -> bytes:
        asked.append(True)
        if len(asked) > 1:
            await release.wait()
        return http(KEY_SET)

    async with StrictBackend(slow) as keys, serving(tmp_path, keys.url) as served:
        assert await call(served, jwt()) == (200, "")
        waiting = asyncio.create_task(call(served, jwt(None, RSA_KEY, kid="x")))
        for number in range(20):
            assert await call(served, jwt(claims(jti=number))) == (200, "")
        assert not waiting.done()
        release.set()
        assert await waiting == (401, "900901")


LIES = {
    "an error": http(b"", b"500 Internal Server Error"),
    "another page": http(KEY_SET, b"302 Found"),
    "HTML": http(b"<html>"),
    "a list": http(b"[]"),
    "no keys": http(key_set()),
    "keys that are none": http(
        json.dumps({"keys": [1, None, {"kty": []}, {"kty": "RSA"}]}).encode()
    ),
    "a symmetric key": http(key_set({"kty": "oct", "k": b64(b"secret" * 8), "kid": "r"})),
    "keys for encryption": http(key_set(jwk(RSA_KEY, kid="r", use="enc"))),
    "too many keys": http(key_set(*[jwk(RSA_KEY, kid=str(n)) for n in range(101)])),
    "too much": http(b" " * 600_000 + KEY_SET),
    "no HTTP": b"nonsense\r\n\r\n",
}


@pytest.mark.parametrize("name", LIES)
async def test_a_lying_server_of_keys_opens_nothing(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    server = KeyServer()
    server.answer = LIES[name]
    async with StrictBackend(server) as keys, serving(tmp_path, keys.url) as served:
        for _ in range(3):
            assert await call(served, jwt()) == (500, "900900")
        assert server.asked == 1  # one that fails is left alone for a moment
        assert await call(served, jwt(None, b"secret" * 8, alg="HS256")) == (401, "900901")
    assert capfd.readouterr().err.count("auth.jwt.jwks: ") == 1


async def test_a_server_of_keys_that_is_down_or_slow_opens_nothing(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def slow(_: Received) -> bytes:
        await release.wait()
        return http(KEY_SET)

    async with serving(tmp_path, "http://127.0.0.1:1/jwks") as served:
        assert await call(served, jwt()) == (500, "900900")
        await served.ended()
        error = served.log.error()
        assert (error.error_source, error.status_code) == ("_auth_failure_handler_", 500)
    async with StrictBackend(slow) as keys, serving(tmp_path, keys.url, timeout=0.2) as served:
        answers = await asyncio.gather(*(call(served, jwt(claims(jti=n))) for n in range(5)))
        assert set(answers) == {(500, "900900")}
        release.set()


async def test_keys_are_fetched_anew_while_the_old_ones_serve() -> None:
    now = 0.0
    documents = [KEY_SET]
    asked: list[float] = []

    async def fetch() -> bytes:
        asked.append(now)
        if not documents:
            raise AuthServerError("down")
        return documents[-1]

    async def has(kid: str) -> bool:
        found = await keys.find(kid, "RS256")
        for _ in range(10):
            await asyncio.sleep(0)  # so that what runs aside ends
        return found is not None

    keys = Keys(fetch, cache=600, monotonic=lambda: now)
    assert await has("r")
    now = 299.0
    assert await has("r")
    assert asked == [0.0]
    documents.append(key_set(jwk(OTHER_RSA_KEY, kid="new")))
    now = 301.0
    assert await has("r")
    assert asked == [0.0, 301.0]
    assert not await has("r")  # taken away; which was worth a look
    assert asked == [0.0, 301.0, 301.0]
    documents.clear()
    now = 700.0
    assert await has("new")
    assert asked[3:] == [700.0]
    assert await has("new")
    assert asked[3:] == [700.0]  # it failed a moment ago
    now = 902.0
    with pytest.raises(AuthServerError):
        await has("new")
    await keys.aclose()


async def test_a_file_of_keys_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await call(served, jwt()) == (200, "")
        (tmp_path / "keys.json").write_bytes(key_set(jwk(OTHER_RSA_KEY, kid="new")))
        assert await call(served, jwt(None, OTHER_RSA_KEY, kid="new")) == (200, "")
        (tmp_path / "keys.json").unlink()
        assert await call(served, jwt(None, RSA_KEY, kid="newer")) == (401, "900901")


@pytest.mark.parametrize(
    "document",
    [b"", b"\xff", b"{}", b'{"keys": 1}', b"[" * 100_000, key_set(jwk(RSA_KEY, key_ops=["sign"]))],
)
def test_a_document_without_keys_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"\Amust "):
        keys_of(document)


def test_a_private_key_in_the_document_is_read_as_its_public_half() -> None:
    private = RSA_KEY.private_numbers()
    entry = jwk(RSA_KEY, kid="r") | {"d": b64(private.d.to_bytes(256))}
    found = keys_of(key_set(entry)).find("r", "RS256")
    assert found is None or not found.is_private
