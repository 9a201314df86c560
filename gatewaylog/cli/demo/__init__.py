"""`gatewaylog demo`: a backend, a gateway before it, and what to type; nothing else is needed."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli.verbs import WrongCall
from gatewaylog.gateway.signals import hold, release

if TYPE_CHECKING:
    import socket
    from argparse import Namespace
    from collections.abc import Iterator

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.gateway.config import Config

EXAMPLE = """\
  gatewaylog demo --folder trial

It prints what to type in another terminal. Ctrl-C ends it."""

_PORT = 8080


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--folder",
        metavar="F",
        type=Path,
        help="where to put log and configuration (default: a temporary one, removed at the end)",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        help=f"where to listen on 127.0.0.1 (default: {_PORT}, or a free one if that is taken)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 0xFFFF:
        raise ArgumentTypeError("must be a port, 0 to 65535 (0 is any free one)")
    return int(text)


def run(options: Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    hold()  # the server takes signals when it can
    try:
        with _folder(options.folder) as folder:
            _run(folder, options.port, kept=options.folder is not None)
    finally:
        release()
    print("\nThe demo is over.")
    return 0


def _run(folder: Path, port: int | None, *, kept: bool) -> None:
    from gatewaylog.cli.demo import backend, configuration, guide
    from gatewaylog.gateway.config import load
    from gatewaylog.gateway.supervisor import work

    with backend.running() as ports:
        listener = _listener(port)
        demo = configuration.write(folder, listener.getsockname()[1], ports)
        print(guide.text(demo, usual_port=_PORT if port is None else None, kept=kept), flush=True)
        at_terminal = sys.stdout.isatty()

        def load_again() -> Config:
            if at_terminal and not sys.stdout.isatty():
                signal.raise_signal(signal.SIGTERM)  # SIGHUP came since the terminal was closed
            return load(demo.file)

        work(load(demo.file), load_again, [listener])
        hold()  # while everything is tidied away


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="gatewaylog-demo-") as folder:
            yield Path(folder)
    else:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()


def _listener(port: int | None) -> socket.socket:
    """Listen on the port; where none was asked for and the usual one is taken, on a free one."""
    from gatewaylog.exceptions import ConfigurationError
    from gatewaylog.gateway.config import Address
    from gatewaylog.gateway.listening import listeners

    for wanted in (_PORT, 0) if port is None else (port,):
        with contextlib.suppress(ConfigurationError):
            return listeners([Address(host="127.0.0.1", port=wanted)])[0]
    raise WrongCall(f"demo: port {port} is taken, or not for this user: give another --port")
