"""Which logs a verb reads: FILE…, an index of the configuration, or the gateway's own log."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gatewaylog.cli import troubles
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.exceptions import ConfigurationError, ReaderError
from gatewaylog.notices import notice
from gatewaylog.reader import find

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Source

CONFIGURATION = Path("gateway.toml")
USUAL = ("logs/api-access.log", "api-access.log")


def configure(parser: Parser) -> None:
    """Add FILE and --config."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="*",
        default=[],  # else it would be said to be required where another argument is missing
        help="logs: files, folders, globs, - (standard input)",
    )
    parser.add_argument(
        "--config",
        metavar="TOML",
        type=Path,
        help="without FILE: the gateway's file that names the log (gateway.toml)",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What reading takes from the gateway's configuration.

    The file is read without the gateway's own checks: who reads a log may lack the gateway's
    extra, its secrets and its certificates.
    """

    path: str = ""
    events: str = ""
    events_format: str = "line"
    database: str = field(default="", repr=False)
    applications: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    pseudonym_key: str = field(default="", repr=False)
    rules: Mapping[str, Any] = field(default_factory=dict)
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def configured(options: Namespace) -> Configured:
    """Read the configuration where there is one. Raises ConfigurationError."""
    file: Path = options.config or CONFIGURATION
    if options.config is None and not file.exists():
        return Configured()
    try:
        tables = tomllib.loads(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise ConfigurationError([f"{file}: can't be read: {error.strerror}"]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{file}: is not TOML: {error}"]) from None
    path = expanded(_table(tables, "log").get("path", USUAL[0]), file, "log.path")
    pseudonym_key = _table(tables, "log").get("pseudonym_key", "")
    indexes = _table(_table(tables, "search"), "index")
    event_log = _table(tables, "event_log")
    events = event_log.get("path", "")
    database = _table(tables, "database").get("url", "")
    return Configured(
        path=path,
        events=expanded(events, file, "event_log.path") if events else "",
        events_format=str(event_log.get("format", "line")),
        database=expanded(database, file, "database.url") if database else "",
        applications=_tables(tables, "application"),
        pseudonym_key=expanded(pseudonym_key, file, "log.pseudonym_key") if pseudonym_key else "",
        rules=_table(tables, "rules"),
        indexes={name: _globs(globs, file, name) for name, globs in indexes.items()},
    )


def _table(tables: Mapping[str, object], name: str) -> dict[str, object]:
    table = tables.get(name, {})
    return table if isinstance(table, dict) else {}


def _tables(tables: Mapping[str, object], name: str) -> tuple[dict[str, object], ...]:
    found = tables.get(name, ())
    return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _globs(value: object, file: Path, name: str) -> tuple[str, ...]:
    where = f"search.index.{name}"
    if not isinstance(value, list) or not value:
        raise ConfigurationError([f"{file}: {where}: must be a list of files, folders and globs"])
    return tuple(expanded(glob, file, where) for glob in value)


def expanded(value: object, file: Path, where: str) -> str:
    """Return a text of the configuration with `${NAME}` replaced. Raises ConfigurationError."""
    if isinstance(value, str) and "${" in value:
        from gatewaylog.gateway.config.environment import Expansion

        expansion = Expansion(os.environ)
        value = expansion.expanded(value)
        if expansion.problems:
            message = expansion.problems[0].message
            raise ConfigurationError([f"{file}: {where}: {message}"])
    if not isinstance(value, str) or not value:
        raise ConfigurationError([f"{file}: {where}: must be text"])
    return value


class Named(NamedTuple):
    """Paths of logs as they were given; with `rotated` a file brings those that were rotated.

    `by` is the configuration that names them, where one was given.
    """

    paths: tuple[str, ...]
    rotated: bool = False
    by: Path | None = None

    def sources(self) -> list[Source]:
        """Find the logs; what can't be read of several is said. Raises ReaderError for all."""
        try:
            return find(
                self.paths,
                rotated=self.rotated,
                on_refused=troubles.refused,
                on_damage=troubles.damaged,
            )
        except ReaderError as error:
            if self.by is None:
                raise
            where = "relative to this folder, as serve takes it"
            hint = "" if Path(self.paths[0]).is_absolute() else f" ({where})"
            raise ReaderError(f"{self.by}: log.path: {error}{hint}") from None


def named(options: Namespace, verb: str) -> Named:
    """Return FILE…, else the log of --config with all that were rotated. Raises WrongCall."""
    if options.file:
        return Named(tuple(options.file))
    path = (by_file := configured(options).path) or next(filter(os.path.exists, USUAL), "")
    if not path:
        raise WrongCall(f"{verb}: which FILE? There is no gateway.toml here, nor {USUAL[0]}")
    if path == "-":
        raise WrongCall(f"{verb}: which FILE? The gateway's log goes to its standard output")
    by = (options.config or CONFIGURATION) if by_file else None
    return Named((path,), rotated=True, by=by)


def sources_of(options: Namespace, verb: str) -> list[Source]:
    """Find the logs of FILE… and --config; the gateway's own log with all that were rotated."""
    return named(options, verb).sources()


def named_by(options: Namespace, verb: str, indexes: Iterable[str]) -> dict[str, Named]:
    """Return the logs of a query that asks for `indexes`; the key is the index, or empty.

    FILE… is searched whatever the query says. An index that is not known means the logs that are
    read without one.
    """
    known = {} if options.file else configured(options).indexes if indexes else {}
    found: dict[str, Named] = {}
    for name in indexes:
        matching = [index for index in known if fnmatchcase(index.lower(), name.lower())]
        for index in matching:
            found[index] = Named(known[index])
        if not matching:
            found.setdefault("", named(options, verb))
            notice(f"no index {name!r} in gateway.toml: {_instead(options)} searched")
    return found or {"": named(options, verb)}


def sources_asked(options: Namespace, verb: str, names: Iterable[str]) -> dict[str, list[Source]]:
    """Find the logs of a query that asks for the indexes `names`; see `named_by`."""
    return {index: logs.sources() for index, logs in named_by(options, verb, names).items()}


def _instead(options: Namespace) -> str:
    return "the given files are" if options.file else "the gateway's log is"
