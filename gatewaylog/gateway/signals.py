"""Signals wait until there is someone to take them.

Without that a SIGHUP in the first moments of a process ends it, as the system's default is, and a
SIGTERM does so without an event of what runs.
"""

from __future__ import annotations

import signal

TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def hold() -> None:
    """Have signals wait; child processes begin so."""
    signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN)


def release() -> None:
    """Take signals from now on, those that have waited first."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TAKEN)
