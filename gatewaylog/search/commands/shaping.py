"""table, fields, rename, fillnull: which fields go on, and under which names.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Table, …/Fields, …/Rename,
…/Fillnull. Columns that are asked for by a wildcard are known when all records are: these are kept
until then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewaylog.search.folding import wildcard_regex
from gatewaylog.search.stream import Needed, Setting, Stream, also

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Collection, Iterator

    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.values import Record

_INTERNAL = ("_time", "_raw")


def _names_in(rows: Collection[Record]) -> list[str]:
    """Return the names of all fields, as they come first."""
    return list(dict.fromkeys(name for record in rows for name in record))


def _matched(patterns: Collection[str], names: Collection[str]) -> tuple[str, ...]:
    """Return the names that `patterns` ask for, in their order; those of one by code point."""
    found: list[str] = []
    for pattern in patterns:
        if "*" not in pattern:
            found.append(pattern)
            continue
        test = wildcard_regex(pattern).fullmatch
        hidden = pattern.startswith("_")
        found += sorted(name for name in names if test(name) and name.startswith("_") == hidden)
    return tuple(dict.fromkeys(found))


def _wild(patterns: Collection[str]) -> bool:
    return any("*" in pattern for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Table:
    """`table`: these columns alone, in this order."""

    fields: tuple[str, ...]

    def reads(self, _needed: Needed) -> Needed:
        """Return the columns."""
        return None if _wild(self.fields) else frozenset(self.fields)

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Let these columns through."""
        rows, columns = stream.rows, self.fields
        if _wild(columns):
            kept = list(rows)
            columns = _matched(columns, stream.columns or _names_in(kept))
            rows = iter(kept)
        return Stream((_only(record, columns) for record in rows), columns, "table")


def _only(record: Record, names: tuple[str, ...]) -> Record:
    return {name: record[name] for name in names if name in record}


def parse_table(scan: Scanner) -> Table:
    """Read what follows `table`: names, wildcards among them."""
    names = [token.text for token in scan.names(wild=True)]
    if not names:
        scan.fail("table needs a field")
    return Table(tuple(dict.fromkeys(names)))


@dataclass(frozen=True, slots=True)
class Fields:
    """`fields`: keep these fields (and `_time` and `_raw`), or take these away."""

    fields: tuple[str, ...]
    keep: bool = True

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed of what is kept."""
        if _wild(self.fields):
            return needed
        if not self.keep:
            return None if needed is None else needed - frozenset(self.fields)
        kept = frozenset((*self.fields, *_INTERNAL))
        return kept if needed is None else needed & kept

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Let through what is kept."""
        kept = self._test()
        rows = ({name: record[name] for name in record if kept(name)} for record in stream.rows)
        columns = stream.columns and tuple(filter(kept, stream.columns))
        return replace(stream, rows=rows, columns=columns)

    def _test(self) -> Callable[[str], bool]:
        exact = frozenset(field for field in self.fields if "*" not in field)
        wild = [wildcard_regex(field).fullmatch for field in self.fields if "*" in field]

        def named(name: str) -> bool:
            return name in exact or any(match(name) for match in wild if name[:1] != "_")

        if self.keep:
            return lambda name: name in _INTERNAL or named(name)
        return lambda name: not named(name)


def parse_fields(scan: Scanner) -> Fields:
    """Read what follows `fields`: `+` or `-`, and names."""
    keep = not scan.take_sign("-")
    if keep:
        scan.take_sign("+")
    names = [token.text for token in scan.names(wild=True)]
    if not names:
        scan.fail("fields needs a field")
    return Fields(tuple(names), keep)


@dataclass(frozen=True, slots=True)
class Rename:
    """`rename`: other names, one after the other; a name with stars is one for many."""

    names: tuple[tuple[str, str], ...]

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed, under the names of before."""
        for old, new in reversed(self.names):
            if needed is None or "*" in old:
                return None
            needed = (needed - {new}) | ({old} if new in needed else frozenset())
        return needed

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Give the other names."""
        steps = [_renaming(old, new) for old, new in self.names]
        columns = stream.columns
        if columns is not None:
            for step in steps:
                columns = tuple(dict.fromkeys(step(name) for name in columns))
        plain = [pair for pair in self.names if "*" not in pair[0]]

        def renamed(record: Record) -> Record:
            if len(plain) == len(self.names):
                return _plainly(record, plain)
            for step in steps:
                record = {step(name): value for name, value in record.items()}
            return record

        return replace(
            stream,
            rows=map(renamed, stream.rows),
            columns=columns,
            axis=next((new for old, new in self.names if old == stream.axis), stream.axis),
        )


def _plainly(record: Record, names: list[tuple[str, str]]) -> Record:
    for old, new in names:
        if old == new:
            continue
        # A field that is not there takes the other's place all the same, says Splunk's page.
        record.pop(new, None)
        if old in record:
            record = {new if name == old else name: value for name, value in record.items()}
    return record


def _renaming(old: str, new: str) -> Callable[[str], str]:
    if "*" not in old:
        return lambda name: new if name == old else name
    pattern = wildcard_regex(old)
    parts = new.split("*")

    def renamed(name: str) -> str:
        found = pattern.fullmatch(name)
        return name if found is None or name[:1] == "_" else _filled(parts, found)

    return renamed


def _filled(parts: list[str], found: re.Match[str]) -> str:
    filled = parts[0]
    for at, part in enumerate(parts[1:], 1):
        filled += found[at] + part
    return filled


def parse_rename(scan: Scanner) -> Rename:
    """Read what follows `rename`: `old AS new`, with commas or spaces between."""
    names: list[tuple[str, str]] = []
    while not scan.done() or not names:
        if names:
            scan.take_sign(",")
        old = scan.name()
        if not scan.word("as"):
            scan.fail("AS and the new name are missing here")
        names.append((old.text, _new_name(scan, old)))
    return Rename(tuple(names))


def _new_name(scan: Scanner, old: Token) -> str:
    new = scan.name("the new name")
    if new.text.count("*") != old.text.count("*"):
        scan.fail("both names need as many wildcards", new)
    return new.text


@dataclass(frozen=True, slots=True)
class Fillnull:
    """`fillnull`: a value in place of null, in these fields or in all that there are."""

    fields: tuple[str, ...] = ()
    value: str = "0"

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and what is filled."""
        return also(needed, self.fields) if self.fields else None

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Fill what is null."""
        if self.fields:
            rows = self._filled(stream.rows, self.fields)
            return stream.with_columns(*self.fields).with_rows(rows)
        kept = list(stream.rows)
        names = tuple(_names_in(kept)) if stream.columns is None else stream.columns
        return stream.with_rows(self._filled(iter(kept), names))

    def _filled(self, rows: Iterator[Record], names: tuple[str, ...]) -> Iterator[Record]:
        empty: Record = dict.fromkeys(names, self.value)
        for record in rows:
            yield record | {name: value for name, value in empty.items() if name not in record}


def parse_fillnull(scan: Scanner) -> Fillnull:
    """Read what follows `fillnull`: `value=` and fields."""
    fillnull = Fillnull()
    fields: list[str] = []
    while not scan.done():
        if option := scan.option(("value",)):
            fillnull = replace(fillnull, value=option[1].text)
            continue
        if fields:
            scan.take_sign(",")
        fields.append(scan.plain_name().text)
    return replace(fillnull, fields=tuple(fields))
