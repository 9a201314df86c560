"""Who may ask the page anything."""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import PlainTextResponse

from gatewaylog.dashboard.guard import HEADERS, Guard, is_local

TOKEN = "the-token"


async def asked(
    host: str,
    path: str = "/",
    *,
    listen: str = "127.0.0.1",
    token: str | None = None,
    cookie: str = "",
    **fetch: str,
) -> httpx.Response:
    guard = Guard(PlainTextResponse("page"), host=listen, token=token)
    transport = httpx.ASGITransport(app=guard)
    headers = {"Host": host} | ({"Cookie": cookie} if cookie else {})
    headers |= {f"Sec-Fetch-{name.title()}": value for name, value in fetch.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost", "LOCALHOST.:1", "[::1]:8090"])
async def test_names_of_this_machine_are_answered_with_every_header(host: str) -> None:
    answer = await asked(host)
    assert (answer.status_code, answer.text) == (200, "page")
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.1"])
async def test_other_names_are_refused_as_dns_rebinding_sends_them(host: str) -> None:
    answer = await asked(host)
    assert answer.status_code == 421
    assert answer.headers["X-Frame-Options"] == "DENY"


async def test_a_page_that_others_reach_takes_addresses_and_wants_the_token() -> None:
    def ask(path: str, cookie: str = ""):  # type: ignore[no-untyped-def]
        return asked("192.0.2.1:80", path, listen="0.0.0.0", token=TOKEN, cookie=cookie)

    assert (await ask("/")).status_code == 403
    assert (await ask("/?token=other")).status_code == 403
    opened = await ask(f"/?token={TOKEN}")
    assert opened.status_code == 200
    assert opened.headers["Set-Cookie"] == f"gatewaylog={TOKEN}; Path=/; HttpOnly; SameSite=Strict"
    assert (await ask("/", f"gatewaylog={TOKEN}")).status_code == 200
    assert (await ask("/", "gatewaylog=other; a=b")).status_code == 403
    assert (await ask("/", 'ga"(tewaylog=x')).status_code == 403
    assert (await ask("/", f"a,b=1; expires; gatewaylog={TOKEN}")).status_code == 200


async def test_a_name_is_refused_where_addresses_are_taken_and_two_hosts_anywhere() -> None:
    assert (await asked("evil.example", listen="0.0.0.0", token=None)).status_code == 421
    guard = Guard(PlainTextResponse("page"), host="127.0.0.1", token=None)
    transport = httpx.ASGITransport(app=guard)
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        both = [("Host", "localhost"), ("Host", "localhost")]
        assert (await client.get("/", headers=both)).status_code == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_pages_of_other_origins_may_link_to_it_and_nothing_else(site: str) -> None:
    assert (await asked("localhost", "/whole", site=site, mode="no-cors")).status_code == 403
    assert (await asked("localhost", "/whole", site=site, mode="cors")).status_code == 403
    assert (await asked("localhost", "/", site=site, mode="navigate")).status_code == 200
    assert (await asked("localhost", "/", site="same-origin", mode="cors")).status_code == 200
    assert (await asked("localhost", "/", site="none", mode="navigate")).status_code == 200


async def test_what_is_no_http_passes() -> None:
    seen = []

    async def app(scope: object, _receive: object, _send: object) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    await Guard(app, host="::1", token=None)(scope, None, None)  # type: ignore[arg-type]
    assert seen == [scope]


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("h", False)],
)
def test_an_address_is_local_where_only_this_machine_reaches_it(host: str, local: bool) -> None:
    assert is_local(host) is local
