"""What is compressed, read as what it holds: gzip and, where its module is there, Zstandard."""

from __future__ import annotations

import io
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from gatewaylog.exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from _typeshed import WriteableBuffer

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE = 16 * 1024  # compressed bytes unpacked at once: log lines shrink to a tenth or twentieth


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, packed: bytes, /) -> bytes: ...


def unpacked(file: io.BufferedReader, name: str) -> io.BufferedReader:
    """Return what reads the content of `file`, which is told by its first bytes.

    Raises ReaderError where it is Zstandard and no module for that is installed.
    """
    first = file.peek(4)
    if first.startswith(_GZIP):
        return io.BufferedReader(Frames(file, lambda: zlib.decompressobj(31), b"\0"))
    if first.startswith(_ZSTD):
        return io.BufferedReader(Frames(file, _zstd(name), b""))
    return file


def _zstd(name: str) -> Callable[[], _Unpacker]:
    for module in ("compression.zstd", "zstandard"):
        try:
            found: ModuleType = import_module(module)
        except ImportError:
            continue
        if module == "zstandard":
            return lambda: cast("_Unpacker", found.ZstdDecompressor().decompressobj())
        return cast("Callable[[], _Unpacker]", found.ZstdDecompressor)
    raise ReaderError(f"{name}: is compressed with Zstandard: pip install 'gatewaylog[zstd]'")


class Frames(io.RawIOBase):
    """The content of compressed frames that follow each other.

    It ends where they break off, and `damage` says how. `padding` may stand behind a frame.
    """

    def __init__(
        self, file: io.BufferedReader, begin: Callable[[], _Unpacker], padding: bytes
    ) -> None:
        self.damage = ""
        self._lines = 0  # that were unpacked
        self._file = file
        self._begin = begin
        self._padding = padding
        self._frame: _Unpacker | None = None
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Say yes."""
        return True

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Put the next bytes into `buffer`; return how many, 0 at the end."""
        room = memoryview(buffer).cast("B")
        while not self._ready:
            if self.damage or not self._more():
                return 0
            self._unpack()
        count = min(len(room), len(self._ready))
        room[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _more(self) -> bool:
        """Have compressed bytes at hand, or find the end."""
        self._packed = self._packed or self._file.read1(_PIECE)
        if not self._packed and self._frame is not None:
            self.damage = f"the compressed data breaks off after {self._told_lines()}"
        return bool(self._packed)

    def _told_lines(self) -> str:
        return "1 line" if self._lines == 1 else f"{self._lines} lines"

    def _unpack(self) -> None:
        if self._frame is None:
            self._packed = self._packed.lstrip(self._padding)
            if not self._packed:
                return
            self._frame = self._begin()
        try:
            ready = self._frame.decompress(self._packed)
        except Exception as error:  # noqa: BLE001 - each module has its own
            self.damage = f"the compressed data is damaged after {self._told_lines()}: {error}"
            return
        self._ready, self._packed = memoryview(ready), b""
        self._lines += ready.count(b"\n")
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None
