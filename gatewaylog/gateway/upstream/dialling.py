"""Opening connections to a backend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from gatewaylog.exceptions import ConnectError, ConnectTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.gateway.upstream import Origin

P = TypeVar("P", bound=asyncio.Protocol)


async def dial(origin: Origin, protocol: Callable[[], P], seconds: float) -> P:
    """Connect to the origin, TLS included, and return the protocol that has the connection.

    Raises ConnectError or ConnectTimeout.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _connect(origin, protocol)
    except TimeoutError as exc:
        raise ConnectTimeout(f"no connection to {_name(origin)} within {seconds:g} s") from exc
    except (OSError, UnicodeError) as exc:  # UnicodeError: a name that IDNA does not allow
        raise ConnectError(f"no connection to {_name(origin)}: {exc}") from exc


async def _connect(origin: Origin, protocol: Callable[[], P]) -> P:
    loop = asyncio.get_running_loop()
    hostname = origin.host if origin.tls is not None else None
    if origin.unix_path is not None:
        _, connected = await loop.create_unix_connection(
            protocol, origin.unix_path, ssl=origin.tls, server_hostname=hostname
        )
    else:
        _, connected = await loop.create_connection(
            protocol, origin.host, origin.port, ssl=origin.tls, server_hostname=hostname
        )
    return connected


def _name(origin: Origin) -> str:
    return origin.unix_path or f"{origin.host}:{origin.port}"
