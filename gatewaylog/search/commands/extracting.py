"""rex: fields taken out of texts, and texts replaced, by regular expressions.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Rex
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.search.stream import Needed, Setting, Stream, also
from gatewaylog.search.texts import expanded, regex, regex_problem
from gatewaylog.search.values import one_text, value_of

if TYPE_CHECKING:
    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.values import Record

_PART = r"((?:\\.|(?!(?P=sign))[^\\])*)(?P=sign)"
_SED = re.compile(rf"s(?P<sign>[^\w\s\\]){_PART}{_PART}(g|[1-9][0-9]{{0,3}})?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rex:
    """`rex`: fields from the named groups of a regular expression."""

    pattern: re.Pattern[str]
    field: str = "_raw"
    max_match: int = 1

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and the field that is looked at."""
        return also(needed, (self.field,))

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Take out the fields."""
        groups = tuple(self.pattern.groupindex)
        return stream.with_columns(*groups).with_rows(map(self._taken, stream.rows))

    def _taken(self, record: Record) -> Record:
        text = one_text(record.get(self.field))
        if text is None:
            return record
        if self.max_match == 1:
            found = self.pattern.search(text)
            if found:
                record.update({name: part for name, part in found.groupdict().items() if part})
            return record
        gathered: dict[str, list[str]] = {name: [] for name in self.pattern.groupindex}
        for at, match in enumerate(self.pattern.finditer(text), 1):
            for name, part in match.groupdict().items():
                gathered[name] += [part] if part else []
            if at == self.max_match:
                break
        for name, parts in gathered.items():
            value = value_of(parts)
            if value is not None:
                record[name] = value
        return record


@dataclass(frozen=True, slots=True)
class RexSed:
    """`rex mode=sed`: a field's text replaced, as sed's `s` does."""

    pattern: re.Pattern[str]
    new: str
    count: int = 1  # 0: every place
    only: int = 0  # this place alone
    field: str = "_raw"

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and the field that is changed."""
        return also(needed, (self.field,))

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Replace."""
        return stream.with_rows(map(self._replaced, stream.rows))

    def _replaced(self, record: Record) -> Record:
        text = one_text(record.get(self.field))
        if text is None:
            return record
        seen = 0

        def new(match: re.Match[str]) -> str:
            nonlocal seen
            seen += 1
            return match[0] if self.only and seen != self.only else expanded(match, self.new)

        record[self.field] = self.pattern.sub(new, text, count=0 if self.only else self.count)
        return record


def parse_rex(scan: Scanner) -> Rex | RexSed:
    """Read what follows `rex`: `field=`, `max_match=`, `mode=sed`, and the expression."""
    field, most, sed, written = "_raw", 1, False, None
    while not scan.done():
        if option := scan.option(("field", "max_match", "mode")):
            name, value = option
            field = value.text if name.text == "field" else field
            most = scan.count(value) if name.text == "max_match" else most
            sed = sed or _is_sed(scan, name, value)
        elif written is None:
            written = scan.quoted() or scan.fail("the expression has to stand in quotation marks")
        else:
            scan.end_command()
    if written is None:
        scan.fail("rex needs an expression", known=['"(?<name>…)"'])
    if sed:
        return _sed(scan, written, field)
    pattern = _pattern(scan, written.text, written)
    if not pattern.groupindex:
        scan.fail("this expression has no named group", written, ["(?<name>…)"])
    return Rex(pattern, field, most)


def _is_sed(scan: Scanner, name: Token, value: Token) -> bool:
    if name.text != "mode":
        return False
    return value.text == "sed" or scan.fail("this mode is not known", value, ["sed"])


def _pattern(scan: Scanner, text: str, place: Token) -> re.Pattern[str]:
    found = regex(text)
    if found is None:
        scan.fail(f"this is no regular expression: {regex_problem(text)}", place)
    return found


def _sed(scan: Scanner, written: Token, field: str) -> RexSed:
    found = _SED.fullmatch(written.text.strip())
    if found is None:
        return scan.fail("this is no replacement that is known", written, ["s/regex/text/g"])
    _, old, new, flag = found.groups()
    pattern = _pattern(scan, old, written)
    if flag == "g":
        return RexSed(pattern, new, 0, field=field)
    return RexSed(pattern, new, 1, int(flag or 0), field)
