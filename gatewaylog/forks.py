"""What a child process must renew after a fork: locks, names, identities in store."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def renew_after_fork(method: Callable[[], None]) -> None:
    """Call a bound method in each child that is forked, as long as its object lives."""
    weak = weakref.WeakMethod(method)

    def renew() -> None:
        living = weak()
        if living is not None:
            living()

    os.register_at_fork(after_in_child=renew)
