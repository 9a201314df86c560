"""Tables: by rich on a terminal, in plain columns elsewhere and where rich is not installed.

Many rows are shown in pages, each with its head, so that a table of millions begins at once.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from gatewaylog.cli.output.cells import cell
from gatewaylog.cli.output.lines import shown
from gatewaylog.cli.terminal import printable
from gatewaylog.notices import notice
from gatewaylog.search.values import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.search import Result
    from gatewaylog.search.values import Record

    Page = Sequence[Record]

_PAGE = 500  # rows
_NO_RESULT = "no results"


def show(result: Result, screen: Screen) -> None:
    """Print all rows."""
    put = _rich(screen) if screen.terminal else None
    found, empty = shown(result), True
    while page := list(islice(found, _PAGE)):
        columns = result.columns
        if columns is None:
            columns = tuple(dict.fromkeys(name for row in page for name in row))
        if put is None:
            _put_plain(columns, page)
        else:
            put(columns, page)
        empty = False
    if empty:
        print(_NO_RESULT if screen.terminal else " ".join(map(printable, result.columns or ())))


def _is_right(name: str, page: Page) -> bool:
    """Tell whether a column is one of numbers."""
    values = [row[name] for row in page if name in row]
    return bool(values) and all(number_of(value) is not None for value in values)


def _rich(screen: Screen) -> Callable[[Sequence[str], Page], None] | None:
    try:
        from rich.box import ASCII2, SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        notice("tables are plain without rich: pip install 'gatewaylog[reading]'")
        return None
    console = Console(width=screen.width, no_color=not screen.colour, highlight=False)
    box = SIMPLE_HEAD if screen.knows("─") else ASCII2

    def put(columns: Sequence[str], page: Page) -> None:
        bold = "bold" if screen.colour else ""
        table = Table(box=box, pad_edge=False, header_style=bold, show_edge=False)
        for name in columns:
            right = name != "_time" and _is_right(name, page)
            table.add_column(
                Text(printable(name)), justify="right" if right else "left", overflow="fold"
            )
        for row in page:
            table.add_row(*(Text(cell(name, row.get(name))) for name in columns))
        console.print(table)

    return put


def _put_plain(columns: Sequence[str], page: Page) -> None:
    cells = [[cell(name, row.get(name)).split("\n") for name in columns] for row in page]
    heads = [printable(name) for name in columns]
    widths = [
        max(len(head), *(len(text) for row in cells for text in row[at]))
        for at, head in enumerate(heads)
    ]
    right = [name != "_time" and _is_right(name, page) for name in columns]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(texts, widths, right, strict=True)
        ).rstrip()

    print(line(heads))
    print(line(["-" * width for width in widths]))
    for row in cells:
        for at in range(max(map(len, row), default=0)):
            print(line([texts[at] if at < len(texts) else "" for texts in row]))
