"""What a search means for rows of the table, in ClickHouse's SQL.

Everything of a query stands in quotation marks there, escaped byte by byte. A condition is `exact`
where it lets through just the rows that match, else it lets through a few more, which are tried
here.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.search.breakers import literals
from gatewaylog.search.clickhouse_table import COLUMNS
from gatewaylog.search.folding import fold
from gatewaylog.search.matching import is_network
from gatewaylog.search.re2 import word_pattern
from gatewaylog.search.tree import All, Any, Match, Not, OneOf, Words
from gatewaylog.search.values import number_of_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.search.tree import Search

_ASCII_RUN = re.compile(r"[\x00-\x29\x2b-\x7f]+")  # all but *
_PLAIN_NUMBER = r"\A[0-9]{1,15}(?:\.[0-9]{1,9})?\z"
_SLACK = 1e-9  # by which a number may differ from what is read here of the same text
_ESCAPES = {0x27: "\\'", 0x5C: "\\\\"}
_KNOWN = frozenset(COLUMNS)


class Condition(NamedTuple):
    """SQL that is true of all rows that match; `exact`: of no other."""

    sql: str
    exact: bool


ANY_ROW = Condition("1", exact=True)
_UNTOLD = Condition("1", exact=False)


def literal(text: str) -> str:
    """Return `text` as a string of SQL; columns hold text as it is encoded here."""
    written = (
        _ESCAPES.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02X}")
        for byte in text.encode("utf-8", "surrogatepass")
    )
    return f"'{''.join(written)}'"


def column(name: str) -> str:
    """Return the expression for a field; where a row lacks it, it is ''."""
    return f"`{name}`" if name in _KNOWN else f"extra[{literal(name)}]"


def condition(search: Search) -> Condition:
    """Return what `search` asks of a row."""
    match search:
        case Words(text):
            return _words(text)
        case Match(name) | OneOf(name) if name in {"_time", "_raw"}:
            return _UNTOLD
        case Match():
            return _match(search)
        case OneOf(name, texts):
            return either([_value(name, text) for text in texts])
        case Not(part):
            return negated(condition(part))
        case All(parts):
            return both([condition(part) for part in parts])
        case Any(parts):
            return either([condition(part) for part in parts])


def both(parts: Sequence[Condition]) -> Condition:
    """Return the condition that all of `parts` hold."""
    told = [f"({part.sql})" for part in parts if part.sql != "1"]
    return Condition(" AND ".join(told) or "1", all(part.exact for part in parts))


def either(parts: Sequence[Condition]) -> Condition:
    """Return the condition that one of `parts` holds."""
    exact = all(part.exact for part in parts)
    if any(part.sql == "1" for part in parts):
        return Condition("1", exact)
    return Condition(" OR ".join(f"({part.sql})" for part in parts), exact)


def negated(part: Condition) -> Condition:
    """Return the condition that `part` does not hold."""
    return Condition(f"NOT ({part.sql})", exact=True) if part.exact else _UNTOLD


def _words(text: str) -> Condition:
    if not text.strip("*"):
        return ANY_ROW
    pattern = word_pattern(text, lowered=True)
    if pattern is not None:
        return Condition(f"match(lower(raw), {literal(pattern)})", exact=True)
    runs = [run.decode() for run in literals(text)]
    return both([_UNTOLD, *(_holding("raw", run) for run in runs)])


def _match(search: Match) -> Condition:
    if search.operator == "=":
        return _value(search.name, search.text)
    there = Condition(f"{column(search.name)} != ''", exact=True)
    if search.operator == "!=":
        return both([there, negated(_value(search.name, search.text))])
    return _size(search)


def _value(name: str, wanted: str) -> Condition:
    """Return the condition that a field is `wanted`, as `matching.value_test` has it."""
    cell, folded = column(name), fold(wanted)
    there = Condition(f"{cell} != ''", exact=True)
    if is_network(wanted):
        return both([there, _begin_of_network(cell, wanted)])
    if not folded.isascii():
        runs = _ASCII_RUN.findall(folded)
        return both([_UNTOLD, there, *(_holding(cell, run) for run in runs)])
    if "*" not in folded:
        return Condition(f"{cell} != '' AND lower({cell}) = {literal(folded)}", exact=True)
    return both([there, *_wildcards(cell, folded)])


def _wildcards(cell: str, pattern: str) -> list[Condition]:
    first, *middle, last = pattern.split("*")
    inner = [part for part in middle if part]
    found = [_holding(cell, part, len(first) + 1) for part in inner]
    if first:
        found.append(Condition(f"startsWith(lower({cell}), {literal(first)})", exact=True))
    if last:
        found.append(Condition(f"endsWith(lower({cell}), {literal(last)})", exact=True))
    least = len(first) + len(last)
    if first and last:
        found.append(Condition(f"length({cell}) >= {least}", exact=True))
    # Where parts have to stand behind each other is left to be tried here.
    if len(inner) > 1 or (inner and last):
        found.append(_UNTOLD)
    return found


def _holding(cell: str, part: str, start: int = 1) -> Condition:
    """Return the condition that a cell holds folded ASCII, from a byte on."""
    return Condition(f"position(lower({cell}), {literal(part)}, {start}) > 0", exact=True)


def _begin_of_network(cell: str, wanted: str) -> Condition:
    network = ip_network(wanted, strict=False)
    whole = network.prefixlen // 8
    if network.version != 4 or not 0 < whole < 4:
        return _UNTOLD
    octets = ".".join(str(network.network_address).split(".")[:whole])
    return Condition(f"startsWith({cell}, {literal(octets + '.')})", exact=False)


def _size(search: Match) -> Condition:
    """Return the condition of `<` and the like: exact for no text, near for usual numbers."""
    wanted = number_of_text(search.text)
    if wanted is None:
        return Condition("0", exact=True)
    cell = column(search.name)
    slack = abs(wanted) * _SLACK
    bound = float(wanted + slack if search.operator[0] == "<" else wanted - slack)
    sign = f"{search.operator[0]}="
    usual = f"match({cell}, {literal(_PLAIN_NUMBER)})"
    near = f"toFloat64OrZero({cell}) {sign} toFloat64({literal(repr(bound))})"
    sql = f"match({cell}, '[0-9]') AND (NOT {usual} OR {near})"
    return Condition(sql, exact=False)
