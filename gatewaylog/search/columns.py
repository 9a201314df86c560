"""A few fields of many lines at once, by one expression for lines as the formats write them.

Made from the layouts, it takes the wanted values out of a block and checks the rest of each line as
`row_reader` does, which all other lines are left to. With equal values counted at once
(`views`) that takes a third of the time that a row for each line takes (benchmarks/search.py).
"""

from __future__ import annotations

import re
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gatewaylog.events import LAYOUTS, SEQ, WRITER
from gatewaylog.search.prefilter import parted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from gatewaylog.events import Layout
    from gatewaylog.search.commands.aggregators import Numbers, Texts

# A day that every month has, or that this one has; the 29th of February is left to row_reader.
_DAY = (
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
_SECOND = rf"[12][0-9]{{3}}-{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET = r"[+-](?:0[0-9]|1[0-4])[0-5][0-9]"
PREFIX = r" \[[^\]\n]*+\]\[[^\]\n]*+\]\{[^}\n]*+\}\[[^\]\n]*+\] [^\s]++ ++"
# A text might go on behind the line's end: `Columns` notices. Leaving the line feed out of the set
# would take twice the time.
VALUES = {str: '[^"]*+', int: "(?:[0-9]++|null)", float: r"(?:[0-9]++(?:\.[0-9]++)?+|null)"}


Values: TypeAlias = tuple[bytes, ...]  # what the expression takes of a line, by group
Found: TypeAlias = dict[str, list[Values]]  # by the name of the event


class Taken(NamedTuple):
    """What was taken of a line: its wanted fields, its time (0 where not wanted), how often, and
    what else a field of so many lines held: the numbers of those that are measured, `_time` among
    them, and the different texts of those that are told apart.
    """

    fields: dict[str, str]
    time: float
    times: int
    beside: Mapping[str, Numbers | Texts] = MappingProxyType({})


class Columns:
    """Takes the fields `names` of lines.

    `time` is "" where it is not wanted, "s" for the second that it lies in, "ms" for all of it.
    `places` tells where a field stands among the values, by the name of the event; `stamp` where
    the time does: its second, its milliseconds where they are wanted, its offset.
    """

    def __init__(self, names: Collection[str], time: str = "") -> None:
        self.stamp = tuple(range(1, 3 + (time == "ms"))) if time else ()
        self.places: dict[str, dict[str, int]] = {}
        numbers, wanted = count(1 + len(self.stamp)), {"Event", *names}
        expression = "|".join(self._layout(layout, wanted, numbers) for layout in LAYOUTS)
        self._expression = re.compile(
            f"^(){stamp_expression(time)}{PREFIX}(?:{expression})$|^(.+)$".encode(), re.MULTILINE
        )

    def _layout(self, layout: Layout, names: Collection[str], numbers: Iterator[int]) -> str:
        pairs = [(field.key, VALUES[field.kind]) for field in (*layout.fields, WRITER, SEQ)]
        pairs.insert(layout.before_name, ("Event", layout.name))
        places = self.places[layout.name] = {}
        parts: list[str] = []
        for key, value in pairs:
            if key in names:
                places[key] = next(numbers)
            text = f"({value})" if key in names else value
            # What stands up to Event always does. A separator that may stand behind any pair, to be
            # looked behind, would take a quarter more time.
            pair = f'{", " if parts else ""}{key}="{text}"'
            parts.append(f"(?:{pair})?+" if "Event" in places and key != "Event" else pair)
        return "".join(parts)

    def found(self, block: bytes) -> tuple[Found, list[bytes]]:
        """Return what is taken of the lines of `block`, and those to be read in another way."""
        block, others = parted(block, b"\\")
        taken = self._taken(block)
        others += [line for values in taken if (line := values[-1])]
        found = {}
        for name, places in self.places.items():
            event = places["Event"]
            found[name] = [values for values in taken if values[event]]
        return found, others

    def _taken(self, block: bytes) -> list[Values]:
        found = self._expression.findall(block)
        lines = block.count(b"\n") + (block[-1:] not in {b"", b"\n"})
        if len(found) == lines:
            return found
        # Some are empty, or one was taken together with the next.
        each = (self._expression.fullmatch(line) for line in block.split(b"\n"))
        return [match.groups(b"") for match in each if match]


def stamp_expression(time: str) -> str:
    """Return the expression of a line's time, of which so much is a group; see `Columns`."""
    second, part, offset = _SECOND, "[0-9]{3}", _OFFSET
    if time:
        second, offset = f"({second})", f"({offset})"
    if time == "ms":
        part = f"({part})"
    return rf"{second}\.{part}{offset}"
