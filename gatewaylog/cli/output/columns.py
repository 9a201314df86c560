"""Columns over time: a band for each series, all on one scale or each on its own, and the times
beneath.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.cli.output.cells import cell
from gatewaylog.cli.output.colours import COLOURS, shortened
from gatewaylog.cli.output.ticks import labels_of, round_above
from gatewaylog.cli.output.widths import padded, width_of
from gatewaylog.cli.terminal import painted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gatewaylog.cli.output.charts import Drawing
    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.cli.terminal import Colour
    from gatewaylog.search.values import Number

_EIGHTHS, _ASCII = " ▁▂▃▄▅▆▇█", " _.:-=+*#"
_ALONE, _AMONG = 8, 2  # lines of a band
_WIDEST = 24  # characters of a column


def draw(drawing: Drawing, screen: Screen, *, apart: bool = False) -> None:
    """Print the bands, each on a scale of its own where they are `apart`, and the axis."""
    for line in _lines(drawing, screen, apart=apart):
        print(line)


def _lines(drawing: Drawing, screen: Screen, *, apart: bool) -> Iterator[str]:
    highest = _highest(drawing, apart=apart)
    totals = _totals(drawing)
    frame = _Frame(
        names=min(max(width_of(printable(name)) for name in drawing.series), screen.width // 3),
        scale=max(width_of(cell("", each)) for each in highest),
        height=_ALONE if len(drawing.series) == 1 else _AMONG,
        screen=screen,
    )
    room = max(1, screen.width - frame.indent - max(map(len, totals)) - 2)
    together = -(-len(drawing.moments) // room)  # spans of a column, where not all fit
    moments = drawing.moments[::together]
    width = max(1, min(_WIDEST, room // len(moments)))
    for at, (name, numbers) in enumerate(drawing.series.items()):
        peaks = [max(numbers[n : n + together]) for n in range(0, len(numbers), together)]
        band = _band(peaks, highest[at], frame.height, width, screen)
        ends = name, cell("", highest[at]) if highest[at] else "", totals[at]
        yield from frame.filled(band, *ends, COLOURS[at % len(COLOURS)])
    yield from _axis(moments, width, frame.indent, screen)
    if together > 1:
        yield f"{'':{frame.indent}}each column: the highest of {together} spans"


def _highest(drawing: Drawing, *, apart: bool) -> list[Number]:
    """Return where the scale of each series ends."""
    highest = [max(numbers) for numbers in drawing.series.values()]
    return [round_above(each if apart else max(highest)) for each in highest]


def _totals(drawing: Drawing) -> list[str]:
    """Return the sum of each series of counts; of measures none is told."""
    return [
        cell("", sum(numbers)) if all(isinstance(number, int) for number in numbers) else ""
        for numbers in drawing.series.values()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What stands around the bands: names, `scale` columns for the scale, and the sum behind."""

    names: int
    scale: int
    height: int
    screen: Screen

    @property
    def indent(self) -> int:
        """Where columns begin."""
        return self.names + self.scale + 3

    def filled(
        self, band: Iterator[str], name: str, highest: str, total: str, colour: Colour
    ) -> Iterator[str]:
        """Yield a band's lines: where its scale ends, and on the last its name and its sum."""
        edge = "┤" if self.screen.knows("┤") else "|"
        label = shortened(printable(name), self.names, self.screen)
        for level, text in enumerate(band):
            last = level == self.height - 1
            end = "0" if last else (highest if level == 0 else "")
            before = f"{padded(label if last else '', self.names)} {end:>{self.scale}} {edge}"
            shown = painted(text, colour if self.screen.colour else None)
            yield f"{before}{shown} {total if last else ''}".rstrip()


def _band(
    peaks: Sequence[Number], highest: Number, height: int, width: int, screen: Screen
) -> Iterator[str]:
    """Yield the lines of a band, the highest first; what is not 0 is seen."""
    steps = _EIGHTHS if screen.knows(_EIGHTHS) else _ASCII
    top = len(steps) - 1
    full = height * top
    heights = [
        max(round(max(0, peak) * full / highest), int(peak > 0)) if highest > 0 else 0
        for peak in peaks
    ]
    for level in range(height - 1, -1, -1):
        marks = [steps[min(top, max(0, size - level * top))] for size in heights]
        gap = " " if width > 2 else ""
        yield "".join(mark * (width - len(gap)) + gap for mark in marks)


def _axis(moments: Sequence[float], width: int, indent: int, screen: Screen) -> Iterator[str]:
    """Yield the line of ticks and that of times, at as many round times as have room."""
    labels = labels_of(moments, width)
    tick, rule = ("┬", "─") if screen.knows("┬─") else ("+", "-")
    corner = "└" if screen.knows("└") else "+"
    ticks = "".join(
        (tick if at in labels else rule) + rule * (width - 1) for at in range(len(moments))
    )
    yield f"{'':{indent - 1}}{corner}{ticks}"
    shown = ""
    for at, label in labels.items():
        shown += " " * (at * width - len(shown)) + label
    yield f"{'':{indent}}{shown}".rstrip()
