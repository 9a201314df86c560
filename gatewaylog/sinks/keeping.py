"""The options that tell how a log's files are kept, checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.sinks.amounts import seconds_of, size_of
from gatewaylog.sinks.disk import Disk
from gatewaylog.sinks.file import FileSink
from gatewaylog.sinks.housekeeping import Housekeeper
from gatewaylog.sinks.packing import FORMS, packer
from gatewaylog.sinks.retention import Retention
from gatewaylog.sinks.rotation import PERIODS, Rotation
from gatewaylog.sinks.stream import StreamSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gatewaylog.sinks import Sink
    from gatewaylog.sinks.housekeeping import Looks
    from gatewaylog.sinks.retention import Seal


class Keeping:
    """When a file is rotated, and what becomes of it then; options as those of AccessLog.

    Raises ValueError for an option that can't be.
    """

    def __init__(
        self,
        *,
        max_size: int | str,
        rotate: str,
        backups: int,
        keep: str,
        compress: str,
        durable: bool,
        shippers: Iterable[str | os.PathLike[str]] = (),
        max_unshipped: int | str = "10GiB",
    ) -> None:
        _one_of("rotate", rotate, PERIODS)
        _one_of("compress", compress, FORMS)
        if compress:
            packer(compress)
        size, unshipped = _size("max_size", max_size), _size("max_unshipped", max_unshipped)
        if size < 0 or backups < 0 or unshipped < 0:
            raise ValueError("max_size, backups and max_unshipped: must not be under 0")
        self.durable = durable
        self.rotation = Rotation(max_size=size, every=rotate) if size or rotate else None
        self.retention = Retention(
            backups=backups,
            keep=_amount("keep", keep, seconds_of),
            compress=compress,
            shippers=tuple(Path(state).absolute() for state in shippers),
            max_unshipped=unshipped,
        )

    @property
    def _is_any(self) -> bool:
        return self.rotation is not None or self.retention.is_any or self.durable

    def sink(self, log: str | os.PathLike[str] | Sink) -> Sink:
        """Open a path, or `-` for standard output. Raises LogError, and ValueError where options
        are of use for a file alone and there is none.
        """
        if log != "-" and isinstance(log, (str, os.PathLike)):
            return FileSink(log, rotation=self.rotation, durable=self.durable)
        self._need_no_file()
        return StreamSink() if isinstance(log, (str, os.PathLike)) else log

    def _need_no_file(self) -> None:
        if self._is_any:
            raise ValueError(
                "max_size, rotate, backups, keep, compress, durability: need a log that is a file"
            )

    def disk(self, sink: Sink) -> Disk | None:
        """Return what brings the file's lines to the disk, where that is wished."""
        return Disk(sink) if self.durable and isinstance(sink, FileSink) else None

    def housekeeper(self, log: Looks, sink: Sink, seal: Seal | None = None) -> Housekeeper | None:
        """Start what looks after the file, where that is needed; `seal` signs it."""
        if (self._is_any or seal is not None) and isinstance(sink, FileSink):
            return Housekeeper(log, sink, self.retention, seal)
        return None


def _size(option: str, value: int | str) -> int:
    return value if isinstance(value, int) else _amount(option, value, size_of)


def _amount(option: str, text: str, read: Callable[[str], int]) -> int:
    if not text:
        return 0
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _one_of(option: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        shown = ", ".join(one or '""' for one in allowed)
        raise ValueError(f"{option}: {value!r} is not one of {shown}")
