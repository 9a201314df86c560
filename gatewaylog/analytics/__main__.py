"""`python -m gatewaylog.analytics [--yielding] LOG…` makes the caches of logs: `background`."""

from __future__ import annotations

import os
import sys

from gatewaylog.analytics.building import build
from gatewaylog.exceptions import ReaderError
from gatewaylog.notices import notice
from gatewaylog.reader import Source

YIELDING = "--yielding"  # the processor, to whoever else wants it
_NICE = 10


def main(paths: list[str]) -> int:
    """Make them, one after the other; return the exit status: 1 where one could not be made."""
    if paths[:1] == [YIELDING]:
        os.nice(_NICE)
        del paths[0]
    done = True
    for path in paths:
        try:
            done = build(Source(path)) and done
        except (OSError, ReaderError) as error:
            notice(f"{path}: {error}")
            done = False
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
