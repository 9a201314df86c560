"""What the demo tells: where everything is, and what to type."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli.terminal import painted, printable, wants_colour

if TYPE_CHECKING:
    from gatewaylog.cli.demo.configuration import Demo


def text(demo: Demo, *, usual_port: int | None, kept: bool) -> str:
    """Return the whole text; `usual_port` is what was wanted, None where the port was asked for."""
    address = f"http://127.0.0.1:{demo.port}"
    taken = f" (port {usual_port} is taken)" if usual_port not in {None, demo.port} else ""
    lines = [
        f"The gateway listens on {_bold(address)}{taken}",
        "",
        f"  log            {printable(str(demo.log))}",
        f"  configuration  {printable(str(demo.file))}",
        "",
        "Watch the log from a second terminal:",
        "",
        f"  {_bold(f'{_command()} tail -f {shlex.quote(str(demo.log))}')}",
        "",
        "Try these calls from a third:",
        "",
    ]
    for call, shows in _calls(address, demo.key):
        lines += [f"  {_bold(call)}", f"      {shows}"]
    end = "the folder stays" if kept else "log and configuration go with it (--folder F keeps them)"
    return "\n".join([*lines, "", f"Ctrl-C ends the demo; {end}."])


def _calls(address: str, key: str) -> tuple[tuple[str, str], ...]:
    """Return each line to type, and what it shows in the log."""
    return (
        (
            f"curl '{address}/echo/1.0.0/hello?name=you'",
            "an open API: INCOMING_REQUEST, REQUEST_COMPLETE",
        ),
        (
            f"curl {address}/orders/42",
            "an API that wants a key: INCOMING_REQUEST, ERROR _auth_failure_handler_ 900902",
        ),
        (
            f"curl {address}/nowhere",
            "no API: ERROR main 404",
        ),
        (
            f"curl -H 'apikey: {key}' {address}/orders/42",
            "with its key: INCOMING_REQUEST, REQUEST_COMPLETE",
        ),
        (
            f"curl {address}/down",
            "its backend is down: INCOMING_REQUEST, ERROR fault 101503",
        ),
    )


def _command() -> str:
    """Return how this gatewaylog is called from any folder."""
    script = Path(sys.executable).parent / "gatewaylog"
    found = shutil.which("gatewaylog")
    if found and Path(found).resolve() == script.resolve():
        return "gatewaylog"
    if script.exists():
        return shlex.quote(str(script))
    return f"{shlex.quote(sys.executable)} -m gatewaylog"


def _bold(words: str) -> str:
    return painted(printable(words), "bold" if wants_colour() else None)
