"""The trees that queries are read into: what is searched for, and what is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from gatewaylog.search.scanner import Token

_NOWHERE = Token("", 0, 0)


@dataclass(frozen=True, slots=True)
class Words:
    """A word or a phrase that the raw line has to hold between breakers; `*` is a wildcard."""

    text: str
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Match:
    """`field operator text` of `search`; the operator is one of `= != < <= > >=`."""

    name: str
    operator: str
    text: str
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """`field IN (texts)` of `search`."""

    name: str
    texts: tuple[str, ...]
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT` of `search`."""

    part: Search


@dataclass(frozen=True, slots=True)
class All:
    """Parts that all have to match; none of them: everything does."""

    parts: tuple[Search, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Parts of which one has to match."""

    parts: tuple[Search, ...]


Search: TypeAlias = Words | Match | OneOf | Not | All | Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A text or a number in an expression."""

    value: str | int | float
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A field in an expression."""

    name: str
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Expression, ...]
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two values joined by one of `+ - * / % . = != < <= > >= LIKE AND OR XOR`."""

    operator: str
    left: Expression
    right: Expression
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`NOT` or `-` before a value."""

    operator: str
    part: Expression
    place: Token = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Among:
    """`value IN (values)` of an expression."""

    part: Expression
    choices: tuple[Expression, ...]
    place: Token = field(default=_NOWHERE, compare=False)


Expression: TypeAlias = Literal | Name | Call | Binary | Unary | Among


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions right below this one."""
    match expression:
        case Binary(_, left, right):
            return left, right
        case Call(_, arguments):
            return arguments
        case Unary(_, part):
            return (part,)
        case Among(part, choices):
            return part, *choices
        case _:
            return ()


def fields_of(expression: Expression) -> frozenset[str]:
    """Return the fields that an expression reads."""
    found, waiting = set(), [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Name):
            found.add(part.name)
        waiting.extend(parts_of(part))
    return frozenset(found)


def fields_searched(search: Search) -> frozenset[str]:
    """Return the fields that a search reads; words read `_raw`."""
    match search:
        case Words():
            return frozenset({"_raw"})
        case Match(name) | OneOf(name):
            return frozenset({name})
        case Not(part):
            return fields_searched(part)
        case All(parts) | Any(parts):
            return frozenset().union(*map(fields_searched, parts))
