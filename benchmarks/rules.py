"""What the rules find in 30 days of synthetic traffic with 40 planted misuses.

    python benchmarks/rules.py --seed 101 --seed 102

A misuse is found where a finding of medium severity or higher names its client (or address)
between its begin and a day after its end; such a finding that matches no misuse is a false alarm.
The thresholds were tuned on seeds under 100.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.token_traffic import DAY, DAYS, Misuse, Traffic
from gatewaylog.audit.rules import Finding, Severity, Watch, rules


class Outcome(NamedTuple):
    """What was found of one seed's traffic."""

    rows: int
    found: list[Misuse]
    missed: list[Misuse]
    false: list[Finding]
    seconds: float


def outcome(seed: int) -> Outcome:
    traffic = Traffic(seed)
    rows = traffic.rows()

    def locate(address: str) -> tuple[float, float] | None:
        return traffic.places.get(address.rpartition(".")[0])

    begin = time.perf_counter()
    alarms = [
        finding
        for finding in Watch(rules(locate=locate)).of(rows)
        if finding.severity >= Severity.MEDIUM
    ]
    seconds = time.perf_counter() - begin
    matched = [[one for one in traffic.misuses if matches(alarm, one)] for alarm in alarms]
    found = [one for one in traffic.misuses if any(one in misuses for misuses in matched)]
    return Outcome(
        rows=len(rows),
        found=found,
        missed=[one for one in traffic.misuses if one not in found],
        false=[alarm for alarm, misuses in zip(alarms, matched, strict=True) if not misuses],
        seconds=seconds,
    )


def matches(finding: Finding, misuse: Misuse) -> bool:
    return finding.client in misuse.whose and misuse.begin <= finding.at <= misuse.end + DAY


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="of the traffic; may be repeated")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell each false alarm")
    options = parser.parse_args()
    good = True
    for seed in options.seed or [101]:
        result = outcome(seed)
        alarms = len(result.false) / DAYS
        total = len(result.found) + len(result.missed)
        good = good and len(result.found) >= 38 and alarms <= 1
        print(
            f"seed {seed}: {len(result.found)} of {total} misuses found,"
            f" {alarms:.2f} false alarms a day"
            f" ({result.rows} rows in {result.seconds:.1f} s)"
        )
        missed = ", ".join(f"{one.rule} {'/'.join(sorted(one.whose))}" for one in result.missed)
        by_rule = ", ".join(
            f"{rule} {count}"
            for rule, count in sorted(Counter(f.rule for f in result.false).items())
        )
        print(f"  missed: {missed or 'none'}; false alarms by rule: {by_rule or 'none'}")
        for finding in result.false if options.verbose else ():
            day = (finding.at - 1_767_571_200) / DAY
            print(f"    day {day:5.2f} {finding.rule} {finding.client}: {finding.detail}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
