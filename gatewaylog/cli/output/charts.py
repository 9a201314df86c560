"""Charts of text: columns over time, bars for everything else.

Each series has its colour; where there are no colours, its own filling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewaylog.cli.output import bars, columns, tables
from gatewaylog.cli.output.cells import cell
from gatewaylog.search.values import number_of

if TYPE_CHECKING:
    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.search import Result
    from gatewaylog.search.values import Number, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is drawn: a label for each row, and each series' number in each of them."""

    labels: list[str]
    series: dict[str, list[Number]]
    moments: list[float]


def show(result: Result, screen: Screen, *, apart: bool = False) -> None:
    """Draw a result; one without numbers is a table.

    Columns over time share a scale unless their series are `apart`, so that few are seen beside
    many.
    """
    rows = list(result.rows)
    drawing = drawing_of(result, rows)
    if not drawing.series or not rows:
        tables.show(replace(result, rows=iter(rows)), screen)
    elif drawing.moments:
        columns.draw(drawing, screen, apart=apart)
    else:
        bars.draw(drawing, screen)


def drawing_of(result: Result, rows: list[Record]) -> Drawing:
    """Tell series, columns of numbers, from what labels the rows."""
    names = [name for name in result.columns or () if name != result.axis]
    numbers = [name for name in names if _is_series(name, rows, charted=bool(result.axis))]
    drawn = numbers if result.axis else numbers[:1]  # a table's are measures of different kinds
    others = [result.axis] if result.axis else [name for name in names if name not in numbers]
    moments = [row.get("_time") for row in rows] if others == ["_time"] else []
    timed = bool(moments) and all(isinstance(moment, (int, float)) for moment in moments)
    return Drawing(
        labels=[" ".join(cell(name, row.get(name)) for name in others) for row in rows],
        series={name: [number_of(row.get(name)) or 0 for row in rows] for name in drawn},
        moments=[float(moment) for moment in moments if isinstance(moment, (int, float))]
        if timed
        else [],
    )


def _is_series(name: str, rows: list[Record], *, charted: bool) -> bool:
    """Tell whether a column is drawn: one of numbers, in a table none of numbers as texts."""
    values = [row[name] for row in rows if name in row]
    if charted:
        return any(number_of(value) is not None for value in values)
    return bool(values) and all(isinstance(value, (int, float)) for value in values)
