"""R03: two addresses too far apart in too short a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gatewaylog.audit.rules.networks import network_of
from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import DAY, HOUR, Rule, Thresholds
from gatewaylog.audit.rules.usual import Usual

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse

    Locate: TypeAlias = "Callable[[str], tuple[float, float] | None]"

_EARTH = 6371.0  # kilometres, its mean radius


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """Faster than `speed` km/h over at least `distance` km; a network on `usual_days` days is the
    client's own, and one that has had more than `few` networks is a roaming one.
    """

    speed: float = 1000.0
    distance: float = 500.0
    usual_days: int = 3
    few: int = 3


class _Call(NamedTuple):
    at: float
    message_id: str
    network: str
    place: tuple[float, float]


class TooFast(Rule[Limits]):
    """A client that would have had to fly. `locate` gives an address's latitude and longitude in
    degrees, None where they are not known; without it the rule never fires. Of a client that roams,
    or is not known for long, it matters less: mobile networks come out far from where they are.
    """

    id = "R03"
    title = "two addresses too far apart in too short a time"
    severity = Severity.HIGH
    default = Limits()

    def __init__(self, limits: Limits | None = None, *, locate: Locate | None = None) -> None:
        super().__init__(limits)
        self._locate = locate
        self._last: dict[str, _Call] = {}
        self._usual = Usual()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if self._locate is None or use.client is None or use.remote_ip is None or use.is_refused:
            return
        network = network_of(use.remote_ip)
        self._usual.take(use.client, network, use.at)
        before = self._last.get(use.client)
        if before is not None and before.network == network:
            self._last[use.client] = before._replace(at=use.at, message_id=use.message_id)
            return
        place = self._locate(use.remote_ip)
        if place is None:
            return
        here = self._last[use.client] = _Call(use.at, use.message_id, network, place)
        if before is not None and self._is_too_fast(use.client, before, here):
            yield self.found(
                use.client,
                use.at,
                f"{before.network} and {network} are {_kilometres(before.place, place):.0f} km"
                f" apart, called from within {use.at - before.at:.0f} s",
                rows=(before.message_id, use.message_id),
                severity=None if self._stays(use.client, use.at) else Severity.LOW,
            )

    def _stays(self, client: str, at: float) -> bool:
        is_known = self._usual.age(client, at) >= self.limits.usual_days * DAY
        return is_known and self._usual.count(client) <= self.limits.few

    def _is_too_fast(self, client: str, before: _Call, here: _Call) -> bool:
        days = self.limits.usual_days
        if min(self._usual.days(client, call.network) for call in (before, here)) >= days:
            return False
        kilometres = _kilometres(before.place, here.place)
        hours = max(here.at - before.at, 1.0) / HOUR
        return kilometres >= self.limits.distance and kilometres / hours > self.limits.speed


def _kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the distance over the ground (haversine)."""
    (north, east), (north2, east2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = (
        math.sin((north2 - north) / 2) ** 2
        + math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    )
    return 2 * _EARTH * math.asin(math.sqrt(min(1.0, half)))
