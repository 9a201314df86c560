"""One line adds the access log to an application: ASGI here, WSGI in `.wsgi`."""

from __future__ import annotations

from gatewaylog.middleware.asgi import AccessLogMiddleware

__all__ = ["AccessLogMiddleware"]
