"""The documentation's Python is run as it stands, each block in a process and folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from gatewaylog.testing import CapturedLog

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Runs a block, then calls the application that it has made, if any, as a server does.
_RUN = """
import asyncio, inspect, runpy, sys, wsgiref.util

made = runpy.run_path("block.py", run_name="block")
app = made.get("app") or made.get("application")
sys.modules["block"] = type(sys)("block")
vars(sys.modules["block"]).update(made)


async def call_asgi():
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
             "scheme": "http", "path": "/", "raw_path": b"/", "query_string": b"",
             "root_path": "", "headers": [], "client": ("192.0.2.1", 1), "server": ("here", 80)}
    await app(scope, receive, send)


def call_wsgi():
    environ = {}
    wsgiref.util.setup_testing_defaults(environ)
    result = app(environ, lambda *_: None)
    list(result)
    getattr(result, "close", lambda: None)()


if app is not None:
    asgi = inspect.iscoroutinefunction(type(app).__call__)
    asyncio.run(call_asgi()) if asgi else call_wsgi()
"""


class Block(NamedTuple):
    """A block of Python in a page, and the line on which it starts."""

    page: Path
    line: int
    source: str


def blocks() -> list[Block]:
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1])
        for page in sorted((ROOT / "docs").glob("**/*.md"))
        for text in [page.read_text()]
        for match in _BLOCK.finditer(text)
    ]


def name(block: Block) -> str:
    return f"{block.page.name}:{block.line}"


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", blocks(), ids=name)
def test_a_block_runs_as_it_stands(block: Block, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(block.source)
    if "\ndef test_" in block.source:
        run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "block.py")
        return
    run(tmp_path, "-c", _RUN)
    if "AccessLogMiddleware" in block.source:
        log = CapturedLog((tmp_path / "api-access.log").read_bytes().splitlines(keepends=True))
        log.assert_all_paired()
        assert log.exchanges, "the application was called, but nothing was logged"


_BOOM = """
import runpy, sys, types

sys.modules["block"] = types.ModuleType("block")
made = runpy.run_path("block.py", run_name="block")
vars(sys.modules["block"]).update(made)
if "app" in made:
    made["app"].add_url_rule("/boom", view_func=lambda: 1 / 0)
    made["app"].test_client().get("/boom")
else:
    from django.urls import path
    from wsgiref.util import setup_testing_defaults

    made["urlpatterns"].append(path("boom", lambda request: 1 / 0))
    environ = {"PATH_INFO": "/boom"}
    setup_testing_defaults(environ)
    result = made["application"](environ, lambda *_: None)
    list(result)
    result.close()
"""


@pytest.mark.parametrize("framework", ["flask", "django"])
def test_an_exception_that_a_framework_answers_itself_can_be_an_error(
    framework: str, tmp_path: Path
) -> None:
    (block,) = (
        block
        for block in blocks()
        if "got_request_exception" in block.source and f"from {framework}" in block.source
    )
    (tmp_path / "block.py").write_text(block.source)
    run(tmp_path, "-c", _BOOM)
    log = CapturedLog((tmp_path / "api-access.log").read_bytes().splitlines(keepends=True))
    log.assert_all_paired()
    log.assert_error(code=500, status=500, request_in_url="/boom")


def test_the_page_on_the_middleware_has_blocks_for_every_framework() -> None:
    sources = "".join(block.source for block in blocks() if block.page.name == "middleware.md")
    for framework in ("starlette", "fastapi", "flask", "django"):
        assert f"from {framework}" in sources


def test_the_page_on_the_middleware_names_every_option() -> None:
    from inspect import signature

    from gatewaylog import AccessLog
    from gatewaylog.middleware import AccessLogMiddleware

    page = (ROOT / "docs" / "middleware.md").read_text()
    table = page[page.index("## Options") : page.index("## What servers")]
    options = {*signature(AccessLog).parameters, *signature(AccessLogMiddleware).parameters}
    missing = {option for option in options - {"app", "options"} if f"`{option}`" not in table}
    assert not missing
