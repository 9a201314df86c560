"""What `stats`, `chart` and `timechart` compute: `count`, `avg(x) AS y`, `count(eval(x>1))`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search.commands import picking
from gatewaylog.search.commands.aggregators import (
    Aggregator,
    Average,
    Count,
    Deviation,
    Numbers,
    Percentile,
    Sum,
    Texts,
)
from gatewaylog.search.expressions import parse_expression
from gatewaylog.search.scanner import Token
from gatewaylog.search.tree import Expression, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.search.scanner import Scanner
    from gatewaylog.search.stream import Setting
    from gatewaylog.search.values import Record, Value

    Extract: TypeAlias = Callable[[Record], Value | Numbers | Texts | bool | None]

AGGREGATORS: dict[str, Callable[[], Aggregator]] = {
    "count": Count,
    "dc": picking.Distinct,
    "sum": Sum,
    "avg": Average,
    "min": picking.Least,
    "max": picking.Greatest,
    "stdev": Deviation,
    "values": picking.Values,
    "list": picking.Listing,
    "first": lambda: picking.Foremost(picking.first),
    "last": lambda: picking.Foremost(picking.last),
    "earliest": lambda: picking.Foremost(picking.earliest),
    "latest": lambda: picking.Foremost(picking.latest),
}

_ORDERED = frozenset({"list", "first", "last", "earliest", "latest"})

_FUNCTION = re.compile(r"[A-Za-z_]+[0-9]*(?:\.[0-9]+)?(?=[\s(,|]|\Z)")
_OPENED = re.compile(r"\(")
_EVAL = re.compile(r"eval\s*\(", re.IGNORECASE)
_PERCENTILE = re.compile(r"(?:p|perc|exactperc)([0-9]{1,2}(?:\.[0-9]{1,6})?|100)")
_ALIASES = {"c": "count", "distinct_count": "dc", "mean": "avg"}
_KNOWN = (*AGGREGATORS, "median", "p95")
_NOWHERE = Token("", 0, 0)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A function, what it is given (None: the record itself), and the column it makes.

    `share` is the share of a percentile.
    """

    function: str
    argument: str | Expression | None
    name: str
    share: Fraction | None = None
    place: Token = field(default=_NOWHERE, compare=False)

    def reads(self) -> frozenset[str]:
        """Return the fields it looks at."""
        found: frozenset[str] = frozenset()
        if isinstance(self.argument, str):
            found = frozenset({self.argument})
        elif self.argument:
            found = fields_of(self.argument)
        return found | {"_time"} if self.function in {"earliest", "latest"} else found

    @property
    def divisible(self) -> bool:
        """Tell whether the order of the records does not matter, not in the last digit either."""
        return self.function not in _ORDERED

    def make(self) -> Callable[[], Aggregator]:
        """Return what makes a fresh state."""
        share = self.share
        return AGGREGATORS[self.function] if share is None else lambda: Percentile(share)

    def result(self, state: Aggregator) -> Value | None:
        """Return what a state gives, also one that was made for another percentile."""
        if self.share is not None and isinstance(state, Percentile):
            return state.at(self.share)
        return state.result()

    def extract(self, setting: Setting) -> Extract:
        """Return the function that takes from a record what is given; None and false are not."""
        argument = self.argument
        if argument is None:
            return lambda _record: 1
        if isinstance(argument, str):
            return lambda record: record.get(argument)
        return setting.evaluation().function(argument)


def parse_aggregation(scan: Scanner) -> Aggregation:
    """Read one function, and `AS` and a name behind it."""
    name = scan.take(_FUNCTION)
    if name is None:
        scan.fail("a function is missing here", known=_KNOWN)
    function, share = _function(scan, name)
    argument = _argument(scan, function) if scan.peek(_OPENED) else None
    if argument is None and function != "count":
        scan.fail(f"{name.text} needs a field", name, [f"{name.text}(field)"])
    end = scan.at
    shown = " ".join(scan.query[name.start : end].split())
    shown = "count" if function == "count" and argument is None else shown
    if scan.word("as"):
        shown = scan.plain_name().text
    return Aggregation(function, argument, shown, share, name._replace(end=end))


def _function(scan: Scanner, name: Token) -> tuple[str, Fraction | None]:
    text = name.text.lower()
    if text in {"median", "p"}:
        return ("p", Fraction(1, 2)) if text == "median" else _unknown(scan, name)
    if found := _PERCENTILE.fullmatch(text):
        return "p", Fraction(found[1]) / 100
    text = _ALIASES.get(text, text)
    return (text, None) if text in AGGREGATORS else _unknown(scan, name)


def _unknown(scan: Scanner, name: Token) -> tuple[str, Fraction | None]:
    return scan.fail(f"the function {name.text} is not known here", name, _KNOWN)


def _argument(scan: Scanner, function: str) -> str | Expression | None:
    opened = scan.expect("(")
    argument: str | Expression | None = None
    if scan.take(_EVAL):
        argument = parse_expression(scan, "any" if function == "count" else "value")
        scan.expect(")")
    elif not scan.take_sign(")"):
        argument = scan.plain_name().text
    else:
        return None
    if not scan.take_sign(")"):
        scan.fail("this bracket is not closed", opened)
    return argument


def check_names(scan: Scanner, aggregations: list[Aggregation], by: list[str]) -> None:
    """Fail where two columns would have one name."""
    seen = set(by)
    for aggregation in aggregations:
        if aggregation.name in seen:
            message = f"there is another column {aggregation.name}; name this one"
            scan.fail(message, aggregation.place, [f"{aggregation.function} AS name"])
        seen.add(aggregation.name)
