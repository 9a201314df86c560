"""What an orderly stop leaves in the log of the middleware: the last line, signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.seal.keys import make_keys
from tests.seal.sealed import digests
from tests.system.servers import Program
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system
ASGI = {
    "uvicorn": ["uvicorn", "--port", "{port}"],
    "granian": ["granian", "--interface", "asgi", "--port", "{port}"],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}"],
}
WSGI = {
    "gunicorn-sync": ["gunicorn", "--bind", "127.0.0.1:{port}"],
    "gunicorn-gthread": ["gunicorn", "-k", "gthread", "--bind", "127.0.0.1:{port}"],
    "granian": ["granian", "--interface", "wsgi", "--port", "{port}"],
}
APPS = "tests.system.sealed_apps"
CASES = {f"asgi-{name}": [*server, f"{APPS}:asgi_app"] for name, server in ASGI.items()}
CASES |= {f"wsgi-{name}": [*server, f"{APPS}:wsgi_app"] for name, server in WSGI.items()}


@pytest.mark.parametrize("kind", CASES)
def test_the_last_line_is_signed_at_sigterm(tmp_path: Path, kind: str) -> None:
    make_keys(tmp_path / "keys")
    environ = {"WSGI": "1"} if kind.startswith("wsgi") else {}
    with Program(["-m", *CASES[kind]], tmp_path, environ) as program:
        for _ in range(3):
            assert program.request("GET", "/hello")[0].status == 200
        wait_for(lambda: len(program.log.exchanges) == 3)
        program.signal()
        program.stopped()
        program.log.assert_all_paired()
        assert digests(program.log_path)[-1].lines == 6
