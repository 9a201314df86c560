"""`gatewaylog ship [FILE…] --to NAME --state FOLDER`: logs delivered elsewhere."""

from __future__ import annotations

import os
import shlex
import signal
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.exceptions import ReaderError
from gatewaylog.notices import notice
from gatewaylog.reader.files import live_logs
from gatewaylog.reader.sources import siblings
from gatewaylog.ship.options import OPTIONS, secret_in
from gatewaylog.ship.settings import DESTINATIONS, Settings

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog ship logs/api-access.log --to loki --url http://localhost:3100 --state ship/loki
  gatewaylog ship status --state ship/loki --output json
  gatewaylog ship forget --state ship/loki

It goes on until SIGTERM or Ctrl-C; killed, it goes on where it was. Passwords and tokens come
from the environment, GATEWAYLOG_SHIP_PASSWORD and GATEWAYLOG_SHIP_TOKEN, or from files. ship
status tells how far a destination is behind. No rotated file is deleted that is not delivered
yet; ship forget ends that for a shipper that is given up. docs/shipping.md has a section for
each destination."""

_STATUS, _FORGET = "status", "forget"


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    parser.words += (_STATUS, _FORGET)
    parser.add_argument(
        "--state", metavar="FOLDER", type=_folder, help="where the checkpoint is kept"
    )
    parser.add_argument("--to", choices=DESTINATIONS, help="where the lines go")
    parser.add_argument("--url", default="", help="the destination's address")
    parser.add_argument(
        "--command", metavar="PROGRAM", type=_words, default=(), help="with --to command: what runs"
    )
    parser.add_argument("--once", action="store_true", help="end at the end of the log")
    parser.add_argument("--user", default="", help="the user's name for the destination")
    parser.add_argument("--password-file", metavar="FILE", type=Path, help="holds the password")
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="holds the token")
    parser.add_argument("--ca", metavar="PEM", default="", help="trust these certificates instead")
    parser.add_argument("--job", default="gatewaylog", help="name of this log there (gatewaylog)")
    parser.add_argument("--host", default="", help="name of this machine there (its own)")
    parser.add_argument("--tenant", default="", help="loki: X-Scope-OrgID")
    parser.add_argument("--index", default="", help="splunk: the index (the token's own)")
    parser.add_argument("--table", default="", help="clickhouse: the table")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=30.0, help="for an answer (30)"
    )
    parser.add_argument(
        "--output", choices=("table", "json"), default="table", help="of ship status (table)"
    )


def _folder(text: str) -> Path:
    if not text:
        raise ArgumentTypeError("must name a folder")
    return Path(text)


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ArgumentTypeError(f"can't be read: {error}") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise ArgumentTypeError("must be seconds, more than 0 and at most 86400")
    return seconds


def run(options: Namespace) -> int:
    """Deliver, or tell how far it is."""
    if options.state is None:
        raise WrongCall("ship: --state FOLDER is missing: where the checkpoint is kept")
    if options.file == [_STATUS]:
        from gatewaylog.cli.ship_status import show

        return show(options.state, options.output)
    if options.file[:1] == [_FORGET]:
        from gatewaylog.ship.registering import forget

        return _told(options.state, forget(options.state, [*map(Path, options.file[1:])]))
    if options.to is None:
        raise WrongCall(f"ship: --to is missing: one of {', '.join(DESTINATIONS)}")
    paths = _paths(options)
    if options.once and (missing := [path for path in paths if not _is_there(path)]):
        for path in missing:
            notice(f"{path}: no such file; nothing is shipped")
        return 1
    from gatewaylog.ship.running import ship
    from gatewaylog.ship.shipper import FAREWELL
    from gatewaylog.ship.stopping import Stop, stop_by

    stopped = Stop()
    stop_by([signal.SIGTERM, signal.SIGINT], stopped, FAREWELL)
    ship(
        _settings(options),
        paths,
        options.state,
        stopped,
        once=options.once,
        registers=True,
    )
    return 0


def _told(state: Path, logs: list[Path]) -> int:
    for log in logs:
        print(printable(f"{log}: its rotation waits for {state} no more"))
    if not logs:
        print(printable(f"no log's rotation waits for {state}"))
    return 0


def _paths(options: Namespace) -> list[Path]:
    named = options.file or [logs.configured(options).path or logs.USUAL[0]]
    if "-" in named:
        raise WrongCall("ship: follows files; a pipe can't be read again after a failure")
    paths: dict[Path, None] = {}
    for name in named:
        if not (found := live_logs([name])):
            raise ReaderError(f"{name}: names no log that is written to")
        paths |= dict.fromkeys(map(Path, found))
    for path in paths:
        if not options.once and not path.exists():
            notice(f"{path}: is not there yet")
    return list(paths)


def _is_there(path: Path) -> bool:
    """Tell whether there is a log, be it what was just rotated from it."""
    return path.exists() or (path.parent.is_dir() and bool(siblings(path)))


def _settings(options: Namespace) -> Settings:
    return Settings(
        to=options.to,
        url=options.url,
        command=options.command,
        user=options.user,
        password=_password(options),
        token=_token(options),
        ca=options.ca,
        timeout=options.timeout,
        job=options.job,
        host=options.host,
        tenant=options.tenant,
        index=options.index,
        table=options.table,
        clients=_clients(options),
    )


def _clients(options: Namespace) -> str:
    if options.to != "database":
        return ""
    from gatewaylog.cli.ship_clients import clients_of

    return clients_of(options)


def _password(options: Namespace) -> str:
    """Return the password: of `user`, or for a database of the user in its URL."""
    if options.password_file is not None:
        return secret_in(options.password_file, header=False)
    is_taken = options.to == "database" or ("password" in OPTIONS[options.to] and options.user)
    password = os.environ.get("GATEWAYLOG_SHIP_PASSWORD", "") if is_taken else ""
    if options.to == "clickhouse" and options.user and not password:
        notice("clickhouse: user without a password: GATEWAYLOG_SHIP_PASSWORD is empty")
    return password


def _token(options: Namespace) -> str:
    """Return the token. That of the environment may be another shipper's, where none is taken."""
    if options.token_file is not None:
        return secret_in(options.token_file, header=True)
    is_taken = "token" in OPTIONS[options.to] and not options.user
    return os.environ.get("GATEWAYLOG_SHIP_TOKEN", "") if is_taken else ""
