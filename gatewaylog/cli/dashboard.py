"""`gatewaylog dashboard [FILE…]`: a local web page over a log."""

from __future__ import annotations

import contextlib
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog dashboard logs/
  gatewaylog dashboard logs/api-access.log --listen 127.0.0.1:9000

Open the address that it prints. Ctrl-C ends it. Where others can reach the
address, it holds a token without which nothing is shown."""

_LISTEN = "127.0.0.1:8090"


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_address,
        default=_LISTEN,
        help=f"where the page is ({_LISTEN}); port 0 is a free one",
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ArgumentTypeError("must be HOST:PORT")
    return host, int(port)


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from gatewaylog.dashboard.logs import Logs
    from gatewaylog.dashboard.serving import Address, serve

    found = Logs.of(source.name for source in logs.sources_of(options, "dashboard"))
    try:
        with contextlib.suppress(KeyboardInterrupt):  # is how it is ended
            serve(found, Address(*options.listen))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("gatewaylog"):
            raise
        raise WrongCall(
            f"dashboard needs {error.name}, which is not installed:"
            " pip install 'gatewaylog[dashboard]'"
        ) from None
    return 0
