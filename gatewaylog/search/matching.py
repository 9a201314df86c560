"""From a search to the test of a line: closures made once, called for every line."""

from __future__ import annotations

import ipaddress
import operator
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search.breakers import word_test
from gatewaylog.search.folding import fold, glob
from gatewaylog.search.tree import All, Any, Match, Not, OneOf, Words
from gatewaylog.search.values import number_of, number_of_text, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gatewaylog.search.tree import Search
    from gatewaylog.search.values import Value

    Fields: TypeAlias = Mapping[str, Value]
    Test: TypeAlias = Callable[[bytes, Fields], bool]
    TextTest: TypeAlias = Callable[[str], bool]

_SIZES = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_REMEMBERED = 4096  # values of which a test remembers what it said


def search_test(search: Search) -> Test:
    """Return the test whether a raw line and its fields match `search`."""
    match search:
        case Words(text):
            found = word_test(text)
            return lambda raw, _fields: found(raw.lower())
        case Match():
            return _match(search)
        case OneOf(name, texts):
            return _field_test(name, _any_of([value_test(text) for text in texts]))
        case Not(part):
            inner = search_test(part)
            return lambda raw, fields: not inner(raw, fields)
        case All(parts):
            return _all([search_test(part) for part in parts])
        case Any(parts):
            return _either([search_test(part) for part in parts])


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda raw, fields: first(raw, fields) and second(raw, fields)
    return lambda raw, fields: all(test(raw, fields) for test in tests)


def _either(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda raw, fields: first(raw, fields) or second(raw, fields)
    return lambda raw, fields: any(test(raw, fields) for test in tests)


def _match(search: Match) -> Test:
    if search.operator in _SIZES:
        return _size_test(search)
    holds = value_test(search.text)
    if search.operator == "=":
        return _field_test(search.name, holds)
    return _field_test(search.name, lambda text: not holds(text))


def value_test(wanted: str) -> TextTest:
    """Return the test whether a text is `wanted`: no case, wildcards, networks by address."""
    same = glob(wanted)
    inside = _network_test(wanted)
    if inside:
        return lambda text: same(fold(text)) or inside(text)
    return lambda text: same(fold(text))


def is_network(wanted: str) -> bool:
    """Tell whether `wanted` is a network, which is compared by its addresses."""
    return _network(wanted) is not None


def _network(wanted: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(wanted, strict=False) if "/" in wanted else None
    except ValueError:
        return None


def _network_test(wanted: str) -> TextTest | None:
    network = _network(wanted)
    if network is None:
        return None
    known: dict[str, bool] = {}

    def inside(text: str) -> bool:
        found = known.get(text)
        if found is None:
            if len(known) > _REMEMBERED:
                known.clear()
            found = known[text] = _is_in(text, network)
        return found

    return inside


def _is_in(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(text) in network
    except ValueError:
        return False


def _any_of(tests: list[TextTest]) -> TextTest:
    return lambda text: any(test(text) for test in tests)


def _field_test(name: str, holds: TextTest) -> Test:
    def test(_raw: bytes, fields: Fields) -> bool:
        value = fields.get(name)
        if value.__class__ is str:
            return holds(value)
        return value is not None and any(map(holds, texts_of(value)))

    return test


def _size_test(search: Match) -> Test:
    wanted = number_of_text(search.text)
    name, holds = search.name, _SIZES[search.operator]
    if wanted is None:
        return lambda _raw, _fields: False

    def test(_raw: bytes, fields: Fields) -> bool:
        value = fields.get(name)
        if isinstance(value, tuple):
            return any(_holds(text, wanted, holds) for text in value)
        number = number_of(value)
        return number is not None and bool(holds(number, wanted))

    return test


def _holds(text: str, wanted: float, holds: Callable[[float, float], bool]) -> bool:
    number = number_of_text(text)
    return number is not None and holds(number, wanted)
