"""Which files are taken for a log, and which are not."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LINK = "is a symbolic link; a log must be a file"
_DENIED = os.strerror(errno.EACCES)


def refusal(path: str | os.PathLike[str]) -> str | None:
    """Return why FileSink would refuse a log at `path`; None where nothing speaks against it.

    Makes and changes nothing, so that what only turns out by trying (a full disk) is not seen.
    """
    file = Path(path).absolute()
    try:
        status = file.lstat()
    except FileNotFoundError:
        return _unfit_folder(file.parent)
    except OSError as error:
        return f"can't be opened: {error.strerror or error}"
    if stat.S_ISLNK(status.st_mode):
        return LINK
    if (reason := unfit(status)) is not None:
        return reason
    return None if _may(file, os.R_OK | os.W_OK) else f"can't be opened: {_DENIED}"


def unfit(status: os.stat_result) -> str | None:
    """Return why a file is not taken for a log, None where it is."""
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if status.st_uid != os.geteuid():
        return f"belongs to another user (uid {status.st_uid})"
    return None


def _unfit_folder(folder: Path) -> str | None:
    """Return why neither a file nor folders can be made below a folder that may be missing."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        return f"can't be made: {folder} is no folder"
    return None if _may(folder, os.W_OK | os.X_OK) else f"can't be made: {folder}: {_DENIED}"


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
