"""Which part of a log its cache holds, and what is left to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.analytics.duck import is_installed
from gatewaylog.analytics.querying import CachedPart
from gatewaylog.analytics.segments import segments_of

if TYPE_CHECKING:
    from gatewaylog.reader import Source


def covered(source: Source, inside: str) -> tuple[list[CachedPart], Source | None]:
    """Return the parts of a log, or of the span of it that `source` is, that its cache holds, as
    parts of the index `inside`, and what is left of it: None for nothing.
    """
    segments = segments_of(source) if is_installed() else []
    if not segments:
        return [], source
    stop = segments[-1].end if source.stop is None else source.stop
    parts = [
        CachedPart(source, inside, each, max(each.begin, source.first), min(each.end, stop))
        for each in segments
        if each.begin < stop and source.first < each.end
    ]
    end = max(source.first, segments[-1].end)
    if segments[-1].last or (source.stop is not None and source.stop <= end):
        return parts, None
    return parts, source.part(end, source.stop)
