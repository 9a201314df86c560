"""What is said in DEBUG of credentials that open nothing: why, never the credential."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewaylog.auth.api_keys import Refused

_log = logging.getLogger(__name__)


def tell(refused: Refused, *, api: str) -> None:
    """Say why a call of the API with this label was refused, and whose it was, as far as that is
    known.
    """
    _log.debug(
        "%s: refused, %s %s; %s; application %r, user %.200r",
        api,
        refused.failure.code,
        refused.failure.message,
        "no credential" if refused.credential is None else "a credential was sent",
        refused.application,
        refused.owner,
    )
