"""Which lines `tail` shows: all, or those that a search finds."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli.span import span_of
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from gatewaylog.cli.span import Span
    from gatewaylog.reader import Entry
    from gatewaylog.search import Plan

_NO_NAME = re.compile(r'[ =<>"|()]')


class Wanted:
    """The lines that a plan finds; without one, those of the span. Call it with each.

    `index_of` tells by a file's name the index that it was found in, where it was found in one.
    """

    def __init__(self, plan: Plan | None, span: Span) -> None:
        self.span = span
        self.indexes = () if plan is None else plan.indexes
        self.index_of: dict[str, str] = {}
        self.is_all = plan is None
        self._plan = plan
        if plan is not None:
            from gatewaylog.search import row_reader

            self._read = row_reader(None)

    @property
    def of_block(self) -> Callable[[bytes], bool] | None:
        """What tells of many lines at once whether any may be wanted; None where all are."""
        if self._plan is None:
            return None
        lines = self._plan.prefilter.lines
        return lambda block: next(lines(block), None) is not None

    def __call__(self, entry: Entry) -> bool:
        """Tell whether a line is wanted; what can't be read is where nothing is searched for."""
        from gatewaylog.formats import Line

        plan = self._plan
        if plan is None:
            return not isinstance(entry.line, Line) or self.span.holds(entry.line)
        raw = _clean(entry.raw)
        row = self._read(raw) if plan.prefilter.passes(raw) else None
        if row is None:
            return False
        if index := self.index_of.get(entry.source.name):
            row = row._replace(fields=row.fields | {"index": index})
        return next(plan.run([row], prefiltered=True).rows, None) is not None


def _clean(raw: bytes) -> bytes:
    from gatewaylog.reader.times import clean

    return clean(raw.rstrip(b"\r"))


def wanted_of(options: Namespace) -> Wanted:
    """Take the query from the words before files. Raises WrongCall and QueryError."""
    now = time.time()
    span = span_of(options, now)
    first = options.file[0] if options.file else ""
    if not _is_query(first):
        return Wanted(None, span)
    from gatewaylog.cli.span import Span
    from gatewaylog.search import compile_query

    del options.file[0]
    plan = compile_query(first, now=now, **span._asdict())
    if plan.commands:
        raise WrongCall("tail: QUERY is a search without commands: gatewaylog search takes those")
    return Wanted(plan, Span(plan.earliest, plan.latest))


def _is_query(word: str) -> bool:
    """Tell whether a word can be no file."""
    return _NO_NAME.search(word) is not None and not Path(word).exists()
