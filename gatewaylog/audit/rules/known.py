"""Which findings are known: a finding is a rule, a client and 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.audit.rules.rule import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.audit.rules.records import Finding, Severity

    One = tuple[str, str, float, Severity]


class Known:
    """Knows a finding where it has one of that rule and client, less than 24 hours before or
    after it, that is as severe. Findings may come in any order of time.
    """

    def __init__(self, known: Iterable[One] = ()) -> None:
        self._known: dict[tuple[str, str], list[tuple[float, Severity]]] = {}
        for one in known:
            self._take(*one)

    def __contains__(self, finding: Finding) -> bool:
        known = self._known.get((finding.rule, finding.client), ())
        # The last one first: most findings come again at once.
        return any(
            abs(finding.at - at) < DAY and severity >= finding.severity
            for at, severity in reversed(known)
        )

    def __iter__(self) -> Iterator[One]:
        for (rule, client), known in self._known.items():
            for at, severity in known:
                yield rule, client, at, severity

    def add(self, finding: Finding) -> None:
        """Take note of a finding."""
        self._take(finding.rule, finding.client, finding.at, finding.severity)

    def _take(self, rule: str, client: str, at: float, severity: Severity) -> None:
        self._known.setdefault((rule, client), []).append((at, severity))
