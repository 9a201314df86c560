"""Statements over one segment of the cache."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from gatewaylog.analytics.conditions import Parameters, holding_words, of_fields, words_of
from gatewaylog.analytics.duck import asked
from gatewaylog.analytics.schema import FIELDS, quoted
from gatewaylog.analytics.words import holding
from gatewaylog.events import LAYOUT_NAMED
from gatewaylog.search.prefilter import without_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import TypeAlias

    from gatewaylog.search import Gathering
    from gatewaylog.search.views import Wanted

    Rows: TypeAlias = list[tuple[Any, ...]]

_AT_ONCE = 4096  # rows that are fetched at once


class Counted:
    """What is counted: lines with equal `names` and so much `time` ("", "s" or "ms"), the numbers
    of `measures` and the different texts of `told` kept beside.
    """

    def __init__(
        self,
        names: Collection[str],
        time: str = "",
        measures: Collection[str] = (),
        told: Collection[str] = (),
    ) -> None:
        self.names = names
        self.time = time
        self.measures = measures
        self.told = [name for name in told if name in FIELDS]
        self.fields = [name for name in FIELDS if name in names]
        keys = {name: f"nullif({quoted(name)}, '')" for name in self.fields}
        self.others = not set(names) <= {*FIELDS}
        if self.others:
            keys["_extra"] = "_extra"
        if time:
            keys["_time"] = "_time" if time == "ms" else "floor(_time)"
        self.keys = len(keys)
        beside = {f"measured {name}": _measured(name) for name in measures}
        beside |= {f"told {name}": _told(name) for name in self.told}
        self.columns = {**keys, "count": "count(*)", **beside}


def _measured(name: str) -> str:
    if name == "_time":
        return "[min(_time), max(_time)]"
    return f"list({quoted(name)}) FILTER ({quoted(name)} <> '')"


def _told(name: str) -> str:
    return f"list(DISTINCT {quoted(name)}) FILTER ({quoted(name)} <> '')"


class Selection:
    """The rows of a segment's file, or those of some of its blocks."""

    def __init__(self, path: str) -> None:
        self._path = path.replace("'", "''")
        self._within = "true"

    def blocks(self) -> list[int]:
        """Return the bytes of the log at which the blocks begin."""
        return sorted(at for (at,) in self._rows(self._statement("DISTINCT _block")))

    def within(self, begin: int, end: int) -> None:
        """Leave out all blocks but those that begin from `begin` on, before `end`."""
        self._within = f"_block >= {begin} AND _block < {end}"

    def lines(self, at_once: int, *, all_of_them: bool) -> Iterator[list[bytes]]:
        """Yield the lines that were not taken apart: all, or those that could not be read."""
        where = "_head IS NULL" if all_of_them else "_time IS NULL"
        found = asked(self._statement("_raw", where))
        while rows := found.fetchmany(at_once):
            yield [bytes(line) for (line,) in rows]

    def counted(self, counted: Counted, where: Where) -> Iterator[Rows]:
        """Yield the columns of what is counted, many rows at once."""
        columns = ", ".join(counted.columns.values())
        statement = self._statement(columns, " AND ".join(where.conditions))
        if counted.keys:
            statement += f" GROUP BY {', '.join(str(1 + at) for at in range(counted.keys))}"
        if counted.time:
            # Buckets of time are found in order, as in a log, in a third of the time.
            statement += f" ORDER BY {counted.keys}"
        found = asked(statement, where.parameters.values)
        while rows := found.fetchmany(_AT_ONCE):
            yield rows

    def holding(self, pieces: Collection[str], held: str) -> Iterator[tuple[str, str]]:
        """Yield the distinct texts of pieces of lines that were taken apart, given as SQL, that
        hold the letters `held`, each with its piece.
        """
        parts = [
            self._statement(
                f"DISTINCT {at}, {piece}", f"_head IS NOT NULL AND contains(lower({piece}), $held)"
            )
            for at, piece in enumerate(pieces)
        ]
        names = list(pieces)
        for at, text in self._rows(" UNION ALL ".join(parts), {"held": held}):
            yield names[at], text

    def letters(self) -> dict[str, str]:
        """Return which characters some fields are made of, in lines that were taken apart."""
        source = f"parquet_kv_metadata('{self._path}')"
        rows = self._rows(f"SELECT decode(value) FROM {source} WHERE key = 'letters'")  # noqa: S608
        found: dict[str, str] = json.loads(rows[0][0])
        return found

    def _rows(self, statement: str, values: dict[str, object] | None = None) -> Rows:
        found: Rows = asked(statement, values).fetchall()
        return found

    def _statement(self, columns: str, where: str = "true") -> str:
        # No text of the log or of the query stands in it: these are parameters.
        source = f"read_parquet('{self._path}')"
        return f"SELECT {columns} FROM {source} WHERE {self._within} AND {where}"  # noqa: S608


class Where:
    """The conditions that lines hold that may match a query: of those that were taken apart, or of
    the others that could be read. `exact`: only what matches holds them.

    Raises OutOfReach where it can't be told which lines hold a word.
    """

    def __init__(self, gathering: Gathering, selection: Selection, *, apart: bool) -> None:
        self.parameters = Parameters()
        self.exact = False
        self.conditions = ["_head IS NOT NULL" if apart else "_head IS NULL AND _time IS NOT NULL"]
        self.conditions += self._within(gathering.wanted)
        if apart:
            self.conditions += self._of_events(gathering.wanted)
            search = of_fields(without_words(gathering.plan.first), self.parameters)
            self.exact = search.exact
            self.conditions += [search.sql, *self._words(gathering, selection)]

    def _of_events(self, wanted: Wanted) -> Iterator[str]:
        # Lines that were not taken apart may have fields that are in no layout.
        if wanted.events != LAYOUT_NAMED.keys():
            name = self.parameters.name(sorted(wanted.events))
            yield f'"Event" IN (SELECT unnest({name}))'

    def _within(self, wanted: Wanted) -> Iterator[str]:
        if math.isfinite(wanted.earliest):
            yield f"_time >= {self.parameters.name(wanted.earliest)}"
        if math.isfinite(wanted.latest):
            yield f"_time < {self.parameters.name(wanted.latest)}"

    def _words(self, gathering: Gathering, selection: Selection) -> Iterator[str]:
        for part in words_of(gathering.plan):
            yield holding_words(part, lambda words: holding(words, selection, self.parameters))
