"""Records as a Parquet file, typed by what their columns hold.

What a column holds is known only behind the last record, so that records wait in a file; memory
stays flat. Values wait as lists of texts, whatever they are.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.analytics.duck import asked
from gatewaylog.search.values import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import BinaryIO

    from gatewaylog.search.values import Value

    Cell: TypeAlias = Value | bytes

TIME = "_time"  # in seconds since the epoch, which becomes a moment
_LONGEST = 64 * 1024 * 1024  # bytes of a record
_END_OF_TIME = 2e11  # seconds: the year 8307; what is greater is only a number
_BYTES, _TEXT, _TEXTS = "bytes", "text", "texts"
_WHOLE, _NUMBER, _MOMENT = "whole", "number", "moment"
_AS = {
    _BYTES: "from_base64({0}[1])",
    _TEXT: "{0}[1]",
    _TEXTS: "{0}",
    _WHOLE: "CAST({0}[1] AS BIGINT)",
    _NUMBER: "CAST({0}[1] AS DOUBLE)",
    _MOMENT: "to_timestamp(CAST({0}[1] AS DOUBLE))",
}


def write(
    records: Iterable[Mapping[str, Cell]], output: BinaryIO, columns: Iterable[str] = ()
) -> None:
    r"""Write `records` to `output` as Parquet, in their order; `columns` come first.

    A text is a string, with the bytes that are no UTF-8 in it as `\udc80`; bytes stay such.
    Numbers are integers or doubles, but strings where there are texts among them; a number in
    `_time` is a moment in UTC. A field that is a list somewhere is one everywhere. Raises
    ExtraMissing.
    """
    found = _Columns(columns)
    with tempfile.TemporaryDirectory(prefix="gatewaylog-") as folder:
        waiting, made = Path(folder, "records"), Path(folder, "parquet")
        with waiting.open("w") as file:
            for record in records:
                json.dump(found.row(record), file)
                file.write("\n")
        asked(found.statement(made), {"records": str(waiting)}, ordered=True)
        with made.open("rb") as file:
            shutil.copyfileobj(file, output)


class _Columns:
    """The columns that records have had so far, and what they hold."""

    def __init__(self, names: Iterable[str]) -> None:
        self._kinds: dict[str, str | None] = dict.fromkeys(names)

    def row(self, record: Mapping[str, Cell]) -> dict[str, list[str]]:
        """Return a record as it waits: by the number of the column."""
        for name, value in record.items():
            kind = _kind(name, value)
            before = self._kinds.setdefault(name, None)
            if before != kind:
                self._kinds[name] = _of_both(before, kind)
        texts = {name: _texts(value) for name, value in record.items()}
        places = {name: f"c{at}" for at, name in enumerate(self._kinds)}
        return {places[name]: values for name, values in texts.items()}

    def statement(self, made: Path) -> str:
        """Return what makes the file `made` of the parameter `records`."""
        names = _distinct(self._kinds or [TIME])
        kinds = [kind or _TEXT for kind in self._kinds.values()] or [_MOMENT]
        places = [f"c{at}" for at in range(len(names))]
        shown = [
            f"{_AS[kind].format(place)} AS {name}"
            for kind, place, name in zip(kinds, places, names, strict=True)
        ]
        read = (
            "read_json($records, format = 'newline_delimited', records = true, "
            f"maximum_object_size = {_LONGEST}, columns = {dict.fromkeys(places, 'VARCHAR[]')})"
        )
        target = str(made).replace("'", "''")
        # Names, the only texts of others in it, are quoted.
        selection = f"SELECT {', '.join(shown)} FROM {read}"  # noqa: S608
        return f"COPY ({selection}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"


def _kind(name: str, value: Cell) -> str:
    match value:
        case bytes():
            return _BYTES
        case str():
            return _TEXT
        case tuple():
            return _TEXTS
    if name == TIME and abs(value) < _END_OF_TIME:
        return _MOMENT
    return _WHOLE if isinstance(value, int) else _NUMBER


def _of_both(one: str | None, other: str) -> str:
    """Return what a column holds that holds both."""
    if one is None:
        return other
    kinds = {one, other}
    if _TEXTS in kinds:
        return _TEXTS
    return _NUMBER if kinds == {_WHOLE, _NUMBER} else _TEXT


def _texts(value: Cell) -> list[str]:
    if isinstance(value, bytes):
        return [b64encode(value).decode()]
    return [text.encode("utf-8", "backslashreplace").decode() for text in texts_of(value)]


def _distinct(names: Iterable[str]) -> list[str]:
    """Return names as SQL has them. Case does not tell them apart there: a number does."""
    found: dict[str, str] = {}
    for name in names:
        plain = name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00") or "_"
        unique, at = plain, 1
        while unique.lower() in found:
            unique, at = f"{plain}_{at}", at + 1
        found[unique.lower()] = unique
    return ['"' + unique.replace('"', '""') + '"' for unique in found.values()]
