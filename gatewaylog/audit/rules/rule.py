"""What every rule is: something that is shown rows in the order of time, and finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from gatewaylog.audit.rules.records import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import TokenEvent, TokenUse

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When a rule fires; each rule has its own."""


Limits = TypeVar("Limits", bound=Thresholds)


class Rule(Generic[Limits]):
    """Looks at rows and events in the order of time; state is kept for each client.

    `default` holds the thresholds that are taken where none are given.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    severity: ClassVar[Severity] = Severity.MEDIUM
    default: Limits

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = self.default if limits is None else limits

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call; yield what that shows."""
        del use
        return ()

    def event(self, event: TokenEvent) -> Iterable[Finding]:
        """Take an event in a token's life; yield what that shows."""
        del event
        return ()

    def hour(self, now: float) -> Iterable[Finding]:
        """Take note that a whole hour has ended at `now`; yield what its absence shows."""
        del now
        return ()

    def found(
        self,
        client: str,
        at: float,
        detail: str,
        *,
        rows: tuple[str, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding of this rule."""
        return Finding(
            rule=self.id,
            severity=self.severity if severity is None else severity,
            client=client,
            at=at,
            detail=detail,
            rows=rows,
        )
