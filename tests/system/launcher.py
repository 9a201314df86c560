"""Runs the gateway by the configuration that is named, as `gatewaylog serve` does."""

from __future__ import annotations

import sys
from pathlib import Path

from gatewaylog.gateway.config import load
from gatewaylog.gateway.supervisor import serve

if __name__ == "__main__":
    sys.exit(serve(lambda: load(Path(sys.argv[1]))))
