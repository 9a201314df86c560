"""The API gateway access log: INCOMING_REQUEST, REQUEST_COMPLETE, ERROR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.exceptions import GatewaylogError
from gatewaylog.exchange import Exchange, current_exchange
from gatewaylog.middleware.backend_calls import log_backend_calls

if TYPE_CHECKING:
    from gatewaylog.reader import read

__version__ = "0.1.0"

__all__ = [
    "AccessLog",
    "Exchange",
    "GatewaylogError",
    "IncomingRequest",
    "RequestComplete",
    "RequestError",
    "current_exchange",
    "log_backend_calls",
    "read",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load what reads logs when it is asked for: an application that writes one never does."""
        if name != "read":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from gatewaylog.reader import read

        return read
