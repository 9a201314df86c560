"""A query's text read into commands: the search it begins with, and those behind each `|`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.search.commands.chart import Chart, parse_chart
from gatewaylog.search.commands.computing import parse_bin, parse_eval
from gatewaylog.search.commands.extracting import parse_rex
from gatewaylog.search.commands.filtering import (
    Search,
    parse_dedup,
    parse_head,
    parse_search_command,
    parse_tail,
    parse_where,
)
from gatewaylog.search.commands.ordering import parse_sort
from gatewaylog.search.commands.ranking import Top, parse_rare, parse_top
from gatewaylog.search.commands.shaping import (
    Fields,
    Table,
    parse_fields,
    parse_fillnull,
    parse_rename,
    parse_table,
)
from gatewaylog.search.commands.statistics import Stats, parse_stats
from gatewaylog.search.commands.timechart import Timechart, parse_timechart
from gatewaylog.search.commands.transactions import parse_transaction
from gatewaylog.search.query_error import QueryError
from gatewaylog.search.scanner import Scanner
from gatewaylog.search.terms import parse_search
from gatewaylog.search.tree import All, Any, Match, Not, OneOf, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gatewaylog.search.scanner import Token
    from gatewaylog.search.stream import Command
    from gatewaylog.search.tree import Search as Searched

COMMANDS: dict[str, Callable[[Scanner], Command]] = {
    "bin": parse_bin,
    "bucket": parse_bin,
    "chart": parse_chart,
    "dedup": parse_dedup,
    "eval": parse_eval,
    "fields": parse_fields,
    "fillnull": parse_fillnull,
    "head": parse_head,
    "rare": parse_rare,
    "rename": parse_rename,
    "rex": parse_rex,
    "search": parse_search_command,
    "sort": parse_sort,
    "stats": parse_stats,
    "table": parse_table,
    "tail": parse_tail,
    "timechart": parse_timechart,
    "top": parse_top,
    "transaction": parse_transaction,
    "where": parse_where,
}
_MOST = 60
_ONLY_FIRST = frozenset({"index", "earliest", "latest"})


def parse(query: str) -> tuple[Searched, tuple[Command, ...], tuple[Token, ...]]:
    """Return the search that `query` begins with, the commands behind it, and the name of each as
    it stands there. Raises QueryError.
    """
    scan = Scanner(query)
    try:
        search, found = _first_search(scan), list(_commands(scan))
        return search, tuple(command for command, _ in found), tuple(name for _, name in found)
    except RecursionError:
        raise QueryError(query, 0, len(query), "nested too deep") from None


def _first_search(scan: Scanner) -> Searched:
    if not scan.finished() and scan.done():
        scan.fail("a query begins with a search", known=["*", "a word", "field=value"])
    start = scan.at
    if scan.word("search") and not scan.done() and scan.query[scan.at] not in "=<>!":
        start = scan.at
    scan.at = start
    search = parse_search(scan)
    scan.end_command()
    return search


def _commands(scan: Scanner) -> Iterator[tuple[Command, Token]]:
    lines = True
    for count in range(_MOST + 1):
        if not scan.take_sign("|"):
            return
        if count == _MOST:
            scan.fail(f"{_MOST} commands are known at most")
        name = scan.word_or_quoted("a command")
        parse_command = COMMANDS.get(name.text.lower())
        if parse_command is None:
            scan.fail(f"the command {name.text} is not known", name, sorted(COMMANDS))
        command = parse_command(scan)
        scan.end_command()
        if isinstance(command, Search):
            _check_later(scan, command.search, lines=lines)
        lines = lines and _keeps_lines(command)
        yield command, name


def _keeps_lines(command: Command) -> bool:
    if isinstance(command, Table):
        return "_raw" in command.fields
    if isinstance(command, Fields):
        return command.keep or "_raw" not in command.fields
    return not isinstance(command, (Stats, Chart, Timechart, Top))


def _check_later(scan: Scanner, search: Searched, *, lines: bool) -> None:
    for part in leaves(search):
        if isinstance(part, Words) and not lines:
            message = "there are no lines any more in which a word could be found"
            scan.fail(message, part.place, ["field=value"])
        if isinstance(part, (Match, OneOf)) and part.name in _ONLY_FIRST:
            scan.fail(f"{part.name}= belongs to the search that a query begins with", part.place)


def leaves(search: Searched) -> Iterator[Words | Match | OneOf]:
    """Yield the words and comparisons of a search."""
    match search:
        case Not(part):
            yield from leaves(part)
        case All(parts) | Any(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield search
