"""What a search wants of a line that was taken apart, as SQL.

Every line that matches holds its condition. Where that is not exact, others do too, and the
search's own tests have to be tried once more. Those of words, of which no test can be made without
the line itself, are always exact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.analytics.schema import FIELDS, quoted
from gatewaylog.search.folding import fold
from gatewaylog.search.matching import is_network
from gatewaylog.search.prefilter import without_words
from gatewaylog.search.tree import All, Any, Match, Not, OneOf, Words
from gatewaylog.search.values import number_of_text
from gatewaylog.search.views import NUMERIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.search import Plan
    from gatewaylog.search.tree import Search

_RUN = re.compile(r"[\x20-\x29\x2b-\x7e]+")  # printable ASCII but *


class Condition(NamedTuple):
    """A condition, and whether only what matches holds it."""

    sql: str
    exact: bool = True


_ANYTHING = Condition("true", exact=False)


class Parameters:
    """The values that a statement is given, each under a name."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def name(self, value: object) -> str:
        """Keep a value; return what stands for it in the statement."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def words_of(plan: Plan) -> list[Search]:
    """Return those parts of a plan's search that are of words alone."""
    first = plan.first
    parts = first.parts if isinstance(first, All) else (first,)
    others = without_words(first)
    kept = others.parts if isinstance(others, All) else (others,)
    return [part for part in parts if not any(part is other for other in kept)]


def holding_words(part: Search, found: Callable[[Words], str]) -> str:
    """Return the condition of a part of words alone, of which `found` gives those of each."""
    match part:
        case Words():
            return found(part)
        case Not(inner):
            return f"(NOT {holding_words(inner, found)})"
        case All(parts) | Any(parts):
            joined = " AND " if isinstance(part, All) else " OR "
            each = [holding_words(inner, found) for inner in parts]
            return f"({joined.join(each)})" if each else str(isinstance(part, All))
        case _:
            raise TypeError(part)


def of_fields(part: Search, parameters: Parameters) -> Condition:
    """Return the condition that rows hold that match a part without words."""
    match part:
        case Match():
            return _match(part, parameters)
        case OneOf(name, texts):
            each = [_match(Match(name, "=", text), parameters) for text in texts]
            return _joined(" OR ", each)
        case Not(inner):
            found = of_fields(inner, parameters)
            return Condition(f"(NOT coalesce({found.sql}, false))") if found.exact else _ANYTHING
        case All(parts):
            return _joined(" AND ", [of_fields(inner, parameters) for inner in parts])
        case Any(parts):
            return _joined(" OR ", [of_fields(inner, parameters) for inner in parts])
        case _:
            return _ANYTHING


def _joined(operator: str, each: list[Condition]) -> Condition:
    if not each:
        return Condition(str(operator == " AND "))
    sql = operator.join(condition.sql for condition in each)
    return Condition(f"({sql})", exact=all(condition.exact for condition in each))


def _match(search: Match, parameters: Parameters) -> Condition:
    if search.name not in FIELDS:
        return _ANYTHING
    column = quoted(search.name)
    there = f"{column} <> ''"
    if search.operator == "=":
        return _same(column, search.text, parameters)
    if search.operator == "!=":
        same = _same(column, search.text, parameters)
        return Condition(f"({there} AND NOT {same.sql})") if same.exact else _maybe(there)
    number = number_of_text(search.text)
    if number is None:
        return Condition("false")
    if search.name not in NUMERIC:
        return _maybe(there)
    # Of a number's own field, the formats write digits or null.
    compared = f"try_cast({column} AS DOUBLE) {search.operator} {parameters.name(float(number))}"
    return Condition(f"coalesce({compared}, false)")


def _same(column: str, text: str, parameters: Parameters) -> Condition:
    there = f"{column} <> ''"
    if is_network(text):
        return _maybe(there)
    if "*" not in text and text.isascii() and text.isprintable():
        # As long as that: outside ASCII there are letters whose lower case is in it.
        name = parameters.name(fold(text))
        return Condition(f"(lower({column}) = {name} AND strlen({column}) = {len(text)})")
    if not text.strip("*"):
        return Condition(f"({there})")
    runs = _RUN.findall(fold(text))
    if not runs:
        return _maybe(there)
    return _maybe(f"contains(lower({column}), {parameters.name(max(runs, key=len))})")


def _maybe(sql: str) -> Condition:
    return Condition(f"({sql})", exact=False)
