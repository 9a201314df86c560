"""The API gateway access log: INCOMING_REQUEST, REQUEST_COMPLETE, ERROR."""

from __future__ import annotations

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.exceptions import GatewaylogError
from gatewaylog.exchange import Exchange, current_exchange
from gatewaylog.middleware.backend_calls import log_backend_calls

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
]
