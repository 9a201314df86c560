"""Tables: by rich on a terminal, in plain columns elsewhere and where rich is not installed.

Many rows are shown in pages, each with its head, so that a table of millions begins at once.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from gatewaylog.cli.output.cells import cell
from gatewaylog.cli.output.colours import shortened
from gatewaylog.cli.output.lines import shown
from gatewaylog.cli.output.widths import padded, width_of
from gatewaylog.cli.terminal import painted, printable
from gatewaylog.notices import notice
from gatewaylog.search.values import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.search import Result
    from gatewaylog.search.values import Record

    Page = Sequence[Record]

_PAGE = 500  # rows
_NARROW, _EASY = 14, 30  # columns that a text may be folded to, and without being hard to read
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{8,15}|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a table is shown at a terminal, and in which `units` columns are.

    Columns of `spare` are left out, the last first, where there is no room for all; that is said.
    Texts are `folded` to lines, or else cut. `nothing` is what is said of a table without rows.
    """

    units: Mapping[str, str] = field(default_factory=dict)
    spare: Sequence[str] = ()
    folded: bool = True
    nothing: str = "no results"


_USUAL = Look()


def show(result: Result, screen: Screen, look: Look = _USUAL) -> None:
    """Print all rows."""
    put = _rich(screen, look) if screen.terminal else None
    found, empty = shown(result), True
    while page := list(islice(found, _PAGE)):
        columns = result.columns
        if columns is None:
            columns = tuple(dict.fromkeys(name for row in page for name in row))
        if put is None:
            _put_plain(columns, page, look.units)
        else:
            put(columns, page)
        empty = False
    if empty:
        print(look.nothing)


def _is_right(name: str, page: Page) -> bool:
    """Tell whether a column is one of numbers."""
    values = [row[name] for row in page if name in row]
    return bool(values) and all(number_of(value) is not None for value in values)


def _rich(screen: Screen, look: Look) -> Callable[[Sequence[str], Page], None] | None:
    try:
        from rich.console import Console
    except ImportError:
        notice("tables are plain without rich: pip install 'gatewaylog[reading]'")
        return None
    console = Console(width=screen.width, no_color=not screen.colour, highlight=False)

    def put(columns: Sequence[str], page: Page) -> None:
        for kept in range(len(look.spare), -1, -1):
            without = look.spare[kept:]
            names = [name for name in columns if name not in without]
            easy = _EASY if kept else _NARROW
            if table := _rich_table(names, page, screen, look, narrow=easy):
                console.print(table)
                _tell_left_out(without, screen)
                return
        _put_blocks(columns, page, screen, look.units)

    return put


def _tell_left_out(names: Sequence[str], screen: Screen) -> None:
    if names:
        for line in textwrap.wrap(f"no room for {', '.join(names)}", screen.width):
            print(painted(line, "dim" if screen.colour else None))


def _rich_table(
    columns: Sequence[str], page: Page, screen: Screen, look: Look, *, narrow: int
) -> Table | None:
    """Return a page as rich's table, None where it is too wide for one."""
    from rich.box import ASCII2, SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    cells = _cells(columns, page, look.units)
    right = [name != "_time" and _is_right(name, page) for name in columns]
    least = [
        _least(name, [row[at] for row in cells], 0 if right[at] else narrow)
        for at, name in enumerate(columns)
    ]
    room = screen.width - sum(least) - 2 * len(columns)
    if room < 0:
        return None
    if not look.folded:
        cells = _cut(cells, least, room, screen)
    box = SIMPLE_HEAD if screen.knows("─") else ASCII2
    bold = "bold" if screen.colour else ""
    # Two spaces between columns: the box's own one, and one on the right of each.
    table = Table(box=box, padding=(0, 1, 0, 0), header_style=bold, show_edge=False)
    for at, name in enumerate(columns):
        table.add_column(
            Text(printable(name)),
            justify="right" if right[at] else "left",
            overflow="fold",
            min_width=least[at],
        )
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _cut(cells: list[list[str]], least: list[int], room: int, screen: Screen) -> list[list[str]]:
    """Return the cells as texts of a line each: columns that need least of `room` get it first."""
    widths = list(least)
    longest = [max(width_of(row[at]) for row in cells) for at in range(len(least))]
    for at in sorted(range(len(least)), key=lambda at: longest[at] - least[at]):
        more = max(0, min(longest[at] - least[at], room))
        widths[at] += more
        room -= more
    return [
        [shortened(text, width, screen) for text, width in zip(row, widths, strict=True)]
        for row in cells
    ]


def _least(name: str, cells: Sequence[str], narrow: int) -> int:
    """Return how narrow a column may be: texts may be folded to `narrow` columns; times are not,
    nor are numbers (0) and heads.
    """
    longest = max(map(width_of, cells), default=0)
    firm = not narrow or all(map(_STAMP.fullmatch, cells))
    return max(width_of(printable(name)), longest if firm else min(longest, narrow))


def _cells(columns: Sequence[str], page: Page, units: Mapping[str, str]) -> list[list[str]]:
    return [[cell(name, row.get(name), units.get(name, "")) for name in columns] for row in page]


def _put_blocks(
    columns: Sequence[str], page: Page, screen: Screen, units: Mapping[str, str]
) -> None:
    """Print a line for each field, where a line for each row has no room."""
    width = max(width_of(printable(name)) for name in columns)
    for row in page:
        for name in columns:
            if name in row:
                head = painted(padded(printable(name), width), "bold" if screen.colour else None)
                text = cell(name, row[name], units.get(name, ""))
                print(f"{head}  {text}")
        print()


def _put_plain(columns: Sequence[str], page: Page, units: Mapping[str, str]) -> None:
    cells = [[text.split("\n") for text in row] for row in _cells(columns, page, units)]
    heads = [printable(name) for name in columns]
    widths = [
        max(width_of(head), *(width_of(text) for row in cells for text in row[at]))
        for at, head in enumerate(heads)
    ]
    right = [name != "_time" and _is_right(name, page) for name in columns]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(
            padded(text, width, right=is_right)
            for text, width, is_right in zip(texts, widths, right, strict=True)
        ).rstrip()

    print(line(heads))
    print(line(["-" * width for width in widths]))
    for row in cells:
        for at in range(max(map(len, row), default=0)):
            print(line([texts[at] if at < len(texts) else "" for texts in row]))
