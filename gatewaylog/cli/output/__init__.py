"""What a query gives, as a table, a chart or lines for a program."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewaylog.cli.output.choosing import OUTPUTS, chosen
from gatewaylog.cli.output.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewaylog.search import Result

__all__ = ["OUTPUTS", "Screen", "show"]


def show(
    result: Result,
    output: str,
    *,
    verb: str,
    screen: Screen | None = None,
    units: Mapping[str, str] | None = None,
) -> None:
    """Write a result to standard output in one of OUTPUTS; `units` of columns are for people.

    Raises WrongCall where it can't be shown so, before anything is written.
    """
    from gatewaylog.cli.output import charts, events, lines, tables

    screen = screen or Screen.of_output()
    kind = chosen(output, result, verb=verb, terminal=screen.terminal)
    rows = iter(result.rows)
    # A query's mistake that only rows show comes up here, before the first line is out.
    first = next(rows, None)
    result = replace(result, rows=iter(()) if first is None else lines.chained(first, rows))
    match kind:
        case "events":
            events.show(result, screen)
        case "table":
            tables.show(result, screen, tables.Look(units=units or {}))
        case "chart":
            charts.show(result, screen)
        case _:
            lines.WRITERS[kind](result, screen)
    sys.stdout.flush()
