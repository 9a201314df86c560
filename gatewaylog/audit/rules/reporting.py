"""Where findings go: the event log, a webhook."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from gatewaylog.audit.events import AuditEvent, GatewayEvent
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from gatewaylog.audit.events import EventLog
    from gatewaylog.audit.rules.records import Finding

_AUTHORITY = "gatewaylog.rules"
_PATIENCE = 10.0  # seconds that a webhook has to answer


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


class ToWebhook:
    """Posts each finding as JSON to an address. Raises ValueError for what is none."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must be a URL like https://alerts.example.org/hook")
        self._url = url

    def tell(self, finding: Finding) -> None:
        """Post it; that it was not taken is told on standard error."""
        request = urllib.request.Request(  # noqa: S310 - its scheme is checked above
            self._url,
            data=json.dumps(shown(finding)).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE):  # noqa: S310 - as above
                return
        except (OSError, urllib.error.URLError, ValueError) as error:
            # The address may hold a secret, and is not told.
            reason = getattr(error, "reason", None) or type(error).__name__
            notice(f"the webhook did not take {finding.rule} of {finding.client}: {reason}")


def shown(finding: Finding) -> dict[str, object]:
    """Return a finding for programs; its time in RFC 3339, UTC."""
    moment = datetime.fromtimestamp(finding.at, UTC).isoformat(timespec="seconds")
    return {
        "rule": finding.rule,
        "severity": finding.severity.name.lower(),
        "client": finding.client,
        "at": moment.replace("+00:00", "Z"),
        "detail": finding.detail,
        "rows": list(finding.rows),
    }
