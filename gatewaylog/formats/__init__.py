"""How an event becomes a line, and a line an event again.

Each module holds one format, its encoder and its parser side by side, so that what one writes the
other reads. An encoder returns one whole line with its line feed; a parser takes one line without.
"""

from __future__ import annotations

from gatewaylog.formats.json import JsonFormat
from gatewaylog.formats.line import Format, Line, LineOptions, Unparsed
from gatewaylog.formats.logfmt import LogfmtFormat
from gatewaylog.formats.wso2 import Wso2Format

FORMATS: dict[str, type[Wso2Format | JsonFormat | LogfmtFormat]] = {
    "wso2": Wso2Format,
    "json": JsonFormat,
    "logfmt": LogfmtFormat,
}

__all__ = [
    "FORMATS",
    "Format",
    "JsonFormat",
    "Line",
    "LineOptions",
    "LogfmtFormat",
    "Unparsed",
    "Wso2Format",
    "parse_line",
]


def parse_line(raw: bytes, number: int = 0) -> Line | Unparsed:
    """Read one line of any of the formats; `number` is kept for the line that can't be read."""
    start = raw[:1]
    if start == b"{":
        return JsonFormat.parse(raw, number)
    if start.isdigit():
        return Wso2Format.parse(raw, number)
    return LogfmtFormat.parse(raw, number)
