"""The record of what retention has deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.audit.events.names import GatewayEvent
from gatewaylog.audit.events.records import AuditEvent

if TYPE_CHECKING:
    from collections.abc import Sequence


def retention_run(log: str, names: Sequence[str], user: str | None = None) -> AuditEvent:
    """Return the record of one run: rotated files of a log that were too many or too old."""
    files = "1 rotated file" if len(names) == 1 else f"{len(names)} rotated files"
    return AuditEvent(
        event=GatewayEvent.RETENTION_RUN,
        user=user,
        detail=f"{files} of {log} deleted: {', '.join(names)}",
    )
