"""Routing, credentials, CORS and what else the gateway answers by itself, with its events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.http_client import request
from tests.logged import assert_linked
from tests.running import api, running, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http_client import Answer

# The SHA-256 of "foo" and of "bar".
FOO = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
BAR = "sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"
APPLICATIONS = f"""
[[application]]
name = "mobile"
owner = "lzelus"
subscriptions = ["acme--Echo:v1.0.0"]
keys = ["{FOO}"]
scopes = ["items.read"]
[[application]]
name = "other"
owner = "ann"
keys = ["{BAR}"]
"""
OPEN = """
[[api.resource]]
path = "/items/{id}"
methods = ["GET", "DELETE"]
auth = "none"
[[api.resource]]
path = "/items/mine"
methods = ["PUT"]
auth = "none"
"""
RESOURCES = (
    OPEN
    + """
[[api.resource]]
path = "/locked/*"
[[api.resource]]
path = "/scoped"
scopes = ["items.write", "items.admin"]
[[api.resource]]
path = "/readable"
scopes = ["items.read"]
"""
)


def told(answer: Answer) -> tuple[int, str]:
    """Status and code of an error answer in JSON."""
    assert answer.value(b"content-type") == b"application/json"
    body = json.loads(answer.body)
    assert set(body) == {"code", "type", "message", "description"}
    assert body["type"] == "Status report"
    return answer.status, body["code"]


async def test_the_longest_context_of_whole_segments_wins(tmp_path: Path) -> None:
    async with StrictBackend() as backend:
        apis = [
            api(f"{backend.url}/{name}", name=name, context=context)
            for name, context in (("A", "/echo"), ("B", "/echo/1.0.0"), ("C", "/echo/1.0.0/x"))
        ]
        async with running(toml(tmp_path, *apis)) as gateway:
            for path in (b"/echo/1.0.0", b"/echo/1.0.0/y", b"/echo/1.0.01", b"/echo/1.0.0/x/y"):
                await gateway.ask(request(path))
            await gateway.ended(4)
    assert [received.target for received in backend.requests] == [
        b"/B",
        b"/B/y",
        b"/A/1.0.01",
        b"/C/y",
    ]
    assert [event.api for event in gateway.log.incoming()] == [
        "acme--B:v1.0.0",
        "acme--B:v1.0.0",
        "acme--A:v1.0.0",
        "acme--C:v1.0.0",
    ]


async def test_no_context_gives_one_error_of_main_and_no_incoming_request(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(b"/echoes?a=b"))
        await gateway.ended()
    assert told(answer) == (404, "404")
    error = gateway.log.error()
    assert (error.error_source, error.error_code, error.error_message) == (
        "main",
        "404",
        "Not Found",
    )
    assert (error.api, error.response_to, error.request_in_url) == (None, None, "/echoes?a=b")
    assert backend.requests == []


AMBIGUOUS = [
    b"/echo/../admin",
    b"/echo/%2e%2E/admin",
    b"/echo/./x",
    b"/echo/..;/x",
    b"/echo/%2e",
    b"/echo/x%00",
    b"/echo/a\\..\\b",
    b"/echo/a%5cb",
    b"/echo/a#b",
    b"/echo/a%zzb",
    b"/echo/a?b#c",
    b"/echo/\x01",
    b"/echo/a b",
    b"/echo/a\tb",
    b"/echo/\x00",
    b"/echo/\x7f",
    b"/echo/\xff",
    b"/echo/\xc3\xa4",
    b"/echo?\x01",
]


@pytest.mark.parametrize("target", AMBIGUOUS)
async def test_a_target_that_programs_read_differently_is_not_routed(
    tmp_path: Path, target: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(target))
        await gateway.ended()
    assert told(answer) == (400, "400")
    error = gateway.log.error()
    assert (error.error_source, error.status_code, error.api) == ("fault", 400, "acme--Echo:v1.0.0")
    assert error.request_in_url == target.decode("utf-8", "surrogateescape")
    assert backend.requests == []


@pytest.mark.parametrize("target", [b"/other/..", b"/%00", b"/a\\b", b"/a b", b"/\x01", b"/\xff"])
async def test_such_a_target_outside_of_every_api_is_an_error_of_main(
    tmp_path: Path, target: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(target))
        await gateway.ended()
    assert told(answer) == (400, "400")
    error = gateway.log.error()
    assert (error.error_source, error.error_code, error.api) == ("main", "400", None)
    assert error.request_in_url == target.decode("utf-8", "surrogateescape")


async def test_literal_segments_beat_names_which_beat_the_rest(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, more=OPEN))) as gateway,
    ):
        assert (await gateway.ask(request(b"/echo/items/7"))).status == 200
        refused = await gateway.ask(request(b"/echo/items/mine"))
        missing = await gateway.ask(request(b"/echo/items/7/parts"))
        encoded = await gateway.ask(request(b"/echo/items%2F7"))
        await gateway.ended(4)
    assert told(refused) == (405, "405")
    assert refused.value(b"allow") == b"PUT"
    assert told(missing) == told(encoded) == (404, "404")
    errors = gateway.log.errors()
    assert {error.error_source for error in errors} == {"fault"}
    assert errors[0].error_message == "Method not allowed for given API resource"
    assert errors[1].error_message == "No matching resource found for given API Request"
    assert_linked(gateway.log.events())


CREDENTIALS = [
    (b"/echo/locked/x", [], 401, "900902", b'Bearer realm="gatewaylog"'),
    (b"/echo/locked/x", [b"X-API-Key: nonsense"], 401, "900901", b"invalid_token"),
    (b"/echo/locked/x", [b"apikey: a", b"X-API-Key: foo"], 401, "900901", b"invalid_token"),
    (b"/echo/locked/x", [b"Authorization: Bearer foo"], 401, "900905", b"invalid_request"),
    (b"/echo/locked/x", [b"Authorization: Basic !!"], 401, "900901", b"invalid_token"),
    (b"/echo/locked/x", [b"X-API-Key: bar"], 403, "900908", None),
    (b"/echo/scoped", [b"X-API-Key: foo"], 403, "900910", b"insufficient_scope"),
]


@pytest.mark.parametrize(("target", "lines", "status", "code", "challenge"), CREDENTIALS)
async def test_a_credential_that_is_not_enough_is_refused_with_its_code(
    tmp_path: Path,
    target: bytes,
    lines: list[bytes],
    status: int,
    code: str,
    challenge: bytes | None,
) -> None:
    text = toml(tmp_path, APPLICATIONS)
    async with (
        StrictBackend() as backend,
        running(text + api(backend.url, auth="required", more=RESOURCES)) as gateway,
    ):
        answer = await gateway.ask(request(target, *lines))
        await gateway.ended()
    assert told(answer) == (status, code)
    assert (challenge is None) == (answer.value(b"www-authenticate") is None)
    assert (challenge or b"") in (answer.value(b"www-authenticate") or b"")
    error = gateway.log.error()
    assert (error.error_source, error.error_code) == ("_auth_failure_handler_", code)
    assert (error.status_code, error.outcome) == (status, "complete")
    known = {"900908": ("other", "ann"), "900910": ("mobile", "lzelus")}.get(code, (None, None))
    assert (error.application_name, error.end_user_name) == known
    assert backend.requests == []


@pytest.mark.parametrize(
    "line",
    [b"X-API-Key: foo", b"apikey: foo", b"Authorization: Basic Zm9vOg=="],
)
async def test_a_good_key_tells_who_calls(tmp_path: Path, line: bytes) -> None:
    text = toml(tmp_path, APPLICATIONS)
    async with (
        StrictBackend() as backend,
        running(text + api(backend.url, auth="required", more=RESOURCES)) as gateway,
    ):
        answer = await gateway.ask(request(b"/echo/readable", line))
        await gateway.ended()
    assert answer.status == 200
    complete = gateway.log.complete()
    assert (complete.application_name, complete.end_user_name) == ("mobile", "lzelus")
    assert complete.token_ref == FOO.removeprefix("sha256:")[:32]


async def test_a_blocked_api_answers_503_with_its_events(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, more="blocked = true"))) as gateway,
    ):
        answer = await gateway.ask(request())
        await gateway.ended()
    assert told(answer) == (503, "700700")
    assert len(gateway.log.incoming()) == 1
    assert gateway.log.error().error_message == "API blocked"
    assert backend.requests == []


async def test_an_api_that_is_not_offered_over_http_gives_an_error_of_main(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, more='schemes = ["https"]'))) as gateway,
    ):
        answer = await gateway.ask(request())
        await gateway.ended()
    assert told(answer) == (403, "403")
    error = gateway.log.error()
    assert (error.error_source, error.error_code, error.response_to) == ("main", "403", None)


CORS = """
[api.cors]
origins = ["https://app.example.edu"]
"""
PREFLIGHT = [b"Origin: https://app.example.edu", b"Access-Control-Request-Method: PUT"]


async def test_a_preflight_is_answered_with_events_and_without_a_credential(
    tmp_path: Path,
) -> None:
    text = toml(tmp_path, APPLICATIONS)
    async with (
        StrictBackend() as backend,
        running(text + api(backend.url, auth="required", more=CORS)) as gateway,
    ):
        answer = await gateway.ask(request(b"/echo/x", *PREFLIGHT, method=b"OPTIONS"))
        await gateway.ended()
    assert answer.status == 204
    assert answer.value(b"access-control-allow-origin") == b"https://app.example.edu"
    assert len(gateway.log.incoming()) == 1
    complete = gateway.log.complete()
    assert (complete.status_code, complete.request_out_url, complete.attempts) == (204, None, None)
    assert backend.requests == []


async def test_preflights_of_an_api_without_a_policy_go_to_its_backend(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo/x", *PREFLIGHT, method=b"OPTIONS"))
    assert backend.requests[0].value(b"access-control-request-method") == b"PUT"


async def test_answers_to_other_origins_tell_the_policy_and_not_the_backends(
    tmp_path: Path,
) -> None:
    lines = b"access-control-allow-origin: *\r\nx-kept: 1\r\ncontent-length: 0\r\n"
    answered = b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n"
    async with (
        StrictBackend(lambda _: answered) as backend,
        running(toml(tmp_path, api(backend.url, more=CORS + OPEN))) as gateway,
    ):
        fine = await gateway.ask(request(b"/echo/items/1", PREFLIGHT[0]))
        failed = await gateway.ask(request(b"/echo/nothing", PREFLIGHT[0]))
    for answer in (fine, failed):
        assert answer.value(b"access-control-allow-origin") == b"https://app.example.edu"
    assert fine.value(b"x-kept") == b"1"
    assert failed.status == 404


@pytest.mark.parametrize("host", [b"", b"a b", b"a@b", b"a/b", b"a\xff", b"[::1", b"a:b", b"a,b:"])
async def test_a_request_for_no_plain_host_is_refused(tmp_path: Path, host: bytes) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(host=host))
        await gateway.ended()
    if host == b"a,b:":  # a registered name may hold a comma (RFC 3986 §3.2.2)
        assert answer.status == 200
        return
    assert told(answer) == (400, "400")
    error = gateway.log.error()
    assert (error.error_source, error.error_code) == ("fault", "400")


async def test_an_absolute_target_is_routed_by_its_path(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(b"http://GW.example/echo/a?b"))
        rootless = await gateway.ask(request(b"http://gw.example"))
        await gateway.ended(2)
    assert answer.status == 200
    assert backend.requests[0].target == b"/a?b"
    assert gateway.log.completes()[0].request_in_url == "/echo/a?b"
    assert rootless.status == 404


@pytest.mark.parametrize(
    "target",
    [b"http://evil.example/echo", b"http://gw.example@evil/echo", b"ftp://gw.example/echo"],
)
async def test_an_absolute_target_for_another_host_is_refused(
    tmp_path: Path, target: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(target))
        await gateway.ended()
    assert answer.status == 400
    assert gateway.log.error().error_code == "400"
    assert backend.requests == []


async def test_options_of_the_gateway_itself_are_answered(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(b"*", method=b"OPTIONS"))
        refused = await gateway.ask(request(b"*"))
        await gateway.ended(2)
    assert answer.status == 204
    assert answer.value(b"allow") is not None
    assert told(refused) == (400, "400")
    first, second = gateway.log.errors()
    assert (first.error_source, first.status_code, first.request_in_url) == ("main", 204, "*")
    assert (second.error_source, second.status_code, second.request_in_url) == ("main", 400, "*")
    assert backend.requests == []


async def test_connect_is_refused_and_recorded(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(
            b"CONNECT backend.example:443 HTTP/1.1\r\nHost: backend.example:443\r\n\r\n"
        )
        await gateway.ended()
    assert told(answer) == (400, "400")
    error = gateway.log.error()
    assert (error.request_in_method, error.request_in_url) == ("CONNECT", "backend.example:443")


async def test_an_upgrade_that_nobody_wants_is_an_ordinary_request(tmp_path: Path) -> None:
    lines = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"]
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        async with gateway.client() as client:
            wanted = [
                request(b"/echo/1", *lines),
                request(b"/echo/2", *lines, method=b"POST", body=b"abc"),
                request(b"/echo/3", *lines, b"Transfer-Encoding: chunked", method=b"PUT")
                + b"2\r\nde\r\n0\r\n\r\n",
                request(b"/echo/4"),
            ]
            for one in wanted:
                assert (await client.ask(one)).status == 200
            await client.send(b"".join(wanted))
            for _ in wanted:
                assert (await client.answer()).status == 200
        await gateway.ended(8)
    bodies = [(received.target, received.body) for received in backend.requests]
    assert bodies == [(b"/1", b""), (b"/2", b"abc"), (b"/3", b"de"), (b"/4", b"")] * 2
    names = {name for received in backend.requests for name, _ in received.headers}
    assert names.isdisjoint({b"connection", b"upgrade", b"http2-settings"})


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        (b"application/xml", True),
        (b"text/xml;q=0.9, application/json;q=0.1", True),
        (b"application/json", False),
        (b"*/*", False),
        (b"application/xml;q=0.5, application/json", False),
        (b"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", True),
    ],
)
async def test_an_error_comes_in_the_form_that_the_client_likes(
    tmp_path: Path, accept: bytes, *, xml: bool
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request(b"/nowhere", b"Accept: " + accept))
    if not xml:
        assert told(answer) == (404, "404")
        return
    assert answer.value(b"content-type") == b"application/xml"
    fault = ET.fromstring(answer.body)
    assert fault.tag == "{http://wso2.org/apimanager}fault"
    assert [child.text for child in fault][:3] == ["404", "Status report", "Not Found"]


@pytest.mark.parametrize(
    ("verbosity", "fine", "failed"),
    [
        ("off", [], []),
        ("errors", [], ["RequestError"]),
        ("events", ["IncomingRequest", "RequestComplete"], ["IncomingRequest", "RequestError"]),
    ],
)
async def test_verbosity_says_which_events_are_written(
    tmp_path: Path, verbosity: str, fine: list[str], failed: list[str]
) -> None:
    more = f'verbosity = "{verbosity}"' + OPEN
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, more=more))) as gateway,
    ):
        assert (await gateway.ask(request(b"/echo/items/1"))).status == 200
        await gateway.ended(0)
        written = [type(event).__name__ for event in gateway.log.events()]
        assert (await gateway.ask(request(b"/echo/nothing"))).status == 404
        await gateway.ended(0)
        more_written = [type(event).__name__ for event in gateway.log.events()]
    assert written == fine
    assert more_written == fine + failed


@pytest.mark.parametrize("name", ["activityid", "X-Request-ID"])
async def test_the_answer_tells_the_exchanges_message_id_where_that_is_wished(
    tmp_path: Path, name: str
) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url), log=f'response_header = "{name}"')) as gateway,
    ):
        answers = [await gateway.ask(request()) for _ in range(2)]
    ids = [(answer.value(name.lower().encode()) or b"").decode() for answer in answers]
    assert ids == [event.message_id for event in gateway.log.incoming()]


async def test_request_headers_that_are_wished_for_are_fields_of_every_event(
    tmp_path: Path,
) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url), log='request_headers = ["X-Tenant"]')) as gateway,
    ):
        await gateway.ask(request(b"/echo", b"X-Tenant: blue"))
        await gateway.ended()
    assert [event.extra for event in gateway.log.events()] == [(("Header_X_Tenant", "blue"),)] * 2


async def test_ids_of_others_are_told(tmp_path: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    lines = [b"X-Request-ID: r-1", f"Traceparent: 00-{trace}-b7ad6b7169203331-01".encode()]
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo", *lines, b"User-Agent: x\xff"))
        await gateway.ended()
    complete = gateway.log.complete()
    assert (complete.request_id, complete.trace_id) == ("r-1", trace)
    assert complete.user_agent == "x\udcff"


async def test_a_backends_own_errors_are_complete(tmp_path: Path) -> None:
    answered = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"
    async with (
        StrictBackend(lambda _: answered) as backend,
        running(toml(tmp_path, api(backend.url))) as gateway,
    ):
        assert (await gateway.ask(request())).status == 500
        await gateway.ended()
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (500, "complete")


async def test_an_exception_in_the_gateway_is_answered_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken on purpose")

    monkeypatch.setattr("gatewaylog.gateway.forward._target", broken)
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await gateway.ask(request())
        await gateway.ended()
    assert told(answer) == (500, "500")
    error = gateway.log.error()
    assert (error.error_source, error.error_code, error.outcome) == (
        "fault",
        "500",
        "app_exception",
    )
    assert "broken on purpose" in capsys.readouterr().err
    assert b"broken" not in answer.body
