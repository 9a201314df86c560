"""Where findings go, and how they look there."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from gatewaylog.audit.events import AuditEvent, GatewayEvent

if TYPE_CHECKING:
    from gatewaylog.audit.events import EventLog
    from gatewaylog.audit.rules.records import Finding

_AUTHORITY = "gatewaylog.rules"


class Report(Protocol):
    """Tells somebody of a finding."""

    def tell(self, finding: Finding) -> None:
        """Tell of it. Never raises: the next finding must be told too."""


class ToEventLog:
    """Records each finding: RULE_FIRED, of which client, and why."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def tell(self, finding: Finding) -> None:
        """Record it, as it happens when it is found."""
        rows = f"; rows {' '.join(finding.rows)}" if finding.rows else ""
        self._log.record(
            AuditEvent(
                event=GatewayEvent.RULE_FIRED,
                requestor=finding.client,
                detail=f"{finding.rule} {finding.severity.name}: {finding.detail}{rows}",
                authority=_AUTHORITY,
            )
        )


def shown(finding: Finding) -> dict[str, object]:
    """Return a finding for programs; its time in RFC 3339, UTC. One that is told again, as to a
    webhook whose answer was lost, has the same id.
    """
    moment = datetime.fromtimestamp(finding.at, UTC).isoformat(timespec="seconds")
    told = f"{finding.rule} {finding.severity} {finding.at} {finding.client}"
    return {
        "id": hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32],
        "rule": finding.rule,
        "severity": finding.severity.name.lower(),
        "client": finding.client,
        "at": moment.replace("+00:00", "Z"),
        "detail": finding.detail,
        "rows": list(finding.rows),
    }
