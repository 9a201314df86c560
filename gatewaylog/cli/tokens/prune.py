"""`gatewaylog tokens prune --keep 90d`: lets go of rows that are older than is to be kept."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.cli.output.choosing import refuse_parquet
from gatewaylog.cli.tokens import asked, database
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from gatewaylog.audit.store.retention import Dropped
    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens prune --keep 90d --dry-run
  gatewaylog tokens prune --keep 1y --database postgresql://retention@db/gatewaylog

On PostgreSQL whole partitions are dropped, so that rows live up to one partition longer
than --keep; a login with the role gatewaylog_retention is enough. On SQLite rows are
deleted, and the file stays as large. In an Ed-Fi ODS/API's database rows of the
trigger's table are deleted too, if one may SELECT and DELETE them."""

_KEEP = re.compile(r"[1-9][0-9]{0,5}(d|w|mon|y)")
_COLUMNS = ("table", "name", "since", "until", "rows", "bytes")


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    database.configure(parser)
    parser.add_argument(
        "--keep", metavar="SPAN", default="", help="how long rows are kept: 90d, 12w, 6mon, 2y"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would go, keep it")
    asked.configure_output(parser)


def run(options: Namespace) -> int:
    """Let go of what is old, and tell what that was."""
    from gatewaylog.audit.queries.letting_go import OfTheStoreAlone, prune, statements

    refuse_parquet(options.output, "tokens prune")
    url, cutoff = database.url_of(options), _cutoff(options.keep)
    if options.sql:
        print("\n".join(f"{each};" for each in statements(url, cutoff, dry_run=options.dry_run)))
        return 0
    try:
        _tell(prune(url, cutoff, dry_run=options.dry_run), options)
    except OfTheStoreAlone as error:
        _tell(error.dropped, options)
        raise
    return 0


def _cutoff(keep: str) -> datetime:
    from gatewaylog.search import QueryError, moment

    if not _KEEP.fullmatch(keep):
        raise WrongCall("tokens prune: --keep must be how long rows are kept: 90d, 12w, 6mon, 2y")
    try:
        return datetime.fromtimestamp(moment(f"-{keep}", time.time()), UTC)
    except (QueryError, ValueError, OverflowError):
        raise WrongCall(f"tokens prune: --keep {keep}: out of range") from None


def _tell(dropped: Sequence[Dropped], options: Namespace) -> None:
    from gatewaylog.cli.output import Screen

    if not dropped and (options.output == "table" or Screen.of_output().terminal):
        print(f"nothing is older than {options.keep}")
        return
    rows: list[asked.Row] = [
        {
            "table": str(one.table),  # SQLAlchemy's own kind of text
            "name": str(one.name),
            "since": one.since,
            "until": one.until,
            "rows": one.rows,
            "bytes": one.size,
        }
        for one in dropped
    ]
    asked.show(asked.Answer(_COLUMNS, iter(rows)), options.output)
    if options.dry_run and Screen.of_output().terminal:
        print("nothing was dropped: --dry-run")
