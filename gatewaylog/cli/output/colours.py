"""What tells one series from another, and texts cut to their room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.output.widths import cut, width_of

if TYPE_CHECKING:
    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.cli.terminal import Colour

COLOURS: tuple[Colour, ...] = ("cyan", "yellow", "magenta", "green", "blue", "red", "bold", "dim")
_FILLS, _ASCII_FILLS = "█▓▒░▚▞▤▥", "#=+-:.ox"


def fillings(screen: Screen) -> str:
    """Return the fillings of series: one where colours tell them apart, eight without."""
    if not screen.knows(_FILLS):
        return _ASCII_FILLS[:1] if screen.colour else _ASCII_FILLS
    return _FILLS[:1] if screen.colour else _FILLS


def shortened(text: str, width: int, screen: Screen) -> str:
    """Return `text`, or its begin and a mark that something is left out."""
    if width_of(text) <= width:
        return text
    mark = "…" if screen.knows("…") else "~"
    return cut(text, max(0, width - 1)) + mark
