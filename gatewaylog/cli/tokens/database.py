"""`--database URL` and `--config TOML`: which database a verb is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

USUAL = "sqlite:///gatewaylog.db"
_SQLITE = "sqlite:///"
_KNOWN = (_SQLITE, "postgresql://", "postgresql+psycopg://")


def configure(parser: Parser) -> None:
    """Add --database and --config."""
    parser.add_argument(
        "--database",
        metavar="URL",
        default="",
        help=f"sqlite:///FILE or postgresql://… (database.url of gateway.toml, else {USUAL})",
    )
    parser.add_argument(
        "--config",
        metavar="TOML",
        type=Path,
        help="without --database: the gateway's file that names it (gateway.toml)",
    )


def url_of(options: Namespace, verb: str = "tokens") -> str:
    """Return the URL; of a configuration's a relative file lies beside it. Raises WrongCall."""
    if options.database:
        return _known(options.database, "--database", verb)
    return configured_url(options, verb)


def configured_url(options: Namespace, verb: str = "tokens") -> str:
    """Return the URL that the configuration names, else the usual one. Raises WrongCall."""
    url = _known(logs.configured(options).database or USUAL, "database.url", verb)
    path = url.removeprefix(_SQLITE)
    if path == url:
        return url
    file: Path = options.config or logs.CONFIGURATION
    return f"{_SQLITE}{file.absolute().parent / path}"


def _known(url: str, where: str, verb: str) -> str:
    if not url.startswith(_KNOWN) or url == _SQLITE:
        raise WrongCall(f"{verb}: {where} must be like {USUAL} or postgresql://host/name")
    return url


def shown(url: str) -> str:
    """Return the URL without its password."""
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)
