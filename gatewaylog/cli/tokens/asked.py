"""What the verbs that ask the database have in common: options, and how rows are shown."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.cli import span
from gatewaylog.cli.output.cells import local
from gatewaylog.cli.output.choosing import OUTPUTS, TABLES, refuse_parquet
from gatewaylog.cli.output.tables import Look
from gatewaylog.cli.tokens import database
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    import sqlalchemy as sa

    from gatewaylog.audit.queries.asking import Asking, Value
    from gatewaylog.audit.queries.statements import Name, Table, Window
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.search.values import Record

Row = dict[str, "Value"]
_USUAL = Look()
# At a terminal a row of the log is a line; where there is no room, these are left out, last first.
_OF_THE_LOG = Look(
    spare=(
        *("vendor_name", "request_url", "method", "token_ref", "remote_ip", "api", "error_code"),
        *("user_agent", "duration_ms", "outcome", "backend_url", "message_id"),
        *("vendor_id", "application_id", "api_client_id", "log_id"),
    ),
    units={"duration_ms": "ms"},
    folded=False,
)
_LOOKS: dict[str, Look] = {
    "log": _OF_THE_LOG,
    "suspicious": Look(spare=("last_access", "first_access")),
}


class Answer(NamedTuple):
    """A query's columns and rows; the rows come while the connection is open."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


def configure(parser: Parser, *, charts: bool = False) -> None:
    """Add what each of them takes."""
    database.configure(parser)
    configure_output(parser, charts=charts)
    span.configure(parser)


def configure_output(parser: Parser, *, charts: bool = False) -> None:
    """Add --output and --sql."""
    kinds = [kind for kind in OUTPUTS if kind in TABLES or (charts and kind == "chart")]
    parser.add_argument(
        "--output",
        choices=kinds,
        default="auto",
        help=f"auto: a {'chart' if charts else 'table'} on a terminal, ndjson elsewhere",
    )
    parser.add_argument(
        "--sql", action="store_true", help="print the SQL instead, as this database takes it"
    )


def window_of(name: Name, options: Namespace) -> Window:
    """Return what --since and --until ask for, else how far back the guide's query looks."""
    from gatewaylog.audit.queries.statements import USUAL, Window

    wanted = span.span_of(options)
    last = USUAL[name] if wanted.earliest is None else None
    return Window(earliest=wanted.earliest, latest=wanted.latest, last=last)


def sql_of(name: Name, table: Table, options: Namespace, *, threshold: int = 0) -> str:
    """Return the query's SQL. Raises WrongCall for a time that no database knows."""
    from gatewaylog.audit.queries.statements import statement

    try:
        return statement(name, table, window_of(name, options), threshold=threshold)
    except ValueError as error:
        raise WrongCall(f"tokens {name}: --since or --until: {error}") from None


def print_sql(name: Name, options: Namespace, *, threshold: int = 0) -> None:
    """Print a query, runnable as it stands."""
    from gatewaylog.audit.queries.asking import Asking

    table = Asking(database.url_of(options)).usual_tables()[0]
    print(f"{sql_of(name, table, options, threshold=threshold)};")


def table_of(asking: Asking, connection: sa.Connection) -> Table:
    """Return the table that is asked; say so where there is another."""
    from gatewaylog.audit.queries.asking import holds_rows

    table, *others = asking.tables(connection)
    for other in others:
        if holds_rows(connection, other):
            notice(f"{other.name}, of Ed-Fi's trigger, holds rows too, which are not shown")
    return table


def answer(
    connection: sa.Connection, table: Table, name: Name, options: Namespace, *, threshold: int = 0
) -> Answer:
    """Ask."""
    from gatewaylog.audit.queries.asking import rows_of

    sql = sql_of(name, table, options, threshold=threshold)
    return Answer(table.columns if name == "log" else COLUMNS[name], rows_of(connection, sql))


def show_query(name: Name, options: Namespace, *, threshold: int = 0) -> None:
    """Ask, and show what comes, in one of TABLES."""
    from gatewaylog.audit.queries.asking import Asking

    refuse_parquet(options.output, f"tokens {name}")
    asking = Asking(database.url_of(options))
    with asking.reading() as connection:
        table = table_of(asking, connection)
        found = answer(connection, table, name, options, threshold=threshold)
        show(found, options.output, look=look_of(name))


def show(found: Answer, output: str, *, look: Look = _USUAL) -> None:
    """Show rows; moments are local time at a terminal, UTC for programs."""
    from gatewaylog.cli.output import Screen, tables
    from gatewaylog.cli.output import show as show_result
    from gatewaylog.search import Result

    screen = Screen.of_output()
    is_told = output == "table" or (output == "auto" and screen.terminal)
    rows = (record_of(row, told=is_told) for row in found.rows)
    result = Result(found.columns, rows, "table")
    if is_told:
        tables.show(result, screen, look)
    else:
        show_result(result, output, verb="tokens", screen=screen)


def look_of(name: Name) -> Look:
    """Return how a query's rows look at a terminal."""
    return _LOOKS.get(name, _USUAL)


def record_of(row: Row, *, told: bool) -> Record:
    """Return a row as it is shown, to a person where `told`; what is null is left out."""
    return {
        name: _shown(value, told=told) if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None
    }


def _shown(moment: datetime, *, told: bool) -> str:
    return local(moment.timestamp()) if told else moment.isoformat()


COLUMNS: dict[Name, tuple[str, ...]] = {
    "vendors": ("vendor_name", "access_count", "last_access", "unique_tokens"),
    "suspicious": (
        *("api_client_key", "application_name", "vendor_name"),
        *("access_count", "first_access", "last_access"),
    ),
    "timeline": (
        *("access_hour", "vendor_name", "application_name"),
        *("api_client_key", "access_count"),
    ),
}
