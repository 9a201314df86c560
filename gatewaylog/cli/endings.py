"""What `verify` says of the ends of writers, as far as an event log tells where they were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli import logs

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping

    from gatewaylog.cli.verbs import Parser


def configure(parser: Parser) -> None:
    """Add --events."""
    parser.add_argument(
        "--events",
        metavar="FILE",
        help="the event log, which tells where writers ended (event_log.path of the gateway's)",
    )


class Endings:
    """The ends that an event log tells, and what of them is `here`: writers and their last Seqs."""

    def __init__(self, options: Namespace, here: Mapping[str, int]) -> None:
        self._here = here
        path = options.events or _configured(options)
        self._known = _ends_in(path) if path else None

    def wrong(self) -> Iterator[str]:
        """Yield a text for each writer that lacks its last lines, or has more than it wrote."""
        for writer, last in self._here.items():
            end = (self._known or {}).get(writer, last)
            if end > last:
                numbers = f"Seq {last + 1}" + (f" to {end}" if end > last + 1 else "")
                yield (
                    f"writer {writer}: behind its last line {numbers} {_missing(end - last)}:"
                    f" it ended in order at Seq {end}"
                )
            elif end < last:
                yield f"writer {writer}: has Seq {last}, but ended in order at Seq {end}"

    def summary(self) -> Iterator[str]:
        """Yield which ends are known, and which can't be."""
        if self._known is None:
            return
        told = sum(writer in self._known for writer in self._here)
        unknown = len(self._here) - told
        text = f"{told} of {len(self._here)} writers ended in order, as the event log tells"
        if unknown:
            text += f"; of {unknown} the end is unknown: still running, killed, or no gateway's"
        if elsewhere := len(self._known.keys() - self._here.keys()):
            text += f"; of {elsewhere} more that it names no line is here"
        yield text


def _configured(options: Namespace) -> str:
    """Return the event log beside the gateway's own log, where there is one."""
    path = "" if options.file else logs.configured(options).events
    return path if path and Path(path).exists() else ""


def _missing(count: int) -> str:
    return "is missing" if count == 1 else f"are missing, {count} events"


def _ends_in(path: str) -> dict[str, int]:
    from gatewaylog.audit.events.ends import end_of
    from gatewaylog.audit.events.reading import Records

    records = Records().of(logs.Named((path,), rotated=True).sources())
    return {end.writer: end.seq for _, record in records if (end := end_of(record)) is not None}
