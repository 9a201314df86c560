"""The grammar of `eval` and `where`, and of which kind each value is.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Eval and …/Where. From the
tightest: brackets and functions, `-`, `* / %`, `+ -` and `.`, comparison, NOT, AND, OR, XOR.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewaylog.search.functions import FUNCTIONS
from gatewaylog.search.tree import Among, Binary, Call, Literal, Name, Unary, parts_of
from gatewaylog.search.values import number_of_text

if TYPE_CHECKING:
    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.tree import Expression

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:@]*")
_SINGLE = re.compile(r"'([^']*)'")
_KEYWORD = re.compile(r"(?:AND|OR|XOR|NOT|LIKE|IN)(?![A-Za-z0-9_])")
_SMALL = re.compile(r"(?:and|or|xor|not|like|in)(?![A-Za-z0-9_])", re.IGNORECASE)
_NOT = re.compile(r"(?:not|and|or|xor)(?![A-Za-z0-9_(])", re.IGNORECASE)
_COMPARISON = re.compile(r"==|!=|<=|>=|=|<|>")
_UNEQUAL = re.compile(r"<>")
_LIKE = re.compile(r"LIKE(?![A-Za-z0-9_])")
_IN = re.compile(r"IN(?=\s*\()")
_SUM = re.compile(r"[+.-]")
_PRODUCT = re.compile(r"[*/%]")
_OPENED = re.compile(r"\(")
_DEEPEST = 150

_VALUES = ("a field", "'a field'", '"a text"', "a number", "a function", "( )")


def parse_expression(scan: Scanner, kind: str = "value") -> Expression:
    """Read an expression whose result is a `kind`: "value" or "boolean"."""
    scan.space()
    start = scan.at
    expression = _xor(scan)
    place = scan.next_word()._replace(start=start, end=scan.at)
    if _depth(expression) > _DEEPEST:
        scan.fail(f"this expression is too long: {_DEEPEST} steps are known", place)
    found = kind_of(expression)
    if kind == "boolean" and found not in {"boolean", "null"}:
        scan.fail("a condition is needed here, such as x=1 or isnull(x)", place)
    if kind == "value" and found == "boolean":
        scan.fail("a condition is no value: use if(condition, value, value)", place)
    return expression


def kind_of(expression: Expression) -> str:
    """Return "boolean", "text", "number", "null", or "any" where it depends on the event."""
    match expression:
        case Literal(value):
            return "text" if isinstance(value, str) else "number"
        case Call(function):
            known = FUNCTIONS[function]
            return known.kind or _joined([kind_of(part) for part in known.results(expression)])
        case Binary("." | "+" as sign, left, right):
            texts = sign == "." or "text" in {kind_of(left), kind_of(right)}
            return "text" if texts else "any" if sign == "+" else "number"
        case Binary("-" | "*" | "/" | "%") | Unary("-"):
            return "number"
        case Name():
            return "any"
        case _:
            return "boolean"


def _joined(kinds: list[str]) -> str:
    found = set(kinds) - {"null"}
    if not found:
        return "null"
    return found.pop() if len(found) == 1 else "any"


def _depth(expression: Expression) -> int:
    deepest, waiting = 0, [(expression, 1)]
    while waiting:
        part, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting.extend((below, depth + 1) for below in parts_of(part))
    return deepest


def _xor(scan: Scanner) -> Expression:
    left = _or(scan)
    while joined := _keyword(scan, "XOR"):
        left = _boolean(scan, joined, left, _or(scan))
    return left


def _or(scan: Scanner) -> Expression:
    left = _and(scan)
    while joined := _keyword(scan, "OR"):
        left = _boolean(scan, joined, left, _and(scan))
    return left


def _and(scan: Scanner) -> Expression:
    left = _not(scan)
    while joined := _keyword(scan, "AND"):
        left = _boolean(scan, joined, left, _not(scan))
    return left


def _keyword(scan: Scanner, name: str) -> Token | None:
    found = scan.peek(_KEYWORD)
    if found and found[0] == name:
        return scan.take(_KEYWORD)
    small = scan.peek(_SMALL)
    if small and small[0] != small[0].upper() and name != "NOT":
        scan.fail("operators are in upper case", known=[small[0].upper()])
    return None


def _boolean(scan: Scanner, joined: Token, *parts: Expression) -> Expression:
    for part in parts:
        if kind_of(part) not in {"boolean", "null"}:
            scan.fail(f"{joined.text} needs conditions on both sides", joined)
    if len(parts) == 1:
        return Unary("NOT", parts[0], joined)
    return Binary(joined.text, parts[0], parts[1], joined)


def _not(scan: Scanner) -> Expression:
    joined = _keyword(scan, "NOT")
    if joined is None:
        return _comparison(scan)
    scan.deeper()
    part = _not(scan)
    scan.shallower()
    return _boolean(scan, joined, part)


def _comparison(scan: Scanner) -> Expression:
    left = _sum(scan)
    if unequal := scan.take(_UNEQUAL):
        scan.fail("<> is no comparison", unequal, ["!="])
    sign = scan.take(_COMPARISON) or scan.take(_LIKE)
    if sign:
        right = _sum(scan)
        _no_condition(scan, sign, left, right)
        return Binary("=" if sign.text == "==" else sign.text, left, right, sign)
    among = scan.take(_IN)
    if among:
        scan.expect("(")
        choices = _arguments(scan)
        _no_condition(scan, among, left, *choices)
        return Among(left, choices, among)
    return left


def _no_condition(scan: Scanner, sign: Token, *parts: Expression) -> None:
    if any(kind_of(part) == "boolean" for part in parts):
        scan.fail(f"a condition can't stand beside {sign.text}", sign)


def _sum(scan: Scanner) -> Expression:
    return _chain(scan, _SUM, lambda: _chain(scan, _PRODUCT, lambda: _negative(scan)))


def _chain(scan: Scanner, signs: re.Pattern[str], part: Part) -> Expression:
    left = part()
    while sign := scan.take(signs):
        right = part()
        _no_condition(scan, sign, left, right)
        left = Binary(sign.text, left, right, sign)
    return left


def _negative(scan: Scanner) -> Expression:
    sign = scan.take_sign("-")
    if sign is None:
        return _primary(scan)
    scan.deeper()
    part = _negative(scan)
    scan.shallower()
    _no_condition(scan, sign, part)
    if isinstance(part, Literal) and not isinstance(part.value, str):
        return Literal(-part.value, sign)
    return Unary("-", part, sign)


def _primary(scan: Scanner) -> Expression:
    if opened := scan.take_sign("("):
        scan.deeper()
        inside = _xor(scan)
        scan.take_sign(")") or scan.fail("this bracket is not closed", opened)
        scan.shallower()
        return inside
    if text := scan.quoted():
        return Literal(text.text, text)
    if number := scan.take(_NUMBER):
        value = number_of_text(number.text)
        return scan.fail("too great", number) if value is None else Literal(value, number)
    if single := scan.take(_SINGLE):
        return Name(single.text[1:-1], single)
    if scan.peek(_KEYWORD):
        scan.fail("a value is missing before this", known=_VALUES)
    if small := scan.peek(_NOT):
        scan.fail("operators are in upper case", scan.take(_NOT), [small[0].upper()])
    name = scan.take(_NAME) or scan.fail("a value is missing here", known=_VALUES)
    return _call(scan, name) if scan.peek(_OPENED) else Name(name.text, name)


def _call(scan: Scanner, name: Token) -> Expression:
    function = FUNCTIONS.get(name.text.lower())
    if function is None:
        scan.fail(f"the function {name.text} is not known", name, sorted(FUNCTIONS))
    scan.expect("(")
    scan.deeper()
    arguments = () if scan.take_sign(")") else _arguments(scan)
    scan.shallower()
    call = Call(name.text.lower(), arguments, name)
    function.check(scan, call, kind_of)
    return call


def _arguments(scan: Scanner) -> tuple[Expression, ...]:
    found = [_xor(scan)]
    while not scan.take_sign(")"):
        if not scan.take_sign(","):
            scan.fail("a comma or a closing bracket is missing here")
        found.append(_xor(scan))
    return tuple(found)


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Part: TypeAlias = Callable[[], Expression]
