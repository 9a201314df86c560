"""What the operator must know at once, on standard error."""

from __future__ import annotations

import sys


def notice(text: str) -> None:
    """Say one thing. Never raises: an exchange must not fail since nobody can be told."""
    try:
        sys.stderr.write(f"gatewaylog: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # standard error is closed, full, or not there
