"""`gatewaylog dashboard [FILE…]`: a local web page over a log."""

from __future__ import annotations

import contextlib
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.tokens import database
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.cli.watching import rules_given
from gatewaylog.exceptions import ConfigurationError

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.dashboard.token_use import Store

EXAMPLE = """\
  gatewaylog dashboard logs/
  gatewaylog dashboard logs/api-access.log --listen 127.0.0.1:9000
  gatewaylog dashboard logs/ --database postgresql://reader@db/gatewaylog

Open the address that it prints. Ctrl-C ends it. Where others can reach the
address, it holds a token without which nothing is shown.

With --database, or where gateway.toml names a database, the page has the use of
tokens, too. The database is asked only while a page shows it."""

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
    parser.add_argument(
        "--database",
        metavar="URL",
        default="",
        help="the use of tokens: sqlite:///FILE or postgresql://… (database.url of gateway.toml)",
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ArgumentTypeError("must be HOST:PORT")
    return host, int(port)


def _store_of(options: Namespace) -> Store | None:
    """Return where the use of tokens is kept, None where nothing names a database.

    Raises WrongCall, and ConfigurationError for the file of --config.
    """
    from gatewaylog.dashboard.token_use import Store

    try:
        configured = logs.configured(options)
        if not (options.database or configured.database):
            return None
        rules, geoip = rules_given(options, configured)
        url = database.url_of(options, "dashboard")
        return Store(url=url, rules=rules, geoip=geoip)
    except ConfigurationError as error:
        if options.config is not None:
            raise
        return Store(trouble=error.problems[0])


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from gatewaylog.dashboard.logs import Logs
    from gatewaylog.dashboard.serving import Address, serve

    store = _store_of(options)
    found = Logs.of(source.name for source in logs.sources_of(options, "dashboard"))
    try:
        with contextlib.suppress(KeyboardInterrupt):  # is how it is ended
            serve(found, Address(*options.listen), store)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("gatewaylog"):
            raise
        raise WrongCall(
            f"dashboard needs {error.name}, which is not installed:"
            " pip install 'gatewaylog[dashboard]'"
        ) from None
    return 0
