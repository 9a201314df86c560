"""What a process must still do when it ends in order."""

from __future__ import annotations

import atexit
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def at_exit(method: Callable[[], None]) -> None:
    """Call a bound method when this process ends in order, as long as its object lives."""
    weak = weakref.WeakMethod(method)

    def leave() -> None:
        living = weak()
        if living is not None:
            living()

    atexit.register(leave)
    # The children of `multiprocessing` (granian's workers) skip what `atexit` knows.
    if "multiprocessing.util" in sys.modules:
        from multiprocessing.util import Finalize

        Finalize(None, leave, exitpriority=0)
