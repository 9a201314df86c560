"""A backend as requests go to it: where to connect, its own path, its Host, and its TLS."""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.gateway.upstream import Origin

if TYPE_CHECKING:
    from gatewaylog.gateway.config import BackendUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One backend of an API.

    `base` is the URL up to its path. `url` and `path` end without a slash, so that the rest of a
    request's path (empty, or beginning with one) follows them. `host` is the value of Host.
    """

    url: str
    base: str
    path: bytes
    host: bytes
    origin: Origin


def backend(url: BackendUrl, tls_ca: str = "") -> Backend:
    """Return what the URL stands for; `tls_ca` is the file of a private CA, else the system's.

    Raises OSError or ssl.SSLError where that file has changed for the worse since its check.
    """
    tls = tls_context(tls_ca) if url.scheme == "https" else None
    origin = _origin(url.host, url.port, tls, url.unix_path or None)
    base = str(url).removesuffix(url.path) if url.path else str(url)
    return Backend(
        url=str(url), base=base, path=url.path.encode(), host=url.authority.encode(), origin=origin
    )


@functools.lru_cache(maxsize=4096)
def _origin(host: str, port: int, tls: ssl.SSLContext | None, unix_path: str | None) -> Origin:
    """Return one origin for one address, so that a reload finds the connections that were kept."""
    return Origin(host=host, port=port, tls=tls, unix_path=unix_path)


def tls_context(tls_ca: str = "") -> ssl.SSLContext:
    """Return a context that verifies certificate and name: there is none that does not.

    One content of a file is one context, so that a reload keeps connections, and a renewed file
    is read.
    """
    return _context(Path(tls_ca).read_text("latin-1") if tls_ca else None)


@functools.lru_cache(maxsize=64)
def _context(certificates: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificates)
