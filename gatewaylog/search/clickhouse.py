"""From a plan to ClickHouse's SQL over the table of `clickhouse_table`.

ClickHouse lets through what may match. Where the order of rows does not matter it counts those of
equal values, and these are tried and put together here; where it does, it gives the lines
themselves, newest first. Either way the answer is made by the same code as that for a file.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.search.clickhouse_conditions import ANY_ROW, Condition, both, column, condition
from gatewaylog.search.clickhouse_table import FIRST, LAST, tick_of
from gatewaylog.search.commands.filtering import Head
from gatewaylog.search.gathering import gathering_of
from gatewaylog.search.parser import leaves
from gatewaylog.search.plan import reads_of
from gatewaylog.search.tree import All, Words

if TYPE_CHECKING:
    from gatewaylog.search.gathering import Gathering
    from gatewaylog.search.plan import Plan
    from gatewaylog.search.tree import Search

TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?")
END = "."  # the last cell of each row: what breaks off within one lacks it
_QUOTED_END = f"'{END}'"
_TICK = "toUnixTimestamp64Micro(time)"
_TIMES = {"": (), "s": (f"{_TICK} - positiveModulo({_TICK}, 1000000)",), "ms": (_TICK,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of equal values, each with how often it comes.

    The statement gives, in this order: the time where `gathering.time` asks for it (microseconds
    since the epoch), the fields `names`, the number of rows, END. `matched`: the rows are known to
    match.
    """

    sql: str
    gathering: Gathering
    names: tuple[str, ...]
    matched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines, newest first: the statement gives the line, END."""

    sql: str


def statement_of(plan: Plan, table: str) -> Counts | Lines:
    """Return what to ask of `table`, a TABLE_NAME."""
    name = ".".join(f"`{part}`" for part in table.split("."))
    gathering = gathering_of(plan)
    if gathering is not None and _words_are_told(plan):
        return _counts(plan, gathering, name)
    return _lines(plan, name)


def _words_are_told(plan: Plan) -> bool:
    """Tell whether ClickHouse finds words exactly: they are not looked for again in counts."""
    parts = plan.first.parts if isinstance(plan.first, All) else (plan.first,)
    return all(condition(part).exact for part in parts if _is_of_words(part))


def _is_of_words(part: Search) -> bool:
    return all(isinstance(leaf, Words) for leaf in leaves(part))


def _counts(plan: Plan, gathering: Gathering, table: str) -> Counts:
    found = condition(plan.first)
    read = reads_of(plan.commands) if found.exact else gathering.names
    names = tuple(sorted(gathering.names & (read or frozenset())))
    keys = [*_TIMES[gathering.time], *map(column, names)]
    where = both([found, _within(plan)])
    wanted = ", ".join([*keys, "count()", _QUOTED_END])
    # Nothing of a query stands in it but as a literal.
    chosen = f"SELECT {wanted} FROM {table} WHERE {where.sql}"  # noqa: S608
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    return Counts(
        sql=f"{chosen}{grouped} FORMAT TabSeparated",
        gathering=gathering,
        names=names,
        matched=found.exact,
    )


def _lines(plan: Plan, table: str) -> Lines:
    where = both([condition(plan.first), _within(plan)])
    chosen = f"SELECT raw, {_QUOTED_END} FROM {table} WHERE {where.sql}"  # noqa: S608
    ordered = " ORDER BY time DESC, source DESC, position DESC"
    first = plan.commands[0] if plan.commands else None
    if isinstance(first, Head) and first.condition is None and where.exact:
        ordered += f" LIMIT {first.count}"
    return Lines(sql=f"{chosen}{ordered} FORMAT TabSeparated")


def _within(plan: Plan) -> Condition:
    """Return the condition of the plan's range, to the microsecond."""
    parts = [ANY_ROW]
    if plan.earliest is not None:
        parts.append(_since(_first_from(plan.earliest)))
    if plan.latest is not None:
        since = _since(_first_from(plan.latest))
        parts.append(Condition(f"NOT ({since.sql})", exact=True))
    return both(parts)


def _since(tick: int) -> Condition:
    if tick <= FIRST:
        return ANY_ROW
    if tick >= LAST:
        return Condition("0", exact=True)
    return Condition(f"time >= fromUnixTimestamp64Micro({tick}, 'UTC')", exact=True)


def _first_from(moment: float) -> int:
    """Return the first whole microsecond that is not before `moment`, as rows' times are told."""
    if not math.isfinite(moment):
        return LAST if moment > 0 else FIRST
    tick = tick_of(moment) - 2
    while tick / 1_000_000 < moment:
        tick += 1
    return tick
