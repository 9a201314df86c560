"""The grammar of `search`: words, phrases, `field=value`, NOT, then OR, then AND.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Search and, for the order of
the operators, …/Search/Booleanexpressions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewaylog.events import LAYOUTS
from gatewaylog.search.scanner import Token
from gatewaylog.search.tree import All, Any, Match, Not, OneOf, Words

if TYPE_CHECKING:
    from gatewaylog.search.scanner import Scanner
    from gatewaylog.search.tree import Search

_FIELD = re.compile(r"[A-Za-z_*][A-Za-z0-9_.:{}@*-]*(?=\s*(?:[<>]|!=|=))")
_LISTED = re.compile(r"[A-Za-z_*][A-Za-z0-9_.:{}@*-]*(?=\s+IN\s*\()")
_OPERATOR = re.compile(r"!=|<=|>=|==|=|<|>")
_SIGNS = re.compile(r"[<>=!]+")
_IN = re.compile(r"IN(?=\s*\()")
_SMALL_IN = re.compile(r"[A-Za-z_*][A-Za-z0-9_.:{}@*-]*\s+(in|In|iN)\s*\(")
_INDEXED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)::")
_FIELDS = frozenset(field.key for layout in LAYOUTS for field in layout.fields)
_WORD = re.compile(r'[^\s|()"\[\]`]+')
_BOUNDED = re.compile(r'(NOT|OR|AND)(?=[\s()"]|\Z)')
_DIRECTIVE = re.compile(r"(?:TERM|CASE|PREFIX)\s*\(")
_UNKNOWN = frozenset({"eventtype", "tag", "savedsearch", "savedsplunk", "splunk_server", "hosttag"})
_FORMS = ("word", '"a phrase"', "field=value", "field!=value", "field<number", "field IN (a, b)")


def parse_search(scan: Scanner) -> Search:
    """Read terms up to the command's end, or to the bracket that closes them; none: everything."""
    parts: list[Search] = []
    while not _closed(scan):
        joined = _operator(scan, "AND")
        if joined and (not parts or _closed(scan)):
            scan.fail("AND needs a term on both sides", joined)
        parts.append(_either(scan))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _closed(scan: Scanner) -> bool:
    return scan.done() or scan.query[scan.at] == ")"


def _operator(scan: Scanner, name: str) -> Token | None:
    found = scan.peek(_BOUNDED)
    return scan.take(_BOUNDED) if found and found[1] == name else None


def _either(scan: Scanner) -> Search:
    parts = [_negated(scan)]
    while joined := _operator(scan, "OR"):
        if _closed(scan):
            scan.fail("OR needs a term on both sides", joined)
        parts.append(_negated(scan))
    return parts[0] if len(parts) == 1 else Any(tuple(parts))


def _negated(scan: Scanner) -> Search:
    joined = _operator(scan, "NOT")
    if joined is None:
        return _primary(scan)
    if _closed(scan):
        scan.fail("NOT needs a term after it", joined)
    scan.deeper()
    part = _negated(scan)
    scan.shallower()
    return Not(part)


def _primary(scan: Scanner) -> Search:
    if opened := scan.take_sign("("):
        scan.deeper()
        inside = parse_search(scan)
        if scan.take_sign(")") is None:
            scan.fail("this bracket is not closed", opened)
        scan.shallower()
        if inside == All(()):
            scan.fail("there is nothing between these brackets", opened)
        return inside
    phrase = scan.quoted()
    if phrase:
        return _compared(scan, phrase) if scan.peek(_OPERATOR) else _words(scan, phrase)
    return _listed(scan) or _field(scan) or _bare(scan)


def _words(scan: Scanner, token: Token) -> Search:
    return Words(token.text, token) if token.text else scan.fail("this phrase is empty", token)


def _field(scan: Scanner) -> Search | None:
    name = scan.take(_FIELD)
    return _compared(scan, name) if name else None


def _compared(scan: Scanner, name: Token) -> Search:
    _known(scan, name)
    operator = scan.take(_OPERATOR)
    if operator is None or scan.done() or scan.query[scan.at] in "()":
        return scan.fail("a value is missing here", operator)
    _no_other_sign(scan, operator)
    scan.no_single_quotes()
    value = scan.quoted() or scan.take(_WORD) or scan.fail("a value is missing here")
    sign = "=" if operator.text == "==" else operator.text
    return Match(name.text, sign, value.text, name._replace(end=value.end))


def _no_other_sign(scan: Scanner, operator: Token) -> None:
    """Fail where a comparison goes on as none does: the rest would be taken for the value."""
    if more := scan.peek(_SIGNS):
        place = Token(scan.query[operator.start : more.end()], operator.start, more.end())
        known = ["!="] if place.text in {"<>", "=!", "!=="} else ["=", "!=", "<", "<=", ">", ">="]
        scan.fail(f"{place.text} is no comparison", place, known)


def _listed(scan: Scanner) -> Search | None:
    if small := scan.peek(_SMALL_IN):
        scan.fail("operators are in upper case", Token(small[1], *small.span(1)), ["IN"])
    name = scan.take(_LISTED)
    if name is None:
        return None
    _known(scan, name)
    scan.take(_IN)
    opened = scan.expect("(")
    texts = [scan.text().text]
    while not scan.take_sign(")"):
        if scan.finished():
            scan.fail("this bracket is not closed", opened)
        scan.take_sign(",")
        texts.append(scan.text().text)
    return OneOf(name.text, tuple(texts), name._replace(end=scan.at))


def _known(scan: Scanner, name: Token) -> None:
    if "*" in name.text:
        scan.fail("wildcards are not known in the name of a field", name, _FORMS)
    if name.text in _UNKNOWN or name.text.startswith(("_index_", "tag::")):
        scan.fail(f"{name.text}= is Splunk's own and not known here", name, _FORMS)


def _bare(scan: Scanner) -> Search:
    if directive := scan.take(_DIRECTIVE):
        scan.fail(f"{directive.text[:4].strip()}( is not known here", directive, _FORMS)
    scan.no_single_quotes()
    word = scan.take(_WORD)
    if word is None:
        return scan.fail(_stray(scan), known=_FORMS)
    if word.text in {"AND", "OR"}:
        scan.fail(f"{word.text} needs a term on both sides", word)
    indexed = _INDEXED.match(word.text)
    if indexed and indexed[1] in _FIELDS | {"host", "source", "sourcetype"}:
        known = [f"{indexed[1]}={word.text[indexed.end() :]}"]
        scan.fail(f"{indexed[0]} is Splunk's own and not known here", word, known)
    if _OPERATOR.match(word.text):
        scan.fail("a field is missing before this", word, _FORMS)
    return Words(word.text, word)


def _stray(scan: Scanner) -> str:
    signs = {"[": "searches inside searches are not known", "`": "macros are not known"}
    return signs.get(scan.query[scan.at], "no term can begin with this")
