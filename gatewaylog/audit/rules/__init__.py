"""The rules R01 to R14: what in the use of tokens a person should look at.

Pure: they are shown rows in the order of time and know neither a database nor a clock.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gatewaylog.audit.rules.after_the_end import AfterTheEnd
from gatewaylog.audit.rules.burst import Burst
from gatewaylog.audit.rules.churn import Churn
from gatewaylog.audit.rules.guessing import Guessing
from gatewaylog.audit.rules.never_used import NeverUsed
from gatewaylog.audit.rules.new_network import NewNetwork
from gatewaylog.audit.rules.old_credential import OldCredential
from gatewaylog.audit.rules.records import Finding, Severity, TokenEvent, TokenUse
from gatewaylog.audit.rules.several_networks import SeveralNetworks
from gatewaylog.audit.rules.shared_address import SharedAddress
from gatewaylog.audit.rules.silence import Silence
from gatewaylog.audit.rules.too_fast import TooFast
from gatewaylog.audit.rules.unusual_hours import UnusualHours
from gatewaylog.audit.rules.user_agent import UserAgent
from gatewaylog.audit.rules.volume import Volume
from gatewaylog.audit.rules.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gatewaylog.audit.rules.rule import Rule, Thresholds
    from gatewaylog.audit.rules.too_fast import Locate

__all__ = [
    "RULES",
    "Finding",
    "Severity",
    "TokenEvent",
    "TokenUse",
    "Watch",
    "limits_of",
    "rules",
]

RULES: dict[str, type[Rule[Any]]] = {
    rule.id: rule
    for rule in (
        SeveralNetworks,
        NewNetwork,
        TooFast,
        Burst,
        UnusualHours,
        Guessing,
        AfterTheEnd,
        Churn,
        NeverUsed,
        OldCredential,
        SharedAddress,
        UserAgent,
        Silence,
        Volume,
    )
}


def limits_of(rule: str, thresholds: Mapping[str, float]) -> Thresholds:
    """Return a rule's thresholds, those not given as usual.

    Raises ValueError for a threshold that the rule does not have, or that can't be.
    """
    usual: Thresholds = RULES[rule].default
    known = {name: getattr(usual, name) for name in type(usual).__dataclass_fields__}
    for name, value in thresholds.items():
        if name not in known:
            raise ValueError(f"{name}: {rule} has no such threshold: {', '.join(known)}")
        if value < 0 or (isinstance(known[name], int) and value != int(value)):
            kind = "a whole number" if isinstance(known[name], int) else "a number"
            raise ValueError(f"{name}: must be {kind}, 0 or more")
    given = {name: type(known[name])(value) for name, value in thresholds.items()}
    return replace(usual, **given)


def rules(
    *,
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
    disabled: Collection[str] = (),
    locate: Locate | None = None,
) -> list[Rule[Any]]:
    """Make all rules but those `disabled`, with thresholds by rule and name.

    `locate` gives the latitude and longitude of an address; without it R03 finds nothing.
    """
    limits = {rule: limits_of(rule, given) for rule, given in (thresholds or {}).items()}
    made: list[Rule[Any]] = []
    for name, rule in RULES.items():
        if name in disabled:
            continue
        if rule is TooFast:
            made.append(TooFast(limits.get(name), locate=locate))  # type: ignore[arg-type]
        else:
            made.append(rule(limits.get(name)))
    return made
