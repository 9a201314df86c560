"""Listening, and the server that runs until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING, NamedTuple

import uvicorn

from gatewaylog.dashboard.app import application
from gatewaylog.dashboard.guard import is_local
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from gatewaylog.dashboard.logs import Logs

_GRACE = 1  # seconds that open streams have at the end


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def shown(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host


def serve(logs: Logs, address: Address) -> None:
    """Serve the page until SIGINT or SIGTERM. Raises OSError where it can't listen."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.create_server((address.host, address.port), family=family) as listener:
        token = None if is_local(address.host) else secrets.token_urlsafe(24)
        app = application(logs, host=address.host, token=token)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_GRACE,
        )
        behind = "" if token is None else f"?token={token}"
        notice(f"dashboard on http://{address.shown}:{listener.getsockname()[1]}/{behind}")
        uvicorn.Server(config).run(sockets=[listener])
