"""What is usual for a client: where it calls from, with what, and since when."""

from __future__ import annotations

from gatewaylog.audit.rules.rule import DAY


class Usual:
    """Remembers for each client which values it had, on how many days, and when it was new."""

    def __init__(self) -> None:
        self._days: dict[str, dict[str, tuple[int, int]]] = {}  # value -> days, the last of them
        self._since: dict[str, float] = {}

    def take(self, client: str, value: str, at: float) -> bool:
        """Take note of a value; say whether the client has never had it before."""
        self._since.setdefault(client, at)
        values = self._days.setdefault(client, {})
        today = int(at // DAY)
        days, last = values.get(value, (0, -1))
        if last != today:
            values[value] = days + 1, today
        return not days

    def days(self, client: str, value: str) -> int:
        """Return on how many days the client had this value."""
        return self._days.get(client, {}).get(value, (0, -1))[0]

    def count(self, client: str) -> int:
        """Return how many different values the client has had."""
        return len(self._days.get(client, ()))

    def age(self, client: str, at: float) -> float:
        """Return for how many seconds the client is known."""
        return at - self._since.get(client, at)
