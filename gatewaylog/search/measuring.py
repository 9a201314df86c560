"""Which fields of a query are looked at by nothing but functions that need no record: those that
are measured (summed or ranked), and those of which the different texts are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.search.commands.chart import Chart
from gatewaylog.search.commands.computing import Bin, Eval
from gatewaylog.search.commands.extracting import Rex
from gatewaylog.search.commands.filtering import Search, Where
from gatewaylog.search.commands.shaping import Fields, Fillnull, Rename
from gatewaylog.search.commands.statistics import Stats
from gatewaylog.search.commands.timechart import Timechart
from gatewaylog.search.tree import fields_of, fields_searched
from gatewaylog.search.views import NUMERIC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.search.commands.aggregations import Aggregation
    from gatewaylog.search.stream import Command

# What they give does not change with texts among the numbers. `min` and `max` of a field do.
_OF_NUMBERS = frozenset({"p", "sum", "avg"})
_OF_TIMES = frozenset({"min", "max"})


def measures_of(
    singles: Iterable[Command], gatherer: object, searched: frozenset[str]
) -> tuple[set[str], set[str]]:
    """Return the fields, `_time` among them, whose numbers may be handed over by themselves, and
    those whose different texts may.

    `searched` are the fields that the search looks at, `singles` the commands before `gatherer`.
    """
    if not isinstance(gatherer, (Stats, Chart, Timechart)):
        return set(), set()
    found = {part.argument for part in gatherer.aggregations if isinstance(part.argument, str)}
    used = searched | _grouped(gatherer)
    measured: set[str] = set()
    told: set[str] = set()
    for part in gatherer.aggregations:
        if _measures(part):
            measured |= part.reads()
        elif part.function == "dc" and isinstance(part.argument, str):
            told |= part.reads()
        else:
            used |= part.reads()
    used |= (measured & told) | {"_time"} - measured
    free = {name for name in found - used if not any(_touches(each, name) for each in singles)}
    return free & measured, free & told


def _measures(part: Aggregation) -> bool:
    if part.argument == "_time":
        return part.function in _OF_TIMES
    return part.function in _OF_NUMBERS and part.argument in NUMERIC


def _grouped(gatherer: Stats | Chart | Timechart) -> frozenset[str]:
    match gatherer:
        case Stats():
            return frozenset(gatherer.by)
        case Chart():
            return frozenset(by.name for by in (gatherer.row, gatherer.column) if by)
        case Timechart():
            return frozenset({"_time", gatherer.by})


def _touches(command: Command, name: str) -> bool:
    """Tell whether a command reads, makes, renames or takes away a field."""
    match command:
        case Search():
            return name in fields_searched(command.search)
        case Where():
            return name in fields_of(command.condition)
        case Eval():
            return any(
                name == made or name in fields_of(expression)
                for made, expression in command.assignments
            )
        case Rex():
            return name in {command.field, *command.pattern.groupindex}
        case Bin():
            return name in {command.field, command.name}
        case Fillnull():
            return name in command.fields
        case Rename():
            return any("*" in old or name in {old, new} for old, new in command.names)
        case Fields():
            kept = name in command.fields
            return any("*" in field for field in command.fields) or kept is not command.keep
        case _:
            return True
