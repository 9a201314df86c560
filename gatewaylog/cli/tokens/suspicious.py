"""`gatewaylog tokens suspicious`: clients that call too often, and what the rules find."""

from __future__ import annotations

import heapq
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from gatewaylog.cli import logs, span
from gatewaylog.cli.output.choosing import refuse_parquet
from gatewaylog.cli.tokens import asked, database
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    import sqlalchemy as sa

    from gatewaylog.audit.rules import Finding
    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens suspicious
  gatewaylog tokens suspicious --since -1d --threshold 1000 --severity medium
  gatewaylog tokens suspicious --no-rules --output json

First clients with more accesses than --threshold within the last hour, then what the
rules R01 to R14 find in the last 24 hours; both within --since and --until where these
are given. The rules are shown the 30 days before, too; [rules] in gateway.toml changes
them, and tokens watch runs them as the log grows. For programs, a row of a rule has
rule, severity, client, at, detail and rows, the MessageIDs. At a terminal there are 50
rows of each at most: the clients with most accesses, the findings that are most severe,
of those the newest; --output csv tells all."""

THRESHOLD = 100
_HEAD = 50  # rows of each at a terminal
_WORSE = {"low": 0, "medium": 1, "high": 2}
_FOUND = ("rule", "severity", "client", "at", "detail", "rows")


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    asked.configure(parser)
    parser.add_argument(
        "--threshold",
        metavar="N",
        type=int,
        default=THRESHOLD,
        help=f"accesses that are not suspicious yet ({THRESHOLD})",
    )
    parser.add_argument("--no-rules", action="store_true", help="clients that call often alone")
    parser.add_argument(
        "--severity", choices=("low", "medium", "high"), default="low", help="findings from it on"
    )


def run(options: Namespace) -> int:
    """Show both."""
    if options.threshold < 0:
        raise WrongCall("tokens suspicious: --threshold must be 0 or more")
    if options.sql:
        asked.print_sql("suspicious", options, threshold=options.threshold)
        if not options.no_rules:
            print("-- The rules R01 to R14 are no SQL: they are shown the rows one by one.")
        return 0
    refuse_parquet(options.output, "tokens suspicious")
    _ask(options)
    return 0


def _ask(options: Namespace) -> None:
    from gatewaylog.audit.queries.asking import EDFI, Asking
    from gatewaylog.cli.output import Screen

    asking = Asking(database.url_of(options))
    with asking.reading() as connection, ExitStack() as stack:
        table = asked.table_of(asking, connection)
        often = asked.answer(connection, table, "suspicious", options, threshold=options.threshold)
        with_rules = not options.no_rules and table is not EDFI  # which has no calls, only logins
        found = _findings(connection, options, stack) if with_rules else iter(())
        if options.output == "table" or (options.output == "auto" and Screen.of_output().terminal):
            _tell(often, found, options, with_rules=with_rules)
        else:
            columns = (*often.columns, *_FOUND) if with_rules else often.columns
            asked.show(asked.Answer(columns, _together(often, found)), options.output)


def _together(often: asked.Answer, found: Iterator[asked.Row]) -> Iterator[asked.Row]:
    yield from often.rows
    yield from found


def _tell(
    often: asked.Answer, found: Iterator[asked.Row], options: Namespace, *, with_rules: bool
) -> None:
    print(f"Clients with more than {options.threshold:,} accesses {_when(options, 'hour')}:\n")
    rows, more = _head(often.rows)
    asked.show(often._replace(rows=rows), options.output, look=asked.look_of("suspicious"))
    _tell_more(more)
    if with_rules:
        print(f"\nFindings of the rules {_when(options, '24 hours')}:\n")
        columns = tuple(name for name in _FOUND if name != "rows")
        rows, more = worst(found)
        asked.show(asked.Answer(columns, rows), options.output)
        _tell_more(more)


def _head(rows: Iterator[asked.Row]) -> tuple[Iterator[asked.Row], int]:
    """Return the first rows and how many more there are; all where it is no terminal."""
    if not _is_terminal():
        return rows, 0
    first = list(islice(rows, _HEAD))
    return iter(first), sum(1 for _ in rows)


def worst(rows: Iterator[asked.Row]) -> tuple[Iterator[asked.Row], int]:
    """Return the same of findings: the worst, of those the newest, in the order they came."""
    if not _is_terminal():
        return rows, 0
    found = list(rows)
    worst = heapq.nlargest(_HEAD, enumerate(found), key=lambda each: _weight(*each))
    shown = [row for _, row in sorted(worst, key=lambda each: each[0])]
    return iter(shown), len(found) - len(shown)


def _weight(at: int, row: asked.Row) -> tuple[int, float, int]:
    found = row["at"]
    moment = found.timestamp() if isinstance(found, datetime) else 0.0
    return _WORSE[str(row["severity"])], moment, at


def _is_terminal() -> bool:
    from gatewaylog.cli.output import Screen

    return Screen.of_output().terminal


def _tell_more(more: int) -> None:
    if more:
        print(f"and {more:,} more; --output csv tells all")


def _when(options: Namespace, usual: str) -> str:
    if options.since is None and options.until is None:
        return f"in the last {usual}"
    since = f"since {options.since}" if options.since else ""
    return f"{since} {f'until {options.until}' if options.until else ''}".strip()


def _findings(
    connection: sa.Connection, options: Namespace, stack: ExitStack
) -> Iterator[asked.Row]:
    from gatewaylog.audit.queries.findings import HISTORY, RECENT, findings
    from gatewaylog.audit.rules import Severity
    from gatewaylog.cli.watching import rules_of

    wanted = span.span_of(options)
    until = _moment(time.time() if wanted.latest is None else wanted.latest)
    since = until - RECENT if wanted.earliest is None else _moment(wanted.earliest)
    rules = rules_of(options, logs.configured(options), stack)
    found = findings(connection, rules, since=since, until=until, history=since - HISTORY)
    for finding in found:
        if finding.severity >= Severity[options.severity.upper()]:
            yield _row(finding)


def _moment(seconds: float) -> datetime:
    """Return a moment of which the query has shown that there is one, and history before it."""
    from gatewaylog.audit.queries.findings import HISTORY

    first = datetime.min.replace(tzinfo=UTC) + 2 * HISTORY
    return max(datetime.fromtimestamp(seconds, UTC), first)


def _row(finding: Finding) -> asked.Row:
    return {
        "rule": finding.rule,
        "severity": finding.severity.name.lower(),
        "client": finding.client,
        "at": datetime.fromtimestamp(finding.at, UTC),
        "detail": finding.detail,
        "rows": " ".join(finding.rows) or None,
    }
