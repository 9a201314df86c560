"""`gatewaylog dashboard` over HTTP: who may ask, and what the page is told."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import gatewaylog, said_once, started
from tests.reader.logs import complete, encoded, incoming, write
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system


@contextlib.contextmanager
def page(folder: Path, host: str = "127.0.0.1") -> Iterator[tuple[int, str]]:
    log = write(folder / "api.log", encoded(incoming(1)) + encoded(complete(1), 1))
    with started("dashboard", str(log), "--listen", f"{host}:0") as process:
        found = process.reads(r"http://[0-9.]+:(\d+)/(\S*)\n")
        yield int(found[1]), found[2]


@contextlib.contextmanager
def ask(port: int, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            yield answer


def test_the_page_allows_no_script_but_its_own_files(tmp_path: Path) -> None:
    with page(tmp_path) as (port, _), ask(port, "/") as answer:
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")


def test_another_host_is_refused(tmp_path: Path) -> None:
    with page(tmp_path) as (port, _), ask(port, "/", Host="evil.example") as answer:
        assert answer.status == 421


def test_a_token_is_needed_where_others_reach_the_page(tmp_path: Path) -> None:
    with page(tmp_path, "0.0.0.0") as (port, token):
        with ask(port, "/") as refused:
            assert refused.status == 403
        with ask(port, f"/{token}") as answer:
            assert answer.status == 200
            cookie = answer.headers["Set-Cookie"]
        assert cookie.endswith("; HttpOnly; SameSite=Strict")
        with ask(port, "/", Cookie=cookie.partition(";")[0]) as again:
            assert again.status == 200


def test_the_stream_tells_a_refused_query_and_the_figures(tmp_path: Path) -> None:
    with page(tmp_path) as (port, _), ask(port, "/stream?query=*+%7C+stats+cuont") as answer:
        told: dict[str, dict[str, object]] = {}
        while not told.get("figures", {}).get("completed") or "refused" not in told:
            name = answer.readline().decode().strip()
            if name.startswith("event: "):
                told[name[7:]] = json.loads(answer.readline().decode()[6:])
        assert "^^^^^" in str(told["refused"]["refused"])
        assert told["figures"]["requests"] == 1


def test_what_is_not_installed_is_named_with_its_extra(tmp_path: Path) -> None:
    log = write(tmp_path / "api.log", encoded(incoming(1)))
    hidden = tmp_path / "starlette.py"
    hidden.write_text('raise ModuleNotFoundError("no starlette", name="starlette")\n')
    done = gatewaylog("dashboard", str(log), "--listen", "127.0.0.1:0", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert said_once(done).endswith("not installed: pip install 'gatewaylog[dashboard]'")
