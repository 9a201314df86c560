"""Who does what a record tells of, where that is a person or a service at this machine."""

from __future__ import annotations

import os
import pwd


def account() -> str:
    """Return the name of the account that this process runs as, else its number."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
