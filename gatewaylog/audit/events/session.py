"""Session ids for events of the gateway, which come from no session: of the exchange."""

from __future__ import annotations

import base64
import uuid


def session_of(message_id: str) -> str:
    """Return a MessageID's UUID as 22 base64url characters: the table's column holds 24.

    What is no MessageID is returned as it is.
    """
    try:
        octets = uuid.UUID(message_id).bytes
    except ValueError:
        return message_id
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def message_id_of(session_id: str) -> str | None:
    """Return the MessageID that a session id was made of, None where it was made of none."""
    if len(session_id) != 22:
        return None
    try:
        octets = base64.b64decode(session_id + "==", altchars=b"-_", validate=True)
    except ValueError:
        return None
    return f"urn:uuid:{uuid.UUID(bytes=octets)}"
