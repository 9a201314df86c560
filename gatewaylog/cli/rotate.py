"""`gatewaylog rotate [FILE]`: rotate a log now."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewaylog.cli import logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.sinks.retention import Retention

EXAMPLE = """\
  gatewaylog rotate logs/api-access.log --compress gz --keep 90d

The file gets a name with the time, such as api-access.log.2026-11-21T10-22-33-123456.
Who writes notices within a second and goes on in a new one; then it is packed."""

_PATIENCE = 5.0  # seconds that writers get to leave the file; they look each second
_PAUSE = 0.1


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="the log that is written to")
    parser.add_argument(
        "--config",
        metavar="TOML",
        type=Path,
        help="without FILE: the gateway's file that names the log (gateway.toml)",
    )
    parser.add_argument("--compress", choices=("gz", "zst"), help="pack what was rotated")
    parser.add_argument("--backups", metavar="N", type=int, help="keep so many rotated files")
    parser.add_argument("--keep", metavar="AGE", help="keep rotated files so long: 90d, 12h")


def run(options: Namespace) -> int:
    """Rotate, then pack and delete as wished."""
    from gatewaylog.sinks.rotation import rotate

    path = Path(_path(options)).absolute()
    retention = _retention(options)
    if not path.is_file() or path.is_symlink():
        raise WrongCall(f"rotate: {path}: is no log file")
    rotated = rotate(path)
    if rotated is not None:
        print(printable(f"{path} -> {rotated.name}"))
    elif path.stat().st_size:
        raise WrongCall(f"rotate: {path}: can't be renamed, or is being rotated by another process")
    else:
        print(printable(f"{path} is empty: nothing to rotate"))
    deleted: list[str] = []
    status = _tidied(path, retention, deleted)
    if deleted and not options.file:
        _record(options, path, deleted)
    return status


def _path(options: Namespace) -> str:
    if options.file:
        return str(options.file)
    path = logs.configured(options).path or logs.USUAL[0]
    if path == "-":
        raise WrongCall("rotate: which FILE? The gateway's log goes to its standard output")
    return path


def _retention(options: Namespace) -> Retention:
    """Return what becomes of rotated files: as the options say, else the configuration."""
    from gatewaylog.sinks.keeping import Keeping

    tables = {} if options.file else _tables(options.config or logs.CONFIGURATION)
    table = tables.get("log")
    table = table if isinstance(table, dict) else {}
    wished: dict[str, Any] = {
        name: table.get(name, default) if getattr(options, name) is None else getattr(options, name)
        for name, default in (("compress", ""), ("backups", 0), ("keep", ""))
    }
    try:
        return Keeping(
            max_size=0,
            rotate="",
            durable=False,
            shippers=(*table.get("shippers", ()), *_states(tables)),
            max_unshipped=table.get("max_unshipped", "10GiB"),
            **wished,
        ).retention
    except (ValueError, TypeError) as error:
        raise WrongCall(f"rotate: {error}") from None


def _tables(file: Path) -> dict[str, Any]:
    """Return the tables of a configuration that `logs.configured` could read, if it is there."""
    return tomllib.loads(file.read_text("utf-8-sig")) if file.exists() else {}


def _states(tables: dict[str, Any]) -> list[str]:
    """Return the states of the shippers that the gateway runs."""
    return [ship["state"] for ship in tables.get("ship", ()) if "state" in ship]


def _record(options: Namespace, path: Path, deleted: list[str]) -> None:
    """Record in the event log of the configuration what was deleted, and by whom."""
    from gatewaylog.audit.events.account import account
    from gatewaylog.audit.events.pruning import retention_run
    from gatewaylog.cli.recording import event_log

    with event_log(logs.configured(options)) as events:
        if events is not None:
            events.record(retention_run(str(path), deleted, account()))


def _tidied(path: Path, retention: Retention, deleted: list[str]) -> int:
    """Pack and delete, once the writers have left what was rotated."""
    from gatewaylog.seal.digest import SUFFIX
    from gatewaylog.sinks.retention import tidy

    if not retention.is_any:
        return 0
    if path.with_name(path.name + SUFFIX).exists():
        notice("the log is tamper-evident: its writers sign, pack and delete what was rotated")
        return 0
    deadline = time.monotonic() + _PATIENCE
    while not tidy(path, retention, deleted=deleted):
        if time.monotonic() > deadline:
            notice("a process still has a rotated file open: packing is left for the next time")
            return 0
        time.sleep(_PAUSE)
    return 0
