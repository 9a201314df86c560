"""Building while nobody waits: a process of its own, once a search has shown its answer.

The first search over a big log is as fast as without a cache that way, and building takes what
processor time others leave.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from gatewaylog.analytics import folders
from gatewaylog.analytics.duck import is_installed
from gatewaylog.analytics.segments import segments_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.reader import Source

WORTH = 64 * 1024 * 1024  # bytes that no cache holds, from which on one is made
_PACKED = 8  # times as much, about, is in a packed log


def start(sources: Iterable[Source]) -> subprocess.Popen[bytes] | None:
    """Have the caches made of those logs that are worth it, by a process that outlives this one."""
    paths = [str(one.path.absolute()) for one in sources if _is_worth(one)]
    if not paths or not sys.executable or not is_installed():
        return None
    # -P: the current folder, which may be anyone's, is no place to import from.
    return subprocess.Popen(  # noqa: S603 - each path is a word of its own
        [sys.executable, "-P", "-m", "gatewaylog.analytics", "--yielding", *paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _is_worth(source: Source) -> bool:
    if source.is_pipe or source.damage:
        return False
    with suppress(OSError):
        size = source.path.stat().st_size * (_PACKED if source.is_packed else 1)
        if size >= WORTH and folders.prepared(source.path):
            held = segments_of(source)
            return not (held and held[-1].last) and size - (held[-1].end if held else 0) >= WORTH
    return False
