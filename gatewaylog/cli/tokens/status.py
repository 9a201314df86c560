"""`gatewaylog tokens status`: how much there is, since when, how far behind the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.output.choosing import refuse_parquet
from gatewaylog.cli.output.units import counted, duration, number, size
from gatewaylog.cli.tokens import asked, database, facts

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.audit.queries.state import Partition, StoreState
    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens status
  gatewaylog tokens status --database postgresql://reader@db/gatewaylog --output json
  gatewaylog tokens status logs/api-access.log

behind is how much older the newest line that was delivered is than the newest of the
log: FILE…, or the one of gateway.toml. In an Ed-Fi ODS/API's database the trigger's
state and cost are told, as by tokens edfi status."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "file", metavar="FILE", nargs="*", default=[], help="the log that is delivered"
    )
    database.configure(parser)
    asked.configure_output(parser)


def run(options: Namespace) -> int:
    """Tell it."""
    from gatewaylog.audit.queries.asking import EDFI, Asking
    from gatewaylog.audit.queries.state import state_of, statements

    refuse_parquet(options.output, "tokens status")
    asking = Asking(database.url_of(options))
    if options.sql:
        texts = statements(asking.usual_tables()[0].dialect, datetime.now(UTC))
        print("\n".join(f"{text};" for text in texts.values()))
        return 0
    told: list[facts.Fact] = []
    with asking.reading() as connection:
        tables = asking.tables(connection)
        if tables[0] is not EDFI:
            told += _facts(state_of(connection), options)
    if EDFI in tables:
        told += _of_the_trigger(options, is_alone=tables == (EDFI,))
    facts.show(told, options.output)
    return 0


def _facts(state: StoreState, options: Namespace) -> list[facts.Fact]:
    newest = _newest_line(options)
    behind = None
    if newest is not None and state.shipped_until is not None:
        behind = max(0.0, (newest - state.shipped_until).total_seconds())
    told = "not known: no log was found" if newest is None else "nothing was delivered yet"
    if behind is not None:
        told = duration(behind * 1000)
    table, indexes = state.table_bytes, state.index_bytes
    return [
        facts.Fact("rows", number(state.rows), state.rows),
        facts.Fact("rows_a_day", number(round(state.rows_a_day)), round(state.rows_a_day, 1)),
        facts.moment("oldest", state.oldest),
        facts.moment("newest", state.newest),
        facts.Fact("table", _size(table), table, "table_bytes"),
        facts.Fact("indexes", _size(indexes), indexes, "index_bytes"),
        facts.moment("shipped_until", state.shipped_until),
        facts.Fact("behind", told, behind, "behind_seconds"),
        *_of_partitions(state.partitions),
    ]


def _size(count: int | None) -> str:
    return "not known: this SQLite has no dbstat" if count is None else size(count)


def _of_partitions(partitions: tuple[Partition, ...]) -> list[facts.Fact]:
    if not partitions:
        return []
    first, last = partitions[0].lower, partitions[-1].upper
    told = f"{counted(len(partitions), 'partition')}, {first:%Y-%m-%d} to {last:%Y-%m-%d} (UTC)"
    return [
        facts.Fact("partitions", told, len(partitions)),
        facts.Fact("partitions_since", "", first.isoformat()),
        facts.Fact("partitions_until", "", last.isoformat()),
    ]


def _of_the_trigger(options: Namespace, *, is_alone: bool) -> list[facts.Fact]:
    from gatewaylog.audit.edfi import Installation
    from gatewaylog.cli.tokens.edfi import facts_of
    from gatewaylog.exceptions import TokenStoreError

    try:
        state = Installation(database.url_of(options)).state()
    except TokenStoreError as error:  # a reader of the store's may not see Ed-Fi's tables
        if is_alone:
            raise
        return [facts.Fact("edfi_trigger", f"not known: {error}", None)]
    return [
        fact._replace(name=f"edfi_{fact.name}", key=f"edfi_{fact.key or fact.name}")
        for fact in facts_of(state)
    ]


def _newest_line(options: Namespace) -> datetime | None:
    """Return the time of the log's newest line, None where no log is known."""
    from gatewaylog.cli.verbs import WrongCall
    from gatewaylog.exceptions import ReaderError
    from gatewaylog.formats import Line
    from gatewaylog.reader import lines_of

    try:
        sources = logs.sources_of(options, "tokens status")
    except (WrongCall, ReaderError):
        if options.file:
            raise
        return None
    newest = lines_of(sources, newest_first=True)
    return next((each.line.time for each in newest if isinstance(each.line, Line)), None)
