"""How rotated files are packed: gzip, and Zstandard where its module is there."""

from __future__ import annotations

import errno
import io
import zlib
from importlib import import_module
from typing import IO, TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

PACKED = (".gz", ".zst")
FORMS = ("", "gz", "zst")
_GZIP = 31  # zlib's number for gzip's frame with the largest window


class Packer(Protocol):
    """Packs pieces of one stream."""

    def compress(self, piece: bytes, /) -> bytes:
        """Take a piece; return what is packed so far."""

    def flush(self) -> bytes:
        """Return the rest."""


def packer(form: str) -> Packer:
    """Begin to pack as `form` says, "gz" or "zst".

    Raises ValueError where the module for that is not installed.
    """
    return zlib.compressobj(wbits=_GZIP) if form == "gz" else _zstd()


def _zstd() -> Packer:
    module = _zstd_module()
    if module.__name__ == "zstandard":
        return cast("Packer", module.ZstdCompressor().compressobj())
    return cast("Packer", module.ZstdCompressor())


def _zstd_module() -> ModuleType:
    for name in ("compression.zstd", "zstandard"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ValueError("compress: 'zst' needs pip install 'gatewaylog[zstd]'")


def lines_of(file: Path) -> Iterator[bytes]:
    """Yield a file's whole lines with their line feeds, what is packed unpacked.

    Raises OSError, also where packed data are broken, and ValueError as `packer`.
    """
    broken: tuple[type[Exception], ...] = (EOFError, zlib.error)
    if file.suffix == ".zst":
        broken = (_zstd_module().ZstdError,)
    try:
        with _opened(file) as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    yield line
    except broken as error:
        raise OSError(errno.EIO, f"broken: {error}", str(file)) from None


def _opened(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        import gzip

        return cast("IO[bytes]", gzip.open(file))
    if file.suffix == ".zst":
        return io.BufferedReader(_zstd_module().open(file))
    return file.open("rb")
