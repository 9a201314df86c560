"""What a log's name tells: the log that a file was rotated from, and its place among the others."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(
    r"(?P<family>.+?)"
    r"(?P<marks>(?:[.-](?:[0-9]{1,14}|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T_.-][0-9][0-9:-]*)?))*)"
    r"(?P<packed>\.(?:gz|zst))?"
)
_MARK = re.compile(r"[.-]([0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T_.-][0-9:-]+)?|[0-9]+)")
_LOGS = (".log", ".ndjson", ".jsonl", ".logfmt")
_LONGEST_COUNTER = 5  # digits; what is longer is a date or seconds since the epoch


class Name(NamedTuple):
    """A file's name, read.

    `family` is the live log's name; `place` sorts a family, oldest first; `packed` is `.gz`,
    `.zst` or empty.
    """

    family: str
    place: tuple[tuple[int, int | str], ...]
    packed: str

    @property
    def is_log(self) -> bool:
        """Tell whether a folder's file of this name is taken for a log."""
        return self.family.endswith(_LOGS) and not self.family.startswith(".")

    @property
    def is_live(self) -> bool:
        """Tell whether this is the name that is written to."""
        return self.place == (_LIVE,)


_LIVE = (2, 0)


def name_of(name: str) -> Name:
    """Read a file's name: `api-access.log.2`, `api-access.log-20261121.gz`, `api-access.log`."""
    found = _NAME.fullmatch(name)
    if found is None:
        return Name(name, (_LIVE,), "")
    marks = _MARK.findall(found["marks"])
    return Name(
        found["family"], tuple(map(_place, marks)) if marks else (_LIVE,), found["packed"] or ""
    )


def _place(mark: str) -> tuple[int, int | str]:
    """A date goes up with time; a counter, as logrotate and Python count, goes down."""
    if mark.isdigit() and len(mark) <= _LONGEST_COUNTER:
        return (1, -int(mark))
    return (0, re.sub("[^0-9]", "", mark))
