"""The gateway's ASGI application, for a server that is not ours."""

from __future__ import annotations

import os
from pathlib import Path

from gatewaylog.gateway.config import load
from gatewaylog.gateway.serving import Serving
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine

app = Serving(load(Path(os.environ["GATEWAY_TOML"])), HttptoolsEngine())
