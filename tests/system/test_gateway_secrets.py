"""Secrets that pass the gateway are nowhere to be found: not in the log's bytes, on standard
error, in an error's answer.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from gatewaylog.redaction import SECRET_PARAMETERS
from tests.http_client import request
from tests.running import api, launched, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http_client import Answer
    from tests.strict_backend import Received

pytestmark = pytest.mark.system
CANARY = "c4n4ry"
KEY = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"


def canary(number: int) -> str:
    return f"{CANARY}{number:04d}"


def everywhere(text: str) -> list[bytes]:
    """The text as it is, and in the usual encodings."""
    plain = text.encode()
    return [plain, base64.b64encode(plain), quote(plain).encode(), plain.hex().encode()]


def spellings(name: str) -> list[str]:
    """The ways in which a parameter's name can be written for the same backend."""
    encoded = "".join(f"%{ord(letter):02x}" for letter in name)
    return [
        name,
        name.upper(),
        name.title(),
        encoded,
        encoded.upper(),
        encoded.replace("%", "%25"),
        name[0] + f"%{ord(name[1]):02X}" + name[2:],
        f"{name}[]",
    ]


def targets() -> list[str]:
    """A request for every name in every spelling; each is behind another parameter too."""
    names = [spelling for name in SECRET_PARAMETERS for spelling in spellings(name)]
    found = []
    for number, name in enumerate(names):
        place = ["?{0}={1}", "?a=b&{0}={1}&c=d", "?a;{0}={1}", "??{0}={1}"][number % 4]
        found.append("/echo" + place.format(name, canary(number)))
    return found


LINES = [
    "Authorization: Bearer {0}",
    "Authorization: Basic {1}",
    "Authorization: Digest response={0}",
    "X-API-Key: {0}",
    "ApiKey: {0}",
    "Cookie: session={0}",
    "Proxy-Authorization: Basic {1}",
    "Referer: https://a.example/?access_token={0}",
    "X-Auth-Token: {0}",
]


def credentials() -> list[tuple[list[str], bytes]]:
    """Header lines, each with the secrets that it holds."""
    found = []
    for number, line in enumerate(LINES):
        secret = f"{CANARY}line{number}"
        basic = base64.b64encode(f"user:{secret}".encode()).decode()
        found.append(([secret, basic], line.format(secret, basic).encode()))
    return found


async def test_no_secret_is_found_anywhere(tmp_path: Path) -> None:
    """Against backends that answer, that are down, that talk nonsense; open and with a key."""

    def nonsense(received: Received) -> bytes:
        return b"HTTP/1.1 nonsense " + received.target + b"\r\n\r\n"

    answers: list[Answer] = []
    secrets = [canary(number) for number in range(len(targets()))]
    async with StrictBackend() as fine, StrictBackend(nonsense) as odd:
        apis = [
            api(fine.url),
            api("http://127.0.0.1:1", name="Down", context="/down"),
            api(odd.url, name="Odd", context="/odd"),
            api(fine.url, name="Keyed", context="/keyed", auth="required"),
        ]
        log = 'request_headers = ["Referer"]'
        async with launched(tmp_path, toml(tmp_path, *apis, log=log)) as gateway:
            async with gateway.client() as client:
                for target in targets():
                    for context in ("/echo", "/down", "/nowhere"):
                        changed = target.replace("/echo", context, 1).encode()
                        answers.append(await client.ask(request(changed)))
                for held, line in credentials():
                    secrets += held
                    for place in (b"/echo", b"/down", b"/odd", b"/keyed", b"/nowhere"):
                        answers += [await client.ask(request(place, line))]
            for broken in broken_requests():
                secrets.append(f"{CANARY}broken")
                answers.append(await gateway.ask(broken))
            await until(lambda: len(gateway.log.terminals()) == len(answers))
            assert await gateway.stop() == 0
    refused = [answer for answer in answers if answer.status >= 400]
    assert len(refused) > len(answers) / 2
    places = {
        "the log": gateway.log.raw(),
        "standard error": "\n".join(gateway.said).encode(),
        "an error's answer": b"".join(answer.body for answer in refused),
        "an error's headers": repr([answer.headers for answer in refused]).encode(),
    }
    for name, content in places.items():
        assert CANARY.encode() not in content.lower(), f"a secret in {name}"
        for secret in secrets:
            assert not any(form in content for form in everywhere(secret)), f"{secret} in {name}"


def broken_requests() -> list[bytes]:
    """Requests that the gateway can't read, with secrets in them."""
    secret = f"{CANARY}broken".encode()
    line = b"Authorization: Bearer " + secret
    return [
        request(b"/echo?token=%b\x01" % secret),
        request(b"/echo?password=%b" % secret, b"X\x00: y"),
        request(b"/echo", line, b"X\x00: y"),
        line + b" HTTP/1.1\r\n\r\n",
        b"Cookie: a=%b\r\n\r\n" % secret,
        request(b"http://user:%b@gw.example/echo" % secret),
    ]


async def test_the_log_knows_a_good_key_by_its_hash_alone(tmp_path: Path) -> None:
    application = f"""
[[application]]
name = "app"
owner = "ann"
subscriptions = ["*"]
keys = ["sha256:{KEY}"]
"""
    async with StrictBackend() as backend:
        text = toml(tmp_path, application, api(backend.url, auth="required"))
        async with launched(tmp_path, text) as gateway:
            answer = await gateway.ask(request(b"/echo", b"X-API-Key: foo"))
            await until(lambda: gateway.log.completes())
            assert await gateway.stop() == 0
    assert answer.status == 200
    assert gateway.log.complete().token_ref == KEY[:32]
    assert b"foo" not in gateway.log.raw()
