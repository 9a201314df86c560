"""Findings are posted until they are taken, and hold nobody meanwhile."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.rules import Finding, Severity
from gatewaylog.audit.rules.webhook import Webhook
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

Answers = list[tuple[int, dict[str, str]]]


def finding(client: str) -> Finding:
    return Finding(rule="R01", severity=Severity.HIGH, client=client, at=1e9, detail="…")


class Hook(ThreadingHTTPServer):
    """Answers in turn, then 204; keeps what was posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.answers: Answers = []
        self.posted: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/s3cret"

    def clients(self) -> list[str]:
        return [client for client, _ in self.posted]


class Taking(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append((told["client"], told["id"]))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        raise AssertionError("a redirect was followed")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_is_not_taken_is_posted_again_under_the_same_id(
    hook: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    hook.answers = [(503, {}), (429, {"Retry-After": "0"}), (500, {"Retry-After": "soon"})]
    webhook = Webhook(hook.url, first=0.01)
    webhook.tell(finding("a"))
    webhook.tell(finding("b"))
    wait_for(lambda: not webhook.pending)
    webhook.close()
    assert hook.clients() == ["a"] * 4 + ["b"]
    assert len(set(hook.posted)) == 2
    said = capsys.readouterr().err
    assert said.count("the webhook does not take findings: HTTP 503") == 1
    assert said.count("takes findings again") == 1
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((400, {}), "the webhook refuses R01 of a: HTTP 400"),
        ((302, {"Location": "/elsewhere"}), "the webhook refuses R01 of a: HTTP 302"),
    ],
)
def test_what_is_refused_for_good_is_told_and_the_next_is_posted(
    hook: Hook, capsys: pytest.CaptureFixture[str], answer: tuple[int, dict[str, str]], told: str
) -> None:
    hook.answers = [answer]
    webhook = Webhook(hook.url)
    webhook.tell(finding("a"))
    webhook.tell(finding("b"))
    webhook.close()
    assert hook.clients() == ["a", "b"]
    assert told in capsys.readouterr().err


def test_one_that_never_answers_holds_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """Its connection is taken by the kernel, and nothing is read of it."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        webhook = Webhook(f"http://127.0.0.1:{deaf.getsockname()[1]}/", timeout=0.05, first=0.01)
        for client in ("a", "b"):
            webhook.tell(finding(client))
        wait_for(lambda: "does not take" in capsys.readouterr().err)
        assert [one["client"] for one in webhook.pending] == ["a", "b"]
        webhook.close(0.05)
    said = capsys.readouterr().err
    assert "did not take R01 of a" in said
    assert "did not take R01 of b" in said


def test_what_waited_in_an_earlier_process_comes_first(hook: Hook) -> None:
    down = Webhook("http://127.0.0.1:1/")
    down.tell(finding("a"))
    down.close(0.01)
    webhook = Webhook(hook.url, down.pending)
    webhook.tell(finding("b"))
    webhook.close()
    assert hook.clients() == ["a", "b"]


def test_no_more_wait_than_may(capsys: pytest.CaptureFixture[str]) -> None:
    webhook = Webhook("http://127.0.0.1:1/")
    for number in range(1001):
        webhook.tell(finding(f"c{number}"))
    assert len(webhook.pending) == 1000
    assert "1000 findings wait for the webhook: R01 of c1000 is left" in capsys.readouterr().err
    webhook.close(0.0)


def test_an_answer_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        webhook = Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", first=0.01)
        webhook.tell(finding("a"))
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"nonsense\r\n\r\n")
        wait_for(lambda: "does not take findings: " in capsys.readouterr().err)
        webhook.close(0.0)


@pytest.mark.parametrize(
    "url", ["", "ftp://h", "http://", "https:///x", "http://[::1", "http://h:99999", "h/x"]
)
def test_an_address_that_is_none_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ValueError, match="must be a URL like https://alerts") as caught:
        Webhook(url)
    assert not url or url not in str(caught.value)


def test_an_address_that_can_not_be_asked_is_told_without_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    webhook = Webhook("http://127.0.0.1:1/s3cret x\u00e9", first=0.01)
    webhook.tell(finding("a"))
    said = []

    def is_told() -> bool:
        said.append(capsys.readouterr().err)
        return "does not take findings: " in "".join(said)

    wait_for(is_told)
    webhook.close(0.0)
    assert "s3cret" not in "".join(said)
