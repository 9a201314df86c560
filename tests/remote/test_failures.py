"""What goes wrong between here and a store: one line, at once, without a secret."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from gatewaylog.exceptions import RemoteError
from gatewaylog.remote.clickhouse import ClickHouse
from gatewaylog.remote.http import Secrets, store_at
from gatewaylog.remote.loki import ENCODING, Loki
from tests.remote.scripted import answer, chunked, scripted
from tests.search.access_log import LINES, planned

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hush:ü/@"
ROW = LINES[0].replace(b"\\", b"\\\\") + b"\t.\n"
ALL = planned("* | table MessageID", earliest=0.0)
COUNTED = planned("* | stats count by API", earliest=0.0)


def drawn(
    url: str, engine: str = "ClickHouse", *, counted: bool = False, timeout: float = 20.0
) -> object:
    """The rows of an answer."""
    secrets = Secrets(user="reader", password=SECRET)
    store = store_at(url, name=engine, secrets=secrets, headers=ENCODING, timeout=timeout)
    plan = COUNTED if counted else ALL
    if engine == "Loki":
        return list(Loki(store, pause=lambda _: None).result(plan).rows)
    return list(ClickHouse(store).result(plan).rows)


def failure(
    url: str, engine: str = "ClickHouse", *, counted: bool = False, timeout: float = 20.0
) -> str:
    """The one line that is told."""
    with pytest.raises(RemoteError) as told:
        drawn(url, engine, counted=counted, timeout=timeout)
    text = str(told.value)
    assert "\n" not in text
    assert "hush" not in text
    return text.replace(url, "URL")


LOKI_FAILURES = 5  # as often as it asks


@pytest.mark.parametrize("engine", ["ClickHouse", "Loki"])
def test_nothing_listens_there(engine: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(f"http://127.0.0.1:{port}", engine).endswith(": Connection refused")


def test_a_name_that_is_none() -> None:
    assert failure("http://no-such-host.invalid").startswith("ClickHouse at URL: ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"", "the answer is no HTTP: RemoteDisconnected"),
        (b"\x16\x03\x01garbage\r\n\r\n", "the answer is no HTTP: BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "the answer is no HTTP: HTTPException"),
        (answer(ROW)[:-1], "the answer broke off"),
        (answer(ROW)[:-4] + b"", "the answer broke off"),
        (chunked(ROW, ends=False), "the answer broke off"),
        (chunked(ROW)[:-20], "the answer broke off"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n" + ROW,
            "the answer has no length, so that its end can't be told",
        ),
        (answer(ROW + b"a row that is none"), "the answer is not what ClickHouse gives"),
        (answer(b"<html>hello</html>\n"), "the answer is not what ClickHouse gives"),
        (answer(b"a\tb\t.\n"), "the answer is not what ClickHouse gives"),
        (answer(b"a\tb\n"), "the answer is not what ClickHouse gives"),
        (
            answer(ROW + b"half of a rowCode: 159. DB::Exception: Timeout exceeded: 5 s\n\tat x"),
            "Code: 159. DB::Exception: Timeout exceeded: 5 s",
        ),
        (
            chunked(
                ROW, b"__exception__\r\nabc\r\nCode: 241. DB::Exception: Memory limit\n12 abc\r\n"
            ),
            "Code: 241. DB::Exception: Memory limit",
        ),
        (
            answer(b"Code: 60. DB::Exception:\n no table", b"404 Not Found"),
            "404 Not Found: Code: 60. DB::Exception: no table",
        ),
        (answer(b"", b"401 Unauthorized"), "401"),
        (answer(b"x" * 10_000, b"500 Broken"), f"500 Broken: {'x' * 500}…"),
        (answer(b"", b"302 Found", b"Location: http://x/\r\n"), "302: it redirects elsewhere"),
        (answer(b"", b"204 No Content"), "204"),
    ],
)
def test_an_answer_of_clickhouse_that_is_none(given: bytes, told: str) -> None:
    with scripted(given) as server:
        assert failure(server.url).startswith(f"ClickHouse at URL: {told}")


@pytest.mark.parametrize("given", [b"API\tx\t.\n", b"API\t\t.\n", b"1\t.\n", b"x\t1\t1\t.\n"])
def test_counts_that_are_none(given: bytes) -> None:
    with scripted(answer(given)) as server:
        assert failure(server.url, counted=True).endswith("the answer is not what ClickHouse gives")


def test_a_row_without_end_is_no_row() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * (65 << 20)
    with scripted(endless) as server:
        assert failure(server.url).endswith("the answer is not what ClickHouse gives")


def test_rows_that_came_before_an_error_are_given_first() -> None:
    with scripted(answer(ROW + b"Code: 1. DB::Exception: x\n")) as server:
        store = store_at(server.url, name="ClickHouse")
        rows = ClickHouse(store).result(ALL).rows
        assert next(rows) == {"MessageID": "a1"}
        with pytest.raises(RemoteError, match="Code: 1"):
            next(rows)


def test_rows_come_as_they_are_sent() -> None:
    """The answer is not kept: the first row is there though the second never comes."""
    with scripted(chunked(ROW + ROW, ends=False), stays=True) as server:
        rows = ClickHouse(store_at(server.url, name="ClickHouse", timeout=20)).result(ALL).rows
        assert next(rows) == {"MessageID": "a1"}
        rows.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("engine", ["ClickHouse", "Loki"])
def test_a_server_that_says_nothing_is_not_waited_for_for_ever(engine: str) -> None:
    with scripted(b"", stays=True) as server:
        assert failure(server.url, engine, timeout=0.05).endswith(": no answer for 0.05 s")
    with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", stays=True) as server:
        assert failure(server.url, engine, timeout=0.05).endswith(": no answer for 0.05 s")


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"[]",
        b"nonsense",
        b'{"status":"success"}',
        b'{"data":{"result":[{"values":[["x","y"]]}]}}',
        b'{"data":{"result":[{"values":[[]]}]}}',
        b'{"data":{"result":[{"values":7}]}}',
        b'{"data":{"result":"\xff"}}',
        b"[" * 100_000,
    ],
)
def test_an_answer_of_loki_that_is_none(given: bytes) -> None:
    with scripted(answer(given)) as server:
        assert failure(server.url, "Loki") == "Loki at URL: the answer is not what Loki gives"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (answer(b"no org id", b"401 Unauthorized"), "401 Unauthorized: no org id"),
        (answer(b"", b"301 Moved", b"Location: https://x\r\n"), "301: it redirects elsewhere"),
    ],
)
def test_what_loki_refuses_is_asked_once(given: bytes, told: str) -> None:
    with scripted(given, given) as server:
        assert failure(server.url, "Loki").startswith(f"Loki at URL: {told}")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (answer(b"{}" * 9)[:-1], "the answer broke off"),
        (answer(b"busy", b"503 Service Unavailable"), "503 Service Unavailable: busy"),
    ],
)
def test_what_may_pass_is_asked_again(given: bytes, told: str) -> None:
    with scripted(*[given] * LOKI_FAILURES) as server:
        assert failure(server.url, "Loki") == f"Loki at URL: {told}"
        assert len(server.requests) == LOKI_FAILURES


def test_a_password_goes_in_the_head_of_the_request_alone() -> None:
    with scripted(answer(b"")) as server:
        assert drawn(server.url) == []
    (request,) = server.requests
    pair = base64.b64encode(f"reader:{SECRET}".encode())
    assert request.count(b"\r\nAuthorization: Basic " + pair + b"\r\n") == 1
    assert b"hush" not in request


def test_a_url_may_hold_user_and_password_which_are_not_told() -> None:
    with scripted(answer(b"no", b"403 Forbidden")) as server:
        url = server.url.replace("//", "//some%20one:h%40sh@")
        store = store_at(url + "/a/?database=x", name="ClickHouse")
        with pytest.raises(RemoteError) as told:
            list(ClickHouse(store).result(ALL).rows)
        assert str(told.value) == f"ClickHouse at {server.url}/a/: 403 Forbidden: no"
        assert "h@sh" not in repr(store)
    assert server.requests[0].startswith(b"POST /a/?database=x HTTP/1.1\r\n")
    assert base64.b64encode(b"some one:h@sh") in server.requests[0]


def test_a_token_is_sent_as_such() -> None:
    page = json.dumps({"data": {"result": []}}).encode()
    with scripted(answer(page)) as server:
        store = store_at(server.url, name="Loki", secrets=Secrets(user="x", token="t0ken"))
        assert not list(Loki(store).result(planned("*", earliest=1495828000.0)).rows)
    assert b"\r\nAuthorization: Bearer t0ken\r\n" in server.requests[0]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "localhost:8123",
            "ftp://x",
            "http://",
            "http://x:99999",
            "http://[::1",
            "",
            "http://x y",
        ),
        *("http://x/#a", "http://x\r\nA: b", "http://x\u2028", "//x", "http://u:secret@:1"),
    ],
)
def test_a_url_that_is_none_is_told_of_without_what_it_holds(url: str) -> None:
    with pytest.raises(RemoteError) as told:
        store_at(url, name="Loki")
    assert str(told.value) == "Loki: the URL has to be such as http://host:port or https://host"


def test_what_no_head_can_hold_is_refused() -> None:
    with pytest.raises(RemoteError, match="token has to be printable"):
        store_at("http://x", name="Loki", secrets=Secrets(token="a\r\nb"))
    with pytest.raises(RemoteError, match="can't hold a colon"):
        store_at("http://x", name="Loki", secrets=Secrets(user="a:b"))


def test_a_certificate_has_to_be_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with scripted(answer(b""), answer(ROW), tls=context) as server:
        assert "its certificate is not trusted: " in failure(server.url)
        store = store_at(server.url, name="ClickHouse", ca=str(trusted))
        # The first connection ended before a request.
        assert list(ClickHouse(store).result(ALL).rows) == [{"MessageID": "a1"}]


def test_certificates_that_are_none_are_told_of(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    for path, why in (
        (empty, "can't be used as certificates"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(RemoteError, match=why):
            store_at("https://x", name="Loki", ca=str(path))
