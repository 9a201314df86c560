"""One JSON object a line (RFC 8259), keys as in the default format, for Loki, jq and the like."""

from __future__ import annotations

import json

from gatewaylog.formats.line import (
    Line,
    Pair,
    Stamped,
    Unparsed,
    Unreadable,
    fitted,
    moment_of,
    told_by,
)

TIME = "@timestamp"


def _escape(value: str) -> str:
    return json.dumps(value)[1:-1]


class JsonFormat(Stamped):
    """Encoder and parser. Only ASCII is written: every other character is escaped."""

    def _render(self, pairs: list[Pair], stamp: str) -> bytes:
        def line(pairs: list[Pair]) -> str:
            numbers = {key: _milliseconds(value) for key, value in pairs}
            return json.dumps({TIME: stamp} | numbers) + "\n"

        return fitted(pairs, self._options, line, _escape).encode()

    @staticmethod
    def parse(raw: bytes, number: int = 0) -> Line | Unparsed:
        """Read one line."""
        try:
            found = json.loads(raw, object_pairs_hook=list)
            if not isinstance(found, list):
                raise Unreadable("no JSON object")
            pairs = [pair for pair in found if pair[0] != TIME]
            times = [value for key, value in found if key == TIME]
            if len(times) != 1 or not isinstance(times[0], str):
                raise Unreadable(f"no {TIME}")
            return Line(time=moment_of(times[0]), **told_by(pairs)._asdict())
        except RecursionError:
            return Unparsed(number=number, raw=raw, reason="nested too deep")
        except ValueError as reason:
            return Unparsed(number=number, raw=raw, reason=str(reason))


def _milliseconds(value: str | float | None) -> str | int | float | None:
    return round(value, 3) if isinstance(value, float) else value
