"""A few fields of many lines at once, by one expression for lines as the formats write them.

Made from the layouts, it takes the wanted values out of a block and checks the rest of each line as
`row_reader` does, which all other lines are left to. With equal values counted at once that takes a
third of the time that a row for each line takes (benchmarks/search.py).
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.events import LAYOUTS, SEQ, WRITER
from gatewaylog.search.prefilter import parted
from gatewaylog.search.rows import seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gatewaylog.events import Layout

# A day that every month has, or that this one has; the 29th of February is left to row_reader.
_DAY = (
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
_SECOND = rf"[12][0-9]{{3}}-{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET = r"[+-](?:0[0-9]|1[0-4])[0-5][0-9]"
PREFIX = r" \[[^\]\n]*+\]\[[^\]\n]*+\]\{[^}\n]*+\}\[[^\]\n]*+\] [^\s]++ ++"
# A text might go on behind the line's end: `taken` notices. Leaving the line feed out of the set
# would take twice the time.
VALUES = {str: '[^"]*+', int: "(?:[0-9]++|null)", float: r"(?:[0-9]++(?:\.[0-9]++)?+|null)"}
AFTER = r"(?:, (?=[A-Za-z_])|(?=\n|\Z))"


class Taken(NamedTuple):
    """What was taken of a line: its wanted fields, its time (0 where not wanted), and how often."""

    fields: dict[str, str]
    time: float
    times: int


class Columns:
    """Takes the fields `names` of lines.

    `time` is "" where it is not wanted, "s" for the second that it lies in, "ms" for all of it.
    """

    def __init__(self, names: Collection[str], time: str = "") -> None:
        self._time = time
        self._second_of = seconds()
        self._places: list[tuple[str, int]] = []
        numbers = count(1 + 2 * bool(time) + (time == "ms"))
        expression = "|".join(self._layout(layout, names, numbers) for layout in LAYOUTS)
        self._expression = re.compile(
            f"^(){stamp_expression(time)}{PREFIX}(?:{expression})$|^(.+)$".encode(), re.MULTILINE
        )

    def _layout(self, layout: Layout, names: Collection[str], numbers: Iterator[int]) -> str:
        pairs = [(field.key, VALUES[field.kind]) for field in (*layout.fields, WRITER, SEQ)]
        pairs.insert(layout.before_name, ("Event", layout.name))
        parts = []
        for key, value in pairs:
            if key in names:
                self._places.append((key, next(numbers)))
            text = f"({value})" if key in names else value
            pair = f'{key}="{text}"{AFTER}'
            parts.append(pair if key == "Event" else f"(?:{pair})?+")
        return "".join(parts)

    def taken(self, block: bytes) -> Iterator[Taken | bytes]:
        """Yield what is taken of the lines of `block`, equal ones once, in no order.

        A line that has to be read in another way comes as it is.
        """
        block, escaped = parted(block, b"\\")
        yield from escaped
        for values, number in Counter(self._found(block)).items():
            if line := values[-1]:
                yield from [line] * number
            else:
                fields = {
                    name: values[at].decode("utf-8", "surrogateescape")
                    for name, at in self._places
                    if values[at]
                }
                yield Taken(fields, self._moment(values) if self._time else 0, number)

    def _found(self, block: bytes) -> list[tuple[bytes, ...]]:
        found = self._expression.findall(block)
        lines = block.count(b"\n") + (block[-1:] not in {b"", b"\n"})
        if len(found) == lines:
            return found
        # Some are empty, or one was taken together with the next.
        each = (self._expression.fullmatch(line) for line in block.split(b"\n"))
        return [match.groups(b"") for match in each if match]

    def _moment(self, values: tuple[bytes, ...]) -> float:
        _, second, *parts, offset = values[: 3 + (self._time == "ms")]
        whole = self._second_of(second + offset) or 0
        return (whole * 1000 + int(parts[0])) / 1000 if parts else whole


def stamp_expression(time: str) -> str:
    """Return the expression of a line's time, of which so much is a group; see `Columns`."""
    second, part, offset = _SECOND, "[0-9]{3}", _OFFSET
    if time:
        second, offset = f"({second})", f"({offset})"
    if time == "ms":
        part = f"({part})"
    return rf"{second}\.{part}{offset}"
