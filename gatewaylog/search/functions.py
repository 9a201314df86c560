"""The functions of `eval` and `where`: what they take, what they give, how they are computed.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/CommonEvalFunctions. A function
is made once for its arguments and called for every event; null in gives null out unless its text
says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search import function_bodies as bodies
from gatewaylog.search import texts
from gatewaylog.search.folding import lower, upper
from gatewaylog.search.tree import Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from gatewaylog.search.scanner import Scanner
    from gatewaylog.search.tree import Call, Expression
    from gatewaylog.search.values import Record, Value

    Result: TypeAlias = Value | bool | None
    Compute: TypeAlias = Callable[[Record], Result]
    Make: TypeAlias = Callable[["Given"], Compute]
    Kinds: TypeAlias = Callable[[Expression], str]


@dataclass(frozen=True, slots=True)
class Given:
    """What a function is made from: its arguments, computed and as written, and the query's now."""

    arguments: Sequence[Compute]
    call: Call
    now: float
    zone: tzinfo | None

    def literal(self, at: int) -> str | None:
        """Return the text that is written as this argument, None where it is computed."""
        if at >= len(self.call.arguments):
            return None
        argument = self.call.arguments[at]
        found = argument.value if isinstance(argument, Literal) else None
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class Function:
    """`kind` of its result ("" for that of the arguments it gives back), fewest and most arguments,
    and which of these have to be conditions.
    """

    make: Make
    kind: str
    fewest: int
    most: int
    shape: str
    conditions: Callable[[int, int], bool] = lambda _at, _count: False
    free: bool = False  # its arguments may be conditions or values

    def results(self, call: Call) -> list[Expression]:
        """Return the arguments that it may give back."""
        count = len(call.arguments)
        return [part for at, part in enumerate(call.arguments) if not self.conditions(at, count)]

    def check(self, scan: Scanner, call: Call, kind_of: Kinds) -> None:
        """Fail where the arguments are not what it takes."""
        count = len(call.arguments)
        odd = call.function == "case" and count % 2
        if not self.fewest <= count <= self.most or odd:
            given = "1 argument" if count == 1 else f"{count} arguments"
            scan.fail(f"{call.function} does not take {given}", call.place, [self.shape])
        for at, part in enumerate(call.arguments):
            kind = kind_of(part)
            wanted = self.conditions(at, count)
            if wanted and kind not in {"boolean", "null"}:
                message = f"argument {at + 1} of {call.function} has to be a condition"
                scan.fail(message, call.place, [self.shape])
            if not wanted and kind == "boolean" and not self.free:
                message = f"argument {at + 1} of {call.function} can't be a condition"
                scan.fail(message, call.place, [self.shape])
        self._check_mixture(scan, call, kind_of)
        texts.check_literals(scan, call)

    def _check_mixture(self, scan: Scanner, call: Call, kind_of: Kinds) -> None:
        kinds = {kind_of(part) for part in self.results(call)} - {"null"}
        if not self.kind and "boolean" in kinds and len(kinds) > 1:
            scan.fail(f"{call.function} can't give a condition here and a value there", call.place)


def _first(at: int, _count: int) -> bool:
    return at == 0


def _even(at: int, _count: int) -> bool:
    return at % 2 == 0


_MANY = 1000
FUNCTIONS = {
    "if": Function(bodies.if_, "", 3, 3, "if(condition, value, value)", _first, free=True),
    "case": Function(bodies.case, "", 2, _MANY, "case(condition, value, …)", _even, free=True),
    "coalesce": Function(bodies.coalesce, "", 1, _MANY, "coalesce(value, …)"),
    "isnull": Function(bodies.isnull, "boolean", 1, 1, "isnull(value)"),
    "isnotnull": Function(bodies.isnotnull, "boolean", 1, 1, "isnotnull(value)"),
    "like": Function(bodies.matching(texts.like), "boolean", 2, 2, 'like(text, "pattern%")'),
    "match": Function(bodies.matching(texts.matching), "boolean", 2, 2, 'match(text, "regex")'),
    "replace": Function(bodies.replace, "text", 3, 3, 'replace(text, "regex", "text")'),
    "lower": Function(bodies.on_text(lower), "text", 1, 1, "lower(text)"),
    "upper": Function(bodies.on_text(upper), "text", 1, 1, "upper(text)"),
    "len": Function(bodies.on_text(len), "number", 1, 1, "len(text)"),
    "substr": Function(bodies.substr, "text", 2, 3, "substr(text, start, length)"),
    "split": Function(bodies.on_texts(bodies.split), "text", 2, 2, 'split(text, "between")'),
    "mvindex": Function(bodies.mvindex, "any", 2, 3, "mvindex(values, first, last)"),
    "tonumber": Function(bodies.tonumber, "number", 1, 2, "tonumber(text, base)"),
    "tostring": Function(bodies.tostring, "text", 1, 2, 'tostring(value, "commas")', free=True),
    "round": Function(bodies.rounded, "number", 1, 2, "round(number, digits)"),
    "strftime": Function(bodies.strftime, "text", 2, 2, 'strftime(time, "%Y-%m-%d")'),
    "strptime": Function(bodies.strptime, "number", 2, 2, 'strptime(text, "%Y-%m-%d")'),
    "now": Function(bodies.now, "number", 0, 0, "now()"),
    "null": Function(bodies.constant(None), "null", 0, 0, "null()"),
    "true": Function(bodies.constant(value=True), "boolean", 0, 0, "true()"),
    "false": Function(bodies.constant(value=False), "boolean", 0, 0, "false()"),
}
