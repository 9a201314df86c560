"""Which lines `tail` shows: all, or those that a search finds."""

from __future__ import annotations

import re
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from gatewaylog.cli.growing import GrowingFile
    from gatewaylog.search import Plan

_NO_NAME = re.compile(r'[ =<>"|()]')


class Wanted:
    """The lines that a plan finds; without one, all."""

    def __init__(self, plan: Plan | None) -> None:
        self._plan = plan

    def of(self, raws: Iterable[bytes]) -> Iterator[bytes]:
        """Yield those of `raws` that are wanted."""
        return filter(self._is_wanted, raws)

    def _is_wanted(self, raw: bytes) -> bool:
        plan = self._plan
        if plan is None:
            return True
        rows = plan.run(plan.rows([raw.rstrip(b"\r\n")]), prefiltered=True).rows
        return next(rows, None) is not None

    def last(self, file: GrowingFile, count: int, *, partial: bool) -> list[bytes]:
        """Return the last lines that are wanted, before those that `file.fresh` will give."""
        if self._plan is None or not file.is_open:
            return file.last(count, partial=partial)
        from gatewaylog.reader import find, lines_of

        file.last(0)
        lines = lines_of(find([str(file.path)]), newest_first=True)
        raws = (line.raw for line in lines if partial or line.offset < file.place)
        return list(islice(self.of(raws), count))[::-1]


def wanted_of(options: Namespace) -> Wanted:
    """Take the query from the words before files."""
    first = options.file[0] if options.file else ""
    if not _is_query(first):
        return Wanted(None)
    from gatewaylog.search import compile_query

    del options.file[0]
    plan = compile_query(first, now=time.time())
    if plan.commands:
        raise WrongCall("tail: QUERY is a search without commands: gatewaylog search takes those")
    return Wanted(plan)


def _is_query(word: str) -> bool:
    """Tell whether a word can be no file."""
    return _NO_NAME.search(word) is not None and not Path(word).exists()
