"""The demo's gateway.toml, which a user can copy and go on from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.auth.api_keys import new_key
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.cli.demo.backend import Ports

_MARK = "# Written by gatewaylog demo; the next demo in this folder writes it again.\n"

_TOML = """\
# Yours to copy. Every key: docs/gateway.md

[server]
listen = "127.0.0.1:{port}"
drain = 5.0                       # seconds that running calls get when the gateway is stopped

[log]
path = {log}

[[api]]                           # open to everyone
name = "Echo"
provider = "lzelus"
version = "1.0.0"
context = "/echo/1.0.0"
backend = "http://127.0.0.1:{up}/_echo"
auth = "none"

[[api]]                           # wants a key
name = "Orders"
provider = "acme"
version = "2.1"
context = "/orders"
backend = "http://127.0.0.1:{up}/orders"

[[api]]                           # its backend is down
name = "Down"
provider = "acme"
version = "1.0.0"
context = "/down"
backend = "http://127.0.0.1:{down}"
auth = "none"
retries = 0
suspend = 0.001                   # try again at once: for the demo only, 30 seconds are usual

[[application]]
name = "mobile"
owner = "lzelus"
subscriptions = ["acme--Orders:v2.1"]
keys = ["{kept}"]  # made by: gatewaylog keys new
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that can be started: its files, its port, and the key that opens its second API."""

    file: Path
    log: Path
    port: int
    key: str


def write(folder: Path, port: int, backends: Ports) -> Demo:
    """Write the configuration. Raises WrongCall where a file that is not the demo's stands in
    its place.
    """
    file, log = folder / "gateway.toml", folder / "api-access.log"
    if file.exists() and not file.read_bytes().startswith(_MARK.encode()):
        raise WrongCall(f"demo: {file} is not the demo's, and stays: give another --folder")
    key, kept = new_key()
    path = json.dumps(str(log))  # a JSON string is a TOML string
    table = _TOML.format(port=port, log=path, up=backends.up, down=backends.down, kept=kept)
    file.write_text(_MARK + table, encoding="utf-8")
    return Demo(file=file, log=log, port=port, key=key)
