"""The sockets that the gateway listens on, made before any worker starts."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.gateway.config import Address

_BACKLOG = 2048


def listeners(addresses: Iterable[Address], key: str = "listen") -> list[socket.socket]:
    """Return a listening socket for each address. Raises ConfigurationError naming all that
    can't be had, and keeps none then.
    """
    made: list[socket.socket] = []
    problems = []
    for address in addresses:
        try:
            made.append(_unix(address.unix_path) if address.unix_path else _tcp(address))
        except OSError as error:
            problems.append(f"server.{key}: can't listen on {address}: {_reason(error)}")
    if problems:
        for listener in made:
            listener.close()
        raise ConfigurationError(problems)
    return made


def _reason(error: OSError) -> str:
    if error.errno is None or isinstance(error, socket.gaierror):
        return str(error.strerror or error)
    return os.strerror(error.errno)


def _tcp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _unix(path: str) -> socket.socket:
    """Listen on a path; a socket that nobody listens on any more is replaced."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(Path(path).lstat().st_mode) and not _answers(path):
            Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        Path(path).chmod(0o666)  # as open as a port; the folder's permissions close it
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        return True


def told(listener: socket.socket, *, secure: bool) -> str:
    """Return the address as an operator can use it."""
    name = listener.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{'https' if secure else 'http'}://{host}:{name[1]}"
