"""`gatewaylog` as a user runs it: a process with arguments, pipes, signals or a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import selectors
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Sequence
    from pathlib import Path

COMMAND = (sys.executable, "-m", "gatewaylog")
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_CURL = re.compile(r"^ +(curl .*)$", re.MULTILINE)


def environment(**changed: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "TERM"}}
    return kept | {"PYTHONUTF8": "1", "TERM": "xterm"} | changed


def gatewaylog(
    *arguments: str, cwd: Path | None = None, stdin: bytes = b"", **changed: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=environment(**changed),
        timeout=PATIENCE,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def said_once(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error."""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


class Running:
    """A process whose output is read while it runs; standard error comes with it."""

    def __init__(self, process: subprocess.Popen[bytes], output: int) -> None:
        self.process = process
        self.seen = b""
        self._output = output

    def reads(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches."""
        end = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while not (match := re.search(pattern, self.text, re.MULTILINE)):
                left = end - time.monotonic()
                assert left > 0, f"no {pattern!r} in {self.text!r}"
                if selector.select(left):
                    assert self._more(), f"ended without {pattern!r}: {self.text!r}"
        return match

    def has_more(self, seconds: float = 0.1) -> bool:
        """Tell whether there is output that was not read, or comes so soon."""
        return bool(select.select([self._output], [], [], seconds)[0])

    def _more(self) -> bool:
        try:
            piece = os.read(self._output, 65536)
        except OSError:  # a terminal whose process has ended
            return False
        self.seen += piece
        return bool(piece)

    @property
    def text(self) -> str:
        return self.seen.decode().replace("\r\n", "\n")

    def stopped_by(self, number: signal.Signals) -> int:
        """Send a signal; return the exit status, with all output read."""
        self.process.send_signal(number)
        return self.ended()

    def types(self, keys: bytes) -> None:
        """Press keys at the terminal."""
        os.write(self._output, keys)

    def hang_up(self) -> None:
        """Close the terminal, which tells the process by SIGHUP."""
        os.close(self._output)

    def ended(self) -> int:
        """Wait for the end by itself; return the exit status."""
        while self._more():
            pass
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def started(
    *arguments: str, cwd: Path | None = None, stdin: IO[bytes] | None = None, **changed: str
) -> Iterator[Running]:
    """Run it with a pipe for its output, in a session of its own."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(**changed),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield Running(process, process.stdout.fileno())
        finally:
            process.kill()


@contextlib.contextmanager
def at_terminal(
    *arguments: str,
    cwd: Path | None = None,
    command: Sequence[str] = COMMAND,
    **changed: str,
) -> Iterator[Running]:
    """Run it, or another command, at a terminal whose keys and hanging up reach it."""
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL, *command, *arguments],
        cwd=cwd,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment(**changed),
        start_new_session=True,
    ) as process:
        os.close(terminal)
        try:
            yield Running(process, screen)
        finally:
            process.kill()
            with contextlib.suppress(OSError):
                os.close(screen)


def curls(text: str) -> list[str]:
    """The lines that a text tells to type."""
    return _CURL.findall(text)
