"""What stands in logs before the lines that a follower will give, so that none is had twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.reader.following import Follower
    from gatewaylog.reader.sources import Source


def parts_before(follower: Follower, sources: Sequence[Source]) -> list[Source]:
    """Return the parts of `sources`, found after `follower` was made, that it will not give.

    That is what stands before its places, and all of the files that it does not follow.
    """
    places = follower.places
    ends = dict(place for place in places.values() if place is not None)
    parts = []
    for source in sources:
        if source.identity in ends:
            end = ends[source.identity]
            stop = end if source.stop is None else min(end, source.stop)
            if source.first < stop:
                parts.append(source.part(source.first, stop))
        elif source.name not in places:  # else it was just made there: the follower gives it
            parts.append(source)
    return parts
