"""The example of an identity server: a whole sign-in, told by `gatewaylog events sessions`."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import environment, gatewaylog
from tests.system.servers import ROOT, free_port
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    number = free_port()
    with subprocess.Popen(
        [sys.executable, f"{ROOT}/examples/identity_server.py"],
        cwd=tmp_path,
        env=environment(PORT=str(number), PYTHONPATH=str(ROOT)),
    ) as process:
        try:
            wait_for(lambda: listens(number))
            yield number
        finally:
            process.kill()


def listens(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def post(port: int, target: str) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", target)
    response = connection.getresponse()
    told = response.status, json.loads(response.read())
    connection.close()
    return told


def test_a_whole_sign_in_is_a_story(port: int, tmp_path: Path) -> None:
    status, told = post(port, "/sign-in?requestor=portal&user=ann&password=secret")
    assert status == 200
    assert post(port, f"/sign-out?tgt={told['tgt']}")[0] == 200
    log = tmp_path / "event.log"
    session = log.read_text().splitlines()[0].split(", ")[1]
    story = gatewaylog("events", "sessions", session, str(log)).stdout.splitlines()
    assert story[0] == f"session {session}: ann of example.org from 127.0.0.1 for portal"
    assert [line.split()[3] for line in story[1:-1]] == [
        "SESSION_CREATED",
        "PRE_AUTHZ_OK",
        "AUTHN_SELECTION_OK",
        "AUTHN_IN_PROGRESS",
        "AUTHN_OK",
        "POST_AUTHZ_OK",
        "AUTHN_OK",
        "AUTHN_OK",
        "USER_LOGOUT_IN_PROGRESS",
        "USER_LOGOUT_SUCCESS",
    ]
    assert story[-1].endswith(": the user logged out")
    assert "secret" not in log.read_text()
    by_ticket = gatewaylog("events", "sessions", told["tgt"], str(log)).stdout
    assert by_ticket.splitlines() == story


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("requestor=portal&user=ann&password=wrong", "authentication failed"),
        ("requestor=portal&user=eve&password=x", "the user is not known"),
        ("requestor=nobody&user=ann&password=secret", "no state is told"),
    ],
)
def test_a_sign_in_that_fails_says_where(port: int, tmp_path: Path, query: str, end: str) -> None:
    assert post(port, f"/sign-in?{query}") == (401, {"tgt": None})
    log = tmp_path / "event.log"
    session = log.read_text().splitlines()[0].split(", ")[1]
    assert gatewaylog("events", "sessions", session, str(log)).stdout.rstrip().endswith(end)


def test_a_ticket_that_is_none_signs_nobody_out(port: int) -> None:
    assert post(port, "/sign-out?tgt=TGT-1") == (404, {"signed_out": False})
    assert post(port, "/elsewhere") == (404, {})
