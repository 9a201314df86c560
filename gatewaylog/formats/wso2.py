"""The default format: WSO2's prefix and `Key="value"` pairs, as the UCSD API Access Log has them.

A value is the body of a JSON string (RFC 8259 §7) that never holds a raw `"`, so that a quotation
mark always ends a value: no value can forge a field, and none can forge a line.
"""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

from gatewaylog.events import LAYOUTS, Event, Layout
from gatewaylog.formats.line import (
    Line,
    LineOptions,
    Pair,
    Unparsed,
    Unreadable,
    fitted,
    number_text,
    numbered_pairs,
    told_by,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_UNSAFE = re.compile(
    '["\\\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]'
)
# What the fast way looks for: no text of an event may hold any of these. Each becomes another byte,
# so that what holds none stays as it is: 0.14 µs less than counting what is left without them.
_SUSPECT = bytes([*range(0x20), ord('"'), ord("\\"), *range(0x7F, 0x100)])
_MARKED = bytes.maketrans(_SUSPECT, bytes([1, *bytes(len(_SUSPECT) - 1)]))
_FRACTIONS = tuple(f"{millisecond:03d}" for millisecond in range(1000))
_PREFIX = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}) "
    r"\[([^\]]*)\]\[([^\]]*)\]\{([^}]*)\}\[[^\]]*\] (\S+) +",
    re.ASCII,
)
_PAIR = re.compile(
    r'([A-Za-z_][A-Za-z0-9_.-]*)="([^"\\]*(?:\\.[^"\\]*)*)"(?:, (?=\S)|\s*\Z)', re.DOTALL
)
_NOT_IN_PREFIX = re.compile(r'["=\[\]{}\\\s]|[^\x21-\x7e]')


def escape(value: str) -> str:
    r"""Return `value` so that it can stand between quotation marks; `null` itself is escaped."""
    if value == "null":
        return "\\u006eull"
    return _UNSAFE.sub(_escaped, value)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return "\\\\" if character == "\\" else f"\\u{ord(character):04x}"


def unescape(body: str) -> str | None:
    r"""Return what `escape` was given, None for `null`.

    What other writers escape (`\\"`) or leave raw (controls) is read too; a backslash that
    escapes nothing stands for itself.
    """
    if body == "null":
        return None
    if "\\" not in body:
        return body
    try:
        return str(json.loads(f'"{body}"', strict=False))
    except json.JSONDecodeError:
        return body


class Wso2Format:
    """Encoder and parser of the default format."""

    def __init__(self, options: LineOptions) -> None:
        self._options = options
        self._bodies = {layout.kind: _body(layout, options.fields) for layout in LAYOUTS}
        self._full = options.fields == "full"
        self._node = f" [{prefix_text(options.node)}]["
        self._tail = f"]{{{prefix_text(options.logger[-30:])}}}[-] INFO  "
        self._moment = (-1, "", "")  # a second, and what stands before and behind its fraction
        # A line longer than this needs a closer look: a value may be over its limit, or the line.
        self._long = min(options.max_value_length, options.max_line)

    def encode(
        self, event: Event, now: float, thread: str, writer: str = "", seq: int = 0
    ) -> bytes:
        """Return the event's line, written at `now` (seconds since the epoch) by `thread`, the
        line `seq` of `writer`.

        Nearly every event holds plain text alone, so its pairs are put together first and its texts
        looked at once as a whole; only where something is to be escaped, cut or added the pairs are
        made again one by one, which takes several times as long (benchmarks/event_cost.py).
        """
        body, texts = self._bodies[type(event)](event)
        prefix = self._prefix(now, thread)
        if writer and self._full:
            line = f'{prefix}{body}, Writer="{writer}", Seq="{seq}"\n'
        else:
            line = f"{prefix}{body}\n"
        if (
            texts.isascii()
            and not event.extra
            and ("null" not in texts or "null" not in event)
            and len(line) <= self._long
            and (raw := texts.encode()).translate(_MARKED) == raw
        ):
            return line.encode()
        pairs = numbered_pairs(event, self._options.fields, writer, seq)
        return _render(prefix, pairs, self._options)

    def _prefix(self, now: float, thread: str) -> str:
        milliseconds = int(now * 1000 + 0.001)
        second = milliseconds // 1000
        # One tuple, taken once: another thread may put the next second's in its place meanwhile.
        known, stamp, offset = self._moment
        if second != known:
            local = time.localtime(second)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.", local)
            offset = time.strftime("%z", local) + self._node
            self._moment = second, stamp, offset
        return f"{stamp}{_FRACTIONS[milliseconds % 1000]}{offset}{thread}{self._tail}"

    def write(self, line: Line) -> bytes:
        """Return a parsed line with its own time, node, thread, logger and level."""
        stamp = line.time.isoformat(timespec="milliseconds")[:23] + line.time.strftime("%z")
        node, logger = line.node or self._options.node, line.logger or self._options.logger
        prefix = (
            f"{stamp} [{prefix_text(node)}][{prefix_text(line.thread or '')}]"
            f"{{{prefix_text(logger[-30:])}}}[-] {prefix_text(line.level or 'INFO'):<5} "
        )
        pairs = numbered_pairs(line.event, self._options.fields, line.writer, line.seq)
        return _render(prefix, pairs, self._options)

    @staticmethod
    def parse(raw: bytes, number: int = 0) -> Line | Unparsed:
        """Read one line, whether we wrote it or WSO2 did."""
        text = raw.decode("utf-8", "surrogateescape")
        prefix = _PREFIX.match(text)
        if prefix is None:
            return Unparsed(number=number, raw=raw, reason="no time, node and thread in front")
        stamp, node, thread, logger, level = prefix.groups()
        try:
            return Line(
                time=datetime.fromisoformat(stamp),
                node=node,
                thread=thread,
                logger=logger,
                level=level,
                **told_by(read_pairs(text, prefix.end()))._asdict(),
            )
        except ValueError as reason:
            return Unparsed(number=number, raw=raw, reason=str(reason))


