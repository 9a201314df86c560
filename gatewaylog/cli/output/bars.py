"""Bars: one for each row, stacked of the row's series."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from gatewaylog.cli.output.cells import cell
from gatewaylog.cli.output.colours import COLOURS, fillings, shortened
from gatewaylog.cli.output.widths import padded, width_of
from gatewaylog.cli.terminal import painted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.cli.output.charts import Drawing
    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.search.values import Number


def draw(drawing: Drawing, screen: Screen) -> None:
    """Print a line for each row, then what the fillings mean."""
    for line in _lines(drawing, screen):
        print(line)


def _lines(drawing: Drawing, screen: Screen) -> Iterator[str]:
    fills = fillings(screen)
    stacks = list(zip(*drawing.series.values(), strict=True))
    totals = [sum(max(0, number) for number in stack) for stack in stacks]
    told = [cell("", total) for total in totals]
    names = min(max(map(width_of, drawing.labels), default=0), screen.width * 2 // 5)
    around = names + max(map(len, told), default=0) + 4
    room = max(1, screen.width - around - len(stacks[0]))  # each part may be rounded up by one
    most = max(totals, default=0) or 1
    for label, stack, total in zip(drawing.labels, stacks, told, strict=True):
        bar = "".join(
            painted(fills[at % len(fills)] * length, COLOURS[at % len(COLOURS)])
            if screen.colour
            else fills[at % len(fills)] * length
            for at, length in enumerate(_lengths(stack, most, room))
        )
        yield f"{padded(shortened(label, names, screen), names)}  {bar} {total}".rstrip()
    if len(drawing.series) > 1:
        yield ""
        yield from _legend(list(drawing.series), screen)


def _lengths(stack: tuple[Number, ...], most: Number, room: int) -> list[int]:
    """Return how long each part is; one that is not 0 is seen, and the sum is that of the whole."""
    ends = [round(end * room / most) for end in accumulate(max(0, part) for part in stack)]
    lengths = [after - before for before, after in pairwise([0, *ends])]
    return [max(length, part > 0) for length, part in zip(lengths, stack, strict=True)]


def _legend(names: list[str], screen: Screen) -> Iterator[str]:
    """Yield the series with their fillings, as many on a line as fit."""
    fills, line, width = fillings(screen), "", 0
    for at, name in enumerate(names):
        text = shortened(printable(name), screen.width - 4, screen)
        if width and width + width_of(text) + 4 > screen.width:
            yield line.rstrip()
            line, width = "", 0
        mark = fills[at % len(fills)]
        shown = painted(mark, COLOURS[at % len(COLOURS)]) if screen.colour else mark
        line, width = f"{line}{shown} {text}  ", width + width_of(text) + 4
    yield line.rstrip()
