"""`gatewaylog demo`: a backend, a gateway before it, and what to type; nothing else is needed."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from argparse import Namespace
    from collections.abc import Iterator

    from gatewaylog.cli.verbs import Parser

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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the server takes both
    with contextlib.suppress(KeyboardInterrupt), _folder(options.folder) as folder:
        _run(folder, options.port, kept=options.folder is not None)
    return 0


def _run(folder: Path, port: int | None, *, kept: bool) -> None:
    from gatewaylog.cli.demo import backend, configuration, guide
    from gatewaylog.gateway.config import load
    from gatewaylog.gateway.supervisor import work

    with backend.running() as ports:
        listener = _listener(port)
        demo = configuration.write(folder, listener.getsockname()[1], ports)
        print(guide.text(demo, usual_port=_PORT if port is None else None, kept=kept), flush=True)
        work(load(demo.file), lambda: load(demo.file), [listener])
    print("\nThe demo is over.")


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

    def listening(port: int) -> socket.socket:
        return listeners([Address(host="127.0.0.1", port=port)])[0]

    if port is not None:
        return listening(port)
    try:
        return listening(_PORT)
    except ConfigurationError:
        return listening(0)
