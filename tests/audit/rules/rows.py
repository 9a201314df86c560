"""Rows for rules: a client that calls as it always does, and what else is wanted."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from gatewaylog.audit.rules import Severity, TokenEvent, TokenUse, Watch
from gatewaylog.audit.rules.rule import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gatewaylog.audit.rules import Finding
    from gatewaylog.audit.rules.rule import Rule

BEGIN = 1_767_571_200.0  # Monday, 2026-01-05T00:00:00Z
Row: TypeAlias = TokenUse | TokenEvent
HOME = "192.0.2.1"
AWAY = "198.51.100.1"
_ids = count(1)


def at(day: float, hour: float = 0, second: float = 0) -> float:
    return BEGIN + day * DAY + hour * HOUR + second


def use(moment: float, **values: Any) -> TokenUse:
    usual: dict[str, Any] = {
        "client": "shop",
        "token_ref": "key-of-shop",
        "remote_ip": HOME,
        "user_agent": "okhttp/4.12",
        "status": 200,
        "bytes_out": 1000,
    }
    return TokenUse(at=moment, message_id=f"m{next(_ids)}", **usual | values)


def refused(moment: float, **values: Any) -> TokenUse:
    return use(moment, **{"status": 401, "error_code": "900901", "client": None} | values)


def issued(
    moment: float, token: str, *, life: float | None = 1800, client: str = "shop"
) -> TokenEvent:
    end = None if life is None else moment + life
    return TokenEvent(at=moment, kind="issued", token_ref=token, client=client, expires_at=end)


def history(
    days: int, hours: Iterable[int] = range(8, 18), calls: int = 5, **values: Any
) -> list[TokenUse]:
    """A client's calls: so many in each of these hours of so many days from the begin on."""
    return [
        use(at(day, hour, 600.0 * call), **values)
        for day in range(days)
        for hour in hours
        for call in range(calls)
    ]


def found(rule: Rule[Any], *rows: Row | Sequence[Row], until: float | None = None) -> list[Finding]:
    """What a rule finds in rows, put in order, of medium severity or higher."""
    flat = [
        one for row in rows for one in ([row] if isinstance(row, (TokenUse, TokenEvent)) else row)
    ]
    watch = Watch([rule])
    findings = list(watch.of(sorted(flat, key=lambda row: row.at)))
    if until is not None:
        findings += watch.until(until)
    return [finding for finding in findings if finding.severity >= Severity.MEDIUM]


def fires(rule: Rule[Any], *rows: Row | Sequence[Row], until: float | None = None) -> Finding:
    """The one finding that a rule must have."""
    (finding,) = found(rule, *rows, until=until)
    assert finding.rule == rule.id
    return finding
