"""What an application loads with the log, and what it never does."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("asyncio", "httpx", "pydantic", "uvicorn", "starlette", "opentelemetry", "tempfile",
         "gatewaylog.gateway", "gatewaylog.auth", "gatewaylog.cli", "gatewaylog.reader",
         "gatewaylog.search")  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "import gatewaylog",
        "from gatewaylog.middleware import AccessLogMiddleware",
        "from gatewaylog.middleware.wsgi import AccessLogMiddleware",
    ],
)
def test_the_log_loads_nothing_heavy(statement: str) -> None:
    show = f"import sys; {statement}; print(*(set({HEAVY!r}) & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
