"""Lines of which a part alone was written: ended, so that the next one is not lost behind them.

A line is torn where the disk gets full in the middle of it, or its writer is killed there. The next
line would be glued to that part, and nobody could read either.
"""

from __future__ import annotations

import contextlib
import os
import stat

from gatewaylog.sinks.numbers import numbers_in

_BACK = 64 * 1024  # bytes before a line that are looked through for a part of another one


def end_a_torn_line(fd: int) -> None:
    """End the line that a killed writer left at the end of a file.

    A line may also be unfinished because another process is in the middle of writing it. Setting
    the mode that the file has waits for that write: the kernel does both under the file's lock.
    """
    with contextlib.suppress(OSError):  # a full disk is the next line's to tell
        status = os.fstat(fd)
        while not _is_whole(fd, status.st_size):
            os.fchmod(fd, stat.S_IMODE(status.st_mode))
            seen, status = status.st_size, os.fstat(fd)
            if status.st_size == seen:
                os.write(fd, b"\n")
                return


def ends_whole(fd: int) -> bool:
    """Tell whether a file ends in a whole line, or is empty. Raises OSError."""
    return _is_whole(fd, os.fstat(fd).st_size)


def _is_whole(fd: int, size: int) -> bool:
    return not size or os.pread(fd, 1, size - 1) == b"\n"


def glued_to(fd: int, line: bytes, end: int) -> bytes:
    """Return the part of another line that a line was written behind; empty where there is none.

    The line ends at the byte `end`. Where something else stands there, nothing is known: another
    thread has moved the position that `end` is from. Raises OSError.
    """
    start = end - len(line)
    if start <= 0 or os.pread(fd, len(line) + 1, start - 1) in (b"\n" + line, b""):
        return b""
    begin = max(0, start - _BACK)
    found = os.pread(fd, end - begin, begin)
    if not found.endswith(line):
        return b""
    return found[: -len(line)].rpartition(b"\n")[2]


def stands_at_end(fd: int, line: bytes) -> bool:
    """Tell whether a line stands whole, and for itself, among the last of a file.

    Raises OSError.
    """
    size = os.fstat(fd).st_size
    begin = max(0, size - _BACK - len(line))
    return b"\n" + line in b"\n" * (not begin) + os.pread(fd, size - begin, begin)


def again(part: bytes, line: bytes) -> bytes:
    """Return what to write where `line` was glued to a `part`: the line once more, behind what only
    lacked its line feed, as that counts as written.
    """
    return part + b"\n" + line if numbers_in(part) is not None else line
