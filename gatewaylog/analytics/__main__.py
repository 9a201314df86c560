"""`python -m gatewaylog.analytics LOG…`: makes the caches of logs; see `background`."""

from __future__ import annotations

import os
import sys

from gatewaylog.analytics.building import build
from gatewaylog.exceptions import ReaderError
from gatewaylog.notices import notice
from gatewaylog.reader import Source

_NICE = 19  # the least of all


def main(paths: list[str]) -> int:
    """Make them, one after the other; return the exit status: 1 where one could not be made."""
    os.nice(_NICE)
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
