"""Which certificates a destination may have."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError

if TYPE_CHECKING:
    from gatewaylog.ship.settings import Settings


def trusted(settings: Settings) -> ssl.SSLContext:
    """Return a context that verifies, by the system's certificates or those in the file `ca`.

    Raises ShipError where that file can't be used.
    """
    try:
        return ssl.create_default_context(cafile=settings.ca or None)
    except OSError as error:  # ssl.SSLError is one
        raise ShipError(f"{settings.ca}: is no file of certificates: {error.strerror}") from None
