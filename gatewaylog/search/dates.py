"""Writing and reading times by `%Y-%m-%d` and the like, the same on every system.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Commontimeformatvariables
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

from gatewaylog.search import timespan
from gatewaylog.search.values import normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.search.values import Number

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DIRECTIVE = re.compile(r"%(\d?[A-Za-z%]|:z|\+)|([^%]+)|(.)", re.DOTALL)
_WHOLE = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y", "X": "%H:%M:%S"} | {
    "x": "%m/%d/%Y",
    "c": "%a %b %e %H:%M:%S %Y",
    "+": "%a %b %e %H:%M:%S %Z %Y",
}


def _offset(moment: datetime, between: str = "") -> str:
    seconds = int((moment.utcoffset() or timedelta()).total_seconds())
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}{between}{minutes % 60:02d}"


def _part(digits: int) -> Callable[[datetime], str]:
    return lambda moment: f"{moment.microsecond:06d}000"[:digits]


_WRITE: dict[str, Callable[[datetime], str]] = {
    "Y": lambda moment: f"{moment.year:04d}",
    "y": lambda moment: f"{moment.year % 100:02d}",
    "m": lambda moment: f"{moment.month:02d}",
    "d": lambda moment: f"{moment.day:02d}",
    "e": lambda moment: f"{moment.day:2d}",
    "j": lambda moment: f"{moment.timetuple().tm_yday:03d}",
    "H": lambda moment: f"{moment.hour:02d}",
    "k": lambda moment: f"{moment.hour:2d}",
    "I": lambda moment: f"{(moment.hour - 1) % 12 + 1:02d}",
    "l": lambda moment: f"{(moment.hour - 1) % 12 + 1:2d}",
    "p": lambda moment: "AM" if moment.hour < 12 else "PM",
    "M": lambda moment: f"{moment.minute:02d}",
    "S": lambda moment: f"{moment.second:02d}",
    "A": lambda moment: _DAYS[moment.weekday()],
    "a": lambda moment: _DAYS[moment.weekday()][:3],
    "w": lambda moment: str(moment.isoweekday() % 7),
    "u": lambda moment: str(moment.isoweekday()),
    "B": lambda moment: _MONTHS[moment.month - 1],
    "b": lambda moment: _MONTHS[moment.month - 1][:3],
    "h": lambda moment: _MONTHS[moment.month - 1][:3],
    "V": lambda moment: f"{moment.isocalendar()[1]:02d}",
    "G": lambda moment: f"{moment.isocalendar()[0]:04d}",
    "s": lambda moment: str(int(moment.timestamp() // 1)),
    "z": _offset,
    ":z": lambda moment: _offset(moment, ":"),
    "Z": lambda moment: moment.tzname() or "",
    "N": _part(9),
    "Q": _part(3),
    "f": _part(6),
    "n": lambda _moment: "\n",
    "t": lambda _moment: "\t",
    "%": lambda _moment: "%",
}
_WRITE |= {f"{digits}{name}": _part(digits) for digits in (3, 6, 9) for name in "NQ"}

_READ = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "m": r"(?P<m>\d\d?)",
    "d": r"(?P<d>\d\d?)",
    "e": r" ?(?P<d>\d\d?)",
    "j": r"(?P<j>\d{1,3})",
    "H": r"(?P<H>\d\d?)",
    "k": r" ?(?P<H>\d\d?)",
    "I": r"(?P<I>\d\d?)",
    "l": r" ?(?P<I>\d\d?)",
    "p": r"(?P<p>[AaPp][Mm])",
    "M": r"(?P<M>\d\d?)",
    "S": r"(?P<S>\d\d?)",
    "A": rf"(?:{'|'.join(_DAYS)})",
    "a": rf"(?:{'|'.join(day[:3] for day in _DAYS)})",
    "B": rf"(?P<B>{'|'.join(_MONTHS)})",
    "b": rf"(?P<B>{'|'.join(month[:3] for month in _MONTHS)})",
    "h": rf"(?P<B>{'|'.join(month[:3] for month in _MONTHS)})",
    "s": r"(?P<s>-?\d{1,12})",
    "z": r"(?P<z>Z|[+-]\d\d:?\d\d)",
    ":z": r"(?P<z>Z|[+-]\d\d:?\d\d)",
    "Z": r"(?P<Z>UTC|GMT|Z)",
    "N": r"(?P<N>\d{1,9})",
    "Q": r"(?P<N>\d{1,9})",
    "f": r"(?P<N>\d{1,9})",
    "n": r"\s+",
    "t": r"\s+",
    "%": "%",
}
_READ |= {f"{digits}{name}": rf"(?P<N>\d{{{digits}}})" for digits in (3, 6, 9) for name in "NQ"}


def _directives(form: str) -> list[tuple[str, str]]:
    """Return the parts of `form`: directives, or "" with what stands for itself."""
    whole = re.sub(r"%([FTRDXxc+])|(%.)", lambda found: _WHOLE.get(found[1] or "", found[0]), form)
    found = []
    for directive, plain, other in _DIRECTIVE.findall(whole):
        found.append((directive, "") if directive else ("", plain or other))
    return found


def unknown_directive(form: str, *, reading: bool) -> tuple[str, list[str]] | None:
    """Return a directive of `form` that is not known, and those that are."""
    known = _READ if reading else _WRITE
    for directive, plain in _directives(form):
        twice = reading and form.count(f"%{directive}") > 1 and directive != "%"
        if plain == "%" or (directive and (directive not in known or twice)):
            return f"%{directive}", [f"%{name}" for name in (*known, *_WHOLE)]
    return None


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A form of times, taken apart once."""

    writers: tuple[Callable[[datetime], str], ...]
    reader: re.Pattern[str] | None

    def write(self, moment: Number, zone: tzinfo | None) -> str | None:
        """Return `moment`, seconds since the epoch, in this form and in local time."""
        try:
            local = datetime.fromtimestamp(moment, zone)
            aware = local if zone else local.astimezone()
            return "".join([writer(aware) for writer in self.writers])
        except (ValueError, OverflowError, OSError):
            return None

    def read(self, text: str, now: float, zone: tzinfo | None) -> Number | None:
        """Return the seconds since the epoch that `text` tells, None where it is not of this form.

        What the form does not tell is today's, and midnight.
        """
        found = self.reader.match(text) if self.reader else None
        try:
            return None if found is None else _moment(found.groupdict(), now, zone)
        except (ValueError, OverflowError):
            return None


