"""How rotated files are packed: gzip, and Zstandard where its module is there."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from types import ModuleType

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
    for module in ("compression.zstd", "zstandard"):
        try:
            found: ModuleType = import_module(module)
        except ImportError:
            continue
        if module == "zstandard":
            return cast("Packer", found.ZstdCompressor().compressobj())
        return cast("Packer", found.ZstdCompressor())
    raise ValueError("compress: 'zst' needs pip install 'gatewaylog[zstd]'")
