"""Events at a terminal: a line each, as `tail` shows them, and what the query computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.event_lines import EventLines
from gatewaylog.cli.output.cells import RAW, cell
from gatewaylog.cli.terminal import painted, printable

if TYPE_CHECKING:
    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.search import Result
    from gatewaylog.search.values import Record

_OWN = frozenset({"_time", RAW, "index"})


def show(result: Result, screen: Screen) -> None:
    """Print the events; those whose lines are gone, as `fields` leaves them, by their fields."""
    lines = EventLines(colour=screen.colour, encoding=screen.encoding, longest=screen.longest)
    for row in result.rows:
        raw = row.get(RAW)
        if not isinstance(raw, str) or "Event" not in row:
            print(f"{cell('_time', row.get('_time'))}  {_fields(row, '', lines)}".strip())
            continue
        computed = painted(_fields(row, raw, lines), "dim" if screen.colour else None)
        line = lines.readable(raw.encode("utf-8", "surrogateescape"))
        print(f"{line}  {computed}" if computed else line)


def _fields(row: Record, raw: str, lines: EventLines) -> str:
    """Return the fields that the line itself does not hold."""
    return " ".join(
        f'{printable(name)}="{lines.shortened(cell(name, value))}"'
        for name, value in row.items()
        if name not in _OWN and f"{name}=" not in raw and f'"{name}"' not in raw
    )
