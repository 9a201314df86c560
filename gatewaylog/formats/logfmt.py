"""logfmt: `key=value` pairs, quoted where a value is no plain word, as Loki's parser reads them."""

from __future__ import annotations

import re

from gatewaylog.formats.line import (
    Line,
    Pair,
    Stamped,
    Unparsed,
    Unreadable,
    fitted,
    moment_of,
    number_text,
    told_by,
)
from gatewaylog.formats.wso2 import escape, unescape

TIME = "time"
_BARE = re.compile(r"[A-Za-z0-9_.:/?&%+,;@!*()|~$'<>^-]+")
_PAIR = re.compile(
    r'([A-Za-z_@][A-Za-z0-9_.-]*)=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s"]*))(?:\s+|\Z)'
)


class LogfmtFormat(Stamped):
    """Encoder and parser. A bare `null` is no value, the text is quoted and escaped."""

    def _render(self, pairs: list[Pair], stamp: str) -> bytes:
        def line(pairs: list[Pair]) -> str:
            return " ".join([f"{TIME}={stamp}", *map(_pair, pairs)]) + "\n"

        return fitted(pairs, self._options, line, escape).encode()

    @staticmethod
    def parse(raw: bytes, number: int = 0) -> Line | Unparsed:
        """Read one line."""
        try:
            pairs = _read(raw.decode("utf-8", "surrogateescape"))
            if not pairs or pairs[0][0] != TIME:
                raise Unreadable(f"no {TIME} in front")
            return Line(time=moment_of(str(pairs[0][1])), **told_by(pairs[1:])._asdict())
        except ValueError as reason:
            return Unparsed(number=number, raw=raw, reason=str(reason))


def _pair(pair: Pair) -> str:
    key, value = pair
    if value is None:
        return f"{key}=null"
    if not isinstance(value, str):
        return f"{key}={number_text(value)}"
    if value != "null" and _BARE.fullmatch(value):
        return f"{key}={value}"
    return f'{key}="{escape(value)}"'


def _read(text: str) -> list[Pair]:
    pairs: list[Pair] = []
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            raise Unreadable(f"no key=value at column {at + 1}")
        key, quoted, bare = match.groups()
        pairs.append(
            (key, (None if bare == "null" else bare) if quoted is None else unescape(quoted))
        )
        at = match.end()
    return pairs
