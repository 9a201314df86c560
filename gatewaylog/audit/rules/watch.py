"""All rules over rows and events in the order of time: each finding once in 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewaylog.audit.rules.known import Known
from gatewaylog.audit.rules.records import TokenUse
from gatewaylog.audit.rules.rule import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gatewaylog.audit.rules.records import Finding, TokenEvent
    from gatewaylog.audit.rules.rule import Rule

_MOST_HOURS = 24 * 8  # that are looked at one by one where nothing came for long


class Watch:
    """Shows rows to rules. A finding is a rule, a client and 24 hours: until these are over it is
    told again only where it is more severe.
    """

    def __init__(self, rules: Sequence[Rule[Any]]) -> None:
        self._rules = rules
        self._told = Known()
        self._next = 0.0  # when the hour ends that rows are in

    def of(self, rows: Iterable[TokenUse | TokenEvent]) -> Iterator[Finding]:
        """Yield what the rows show that was not told yet; they come in the order of time."""
        for row in rows:
            yield from self.until(row.at)
            if isinstance(row, TokenUse):
                for rule in self._rules:
                    yield from self._fresh(rule.use(row))
            else:
                for rule in self._rules:
                    yield from self._fresh(rule.event(row))

    def until(self, now: float) -> Iterator[Finding]:
        """Yield what the time shows that has gone by until `now`."""
        if not self._next:
            self._next = now - now % HOUR + HOUR
        self._next = max(self._next, now - now % HOUR - _MOST_HOURS * HOUR)
        while self._next <= now:
            for rule in self._rules:
                yield from self._fresh(rule.hour(self._next))
            self._next += HOUR

    def _fresh(self, found: Iterable[Finding]) -> Iterator[Finding]:
        for finding in found:
            if finding not in self._told:
                self._told.add(finding)
                yield finding
