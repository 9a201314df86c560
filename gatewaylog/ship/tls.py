"""Which certificates a destination may have, and what is wrong with one that it must not have."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError

if TYPE_CHECKING:
    from gatewaylog.ship.settings import Settings


_UNTRUSTED = {18, 19, 20, 21}  # X509_V_ERR_…: signed by itself or by somebody unknown


def trusted(settings: Settings) -> ssl.SSLContext:
    """Return a context that verifies, by the system's certificates or those in the file `ca`.

    Raises ShipError where that file can't be used.
    """
    try:
        return ssl.create_default_context(cafile=settings.ca or None)
    except OSError as error:  # ssl.SSLError is one
        raise ShipError(f"{settings.ca}: is no file of certificates: {error.strerror}") from None


def why(error: BaseException) -> str:
    """Return in one line why a connection failed: what is wrong with the server's certificate, and
    what may be done, where it is that; else what the system says.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "; ca names a file of certificates to trust"
            told = cause.verify_message.rstrip(".")
            return f"wrong certificate: {told}{hint if cause.verify_code in _UNTRUSTED else ''}"
        cause = cause.__cause__ or cause.__context__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
