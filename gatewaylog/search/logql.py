"""From a plan to LogQL's line filters: what a line has to hold, so that Loki sends fewer.

They only ever leave out lines that can't match; each line that comes is tried here. Labels are not
asked for, since a log may have been sent without them: who wants them names them in the selector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.search.re2 import quoted, word_pattern
from gatewaylog.search.tree import All, Not, Words

if TYPE_CHECKING:
    from gatewaylog.search.plan import Plan
    from gatewaylog.search.prefilter import Clause

SELECTOR = '{job="gatewaylog"}'


def query_of(plan: Plan, selector: str = SELECTOR) -> str:
    """Return the LogQL that finds the lines which may match `plan`."""
    parts = plan.first.parts if isinstance(plan.first, All) else (plan.first,)
    wanted = [f'|~ "{_string(_clause(clause))}"' for clause in plan.prefilter.clauses]
    unwanted = [
        f'!~ "{_string(pattern)}"'
        for part in parts
        if isinstance(part, Not) and isinstance(part.part, Words)
        if (pattern := word_pattern(part.part.text))
    ]
    return " ".join([selector, *wanted, *unwanted])


def _clause(clause: Clause) -> str:
    return "(?i)(?:" + "|".join(quoted(literal.decode()) for literal in clause) + ")"


def _string(expression: str) -> str:
    """Return an expression, letters and signs of ASCII, between LogQL's quotation marks."""
    return expression.replace("\\", "\\\\").replace('"', '\\"')
