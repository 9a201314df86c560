"""Lines to a program: one process a batch, which gets it on its standard input.

Exit status 0 is yes. 65 (EX_DATAERR of sysexits.h) refuses for good, so that halves are tried and
the line that is to blame goes to the dead letters; any other, and a time-out, is tried again.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.destination import Limits, Refused, TryAgain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.ship.records import Record
    from gatewaylog.ship.settings import Settings

REFUSES = 65


def made(settings: Settings) -> Command:
    """Return the destination. Raises ShipError where there is no program."""
    if not settings.command:
        raise ShipError("command: which program? Name it by --command (command = […] in TOML)")
    return Command(settings.command, settings.timeout)


class Command:
    """A program and its arguments; no shell reads them."""

    limits = Limits()

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._command = command
        self._timeout = timeout

    def prepare(self, records: Sequence[Record]) -> bytes:
        """Return the lines as they stand in the log."""
        return b"".join(record.raw + b"\n" for record in records)

    def send(self, prepared: bytes) -> Sequence[tuple[int, str]]:
        """Run the program, and wait for its end."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the program that was asked for
                self._command, stdin=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise ShipError(f"command: {self._command[0]}: {error.strerror}") from None
        try:
            process.communicate(prepared, self._timeout)
        except subprocess.TimeoutExpired:
            raise TryAgain(f"{self._command[0]} took over {self._timeout:g} s") from None
        finally:
            _end(process)
        if process.returncode == REFUSES:
            raise Refused(f"{self._command[0]} exited with {REFUSES}")
        if process.returncode:
            raise TryAgain(f"{self._command[0]} exited with {process.returncode}")
        return ()

    def finish(self) -> None:
        """Do nothing: each batch was acknowledged."""

    def close(self) -> None:
        """Do nothing: no process is left."""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the program and of what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
