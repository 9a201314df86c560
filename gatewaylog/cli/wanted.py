"""Which lines `tail` shows: all, or those that a search finds."""

from __future__ import annotations

import glob
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli.span import span_of
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.reader.sources import STANDARD_INPUT

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from gatewaylog.cli.span import Span
    from gatewaylog.reader import Entry
    from gatewaylog.search import Plan

_NO_NAME = re.compile(r'[ =<>"|()]')
_BARE = re.compile(r"[\w-]+")  # what is no path, glob or log by its name


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
    if not _is_query(first, options.file[1:]):
        _check_file(first, options)
        return Wanted(None, span)
    from gatewaylog.cli.span import Span
    from gatewaylog.search import compile_query

    del options.file[0]
    plan = compile_query(first, now=now, **span._asdict())
    if plan.commands:
        raise WrongCall("tail: QUERY is a search without commands: gatewaylog search takes those")
    return Wanted(plan, Span(plan.earliest, plan.latest))


def _is_query(word: str, behind: Sequence[str]) -> bool:
    """Tell whether a word can be no file, or is none while one that is stands behind it."""
    if Path(word).exists():
        return False
    return _NO_NAME.search(word) is not None or (_is_bare(word) and any(map(_is_log, behind)))


def _is_bare(word: str) -> bool:
    return _BARE.fullmatch(word) is not None and word != STANDARD_INPUT


def _is_log(word: str) -> bool:
    return word == STANDARD_INPUT or Path(word).exists() or glob.has_magic(word)


def _check_file(word: str, options: Namespace) -> None:
    """Raise WrongCall for a word that may have been meant to be searched for."""
    if _is_bare(word) and not options.follow and not Path(word).exists():
        raise WrongCall(f"tail: {word}: no such file; to search for it write '\"{word}\"'")