def read_pairs(text: str, at: int = 0) -> list[Pair]:
    """Read `Key="value"` pairs from `at` to the end. Raises Unreadable where there are none."""
    pairs: list[Pair] = []
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            raise Unreadable(f'no Key="value" at column {at + 1}')
        pairs.append((match[1], unescape(match[2])))
        at = match.end()
    return pairs


def prefix_text(text: str) -> str:
    """Return `text` as it may stand in a prefix: `_` for what would end or forge a part of it."""
    return _NOT_IN_PREFIX.sub("_", text) or "-"


def _body(layout: Layout, fields: str) -> Callable[[Event], tuple[str, str]]:
    """Make the function that writes an event's pairs as they are, and returns its texts beside, one
    behind the other.

    Both are one f-string made from the layout, as `dataclasses` makes its methods: a loop over
    22 fields takes four times as long (benchmarks/event_cost.py).
    """
    chosen = [at for at, field in enumerate(layout.fields) if fields == "full" or field.seed]
    values = ", ".join(f"v{at}" for at in range(len(layout.fields)))
    source = ["def body(event):", f" {values}, _ = event"]
    shape = texts = ""
    for at in chosen:
        field, value, text = layout.fields[at], f"v{at}", f"t{at}"
        event = f'Event="{layout.name}", ' if at == layout.before_name else ""
        head = f'{", " if at else ""}{event}{field.key}="'
        shown = f'"%.3f" % {value}' if field.kind is float else value
        if field.always:
            source.append(f' if {value} is None: {value} = "null"')
            if shown != value:
                source.append(f" else: {value} = {shown}")
            shape += f'{head}{{{value}}}"'
            text = value
        else:
            source.append(f' if {value} is None: {value} = {text} = ""')
            source.append(f" else: {text} = {value}; {value} = f'{head}{{{shown}}}\"'")
            shape += f"{{{value}}}"
        if field.kind is str:
            texts += f"{{{text}}}"
    source.append(f" return f'{shape}', f'{texts}'")
    made: dict[str, Callable[[Event], tuple[str, str]]] = {}
    exec("\n".join(source), made)  # noqa: S102 - no text in it comes from outside
    return made["body"]


def _render(prefix: str, pairs: list[Pair], options: LineOptions) -> bytes:
    def line(pairs: list[Pair]) -> str:
        return f"{prefix}{', '.join(map(_pair, pairs))}\n"

    return fitted(pairs, options, line, escape).encode()


def _pair(pair: Pair) -> str:
    key, value = pair
    if value is None:
        return f'{key}="null"'
    return f'{key}="{escape(value) if isinstance(value, str) else number_text(value)}"'