def _moment(found: dict[str, str | None], now: float, zone: tzinfo | None) -> Number | None:
    told = {name: text for name, text in found.items() if text is not None}
    micros = int(told.get("N", "0").ljust(9, "0")[:6])
    if "s" in told:
        return normal((int(told["s"]) * 1_000_000 + micros) / 1_000_000)
    local = _day(told, timespan.wall(now, zone)).replace(
        hour=_hour(told),
        minute=int(told.get("M", 0)),
        second=int(told.get("S", 0)),
        microsecond=micros,
    )
    if "z" not in told and "Z" not in told:
        return normal(timespan.epoch(local, zone))
    offset = told.get("z", "Z").replace(":", "")
    minutes = 0 if offset == "Z" else int(offset[1:3]) * 60 + int(offset[3:])
    shift = timedelta(minutes=-minutes if offset[0] == "-" else minutes)
    return normal(local.replace(tzinfo=timezone(shift)).timestamp())


def _day(told: dict[str, str], today: datetime) -> datetime:
    year = int(told.get("Y", today.year))
    if "y" in told:
        year = int(told["y"]) + (1900 if int(told["y"]) > 68 else 2000)
    if "j" in told:
        first = today.replace(year=year, month=1, day=1)
        return first + timedelta(days=int(told["j"]) - 1)
    months = [month[:3] for month in _MONTHS]
    month = months.index(told["B"][:3].title()) + 1 if "B" in told else None
    dated = month or "m" in told or "d" in told or "Y" in told or "y" in told
    month = month or int(told.get("m", 1 if dated else today.month))
    return today.replace(year=year, month=month, day=int(told.get("d", 1 if dated else today.day)))


def _hour(told: dict[str, str]) -> int:
    if "I" not in told:
        return int(told.get("H", 0))
    hour = int(told["I"])
    if not 1 <= hour <= 12:
        raise ValueError("no hour of twelve")
    return hour % 12 + (12 if told.get("p", "AM").upper() == "PM" else 0)


@lru_cache(128)
def time_format(form: str) -> TimeFormat:
    """Return the form taken apart; a directive that is not known stands for itself."""
    writers: list[Callable[[datetime], str]] = []
    pattern = ""
    for directive, plain in _directives(form):
        if directive in _WRITE:
            writers.append(_WRITE[directive])
        else:
            writers.append(lambda _moment, text=plain or f"%{directive}": text)  # type: ignore[misc]
        pattern += _READ.get(directive) or re.escape(plain or f"%{directive}")
    try:
        reader = re.compile(pattern, re.IGNORECASE | re.ASCII)
    except re.error:  # the same directive twice
        reader = None
    return TimeFormat(tuple(writers), reader)
