"""Moments as they are written in queries and options: `-15m`, `-7d@d`, `today`, RFC 3339.

Splunk's relative times:
https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/SearchTimeModifiers. Days and
longer are steps of the local calendar, shorter ones of the clock; `@` goes back to the beginning of
a unit in local time.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from gatewaylog.search.query_error import QueryError

UNITS = {
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "w": "w week weeks",
    "mon": "mon month months",
    "q": "q qtr qtrs quarter quarters",
    "y": "y yr yrs year years",
}
UNIT_NAMED = {name: unit for unit, names in UNITS.items() for name in names.split()}
SECONDS = {"s": 1, "m": 60, "h": 3600}
MONTHS = {"mon": 1, "q": 3, "y": 12}

_NAMED = {"now": "+0s", "now()": "+0s", "today": "@d", "yesterday": "-1d@d"}
_STEP = re.compile(r"([+-])([0-9]{0,9})([a-z]+)|@([a-z]+)([0-7]?)")
_SECONDS = re.compile(r"(?!\d{8}\Z)[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)  # eight digits: a date
_SPLUNK = "%m/%d/%Y:%H:%M:%S"
_FORMS = ("-15m", "-7d@d", "@d", "now", "today", "yesterday", "2017-05-26T13:23:25-07:00")


def moment(text: str, now: float, zone: tzinfo | None = None) -> float:
    """Return the seconds since the epoch that `text` means; `zone` None is the system's own.

    Raises QueryError.
    """
    named = _NAMED.get(text.lower(), text)
    try:
        found = _relative(named, now, zone) if named[:1] in {"+", "-", "@"} else _fixed(text, zone)
    except (ValueError, OverflowError):
        raise QueryError(text, 0, len(text), "this time is out of range") from None
    if found is None:
        raise QueryError(text, 0, len(text), "this is no time", _FORMS)
    return found


def _relative(text: str, now: float, zone: tzinfo | None) -> float | None:
    at, found = 0, now
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return None
        sign, count, name, snap, weekday = step.groups()
        unit = UNIT_NAMED.get(name or snap)
        if unit is None or (weekday and snap != "w"):
            return None
        if snap:
            found = _snapped(found, unit, int(weekday or 0) % 7, zone)
        else:
            found = _moved(found, int(f"{sign}{count or 1}"), unit, zone)
        at = step.end()
    return found


def _moved(moment: float, count: int, unit: str, zone: tzinfo | None) -> float:
    if unit in SECONDS:
        return moment + count * SECONDS[unit]
    local = wall(moment, zone)
    if unit in MONTHS:
        return epoch(plus_months(local, count * MONTHS[unit]), zone)
    return epoch(local + timedelta(days=count * (7 if unit == "w" else 1)), zone)


def _snapped(moment: float, unit: str, weekday: int, zone: tzinfo | None) -> float:
    local = snapped(wall(moment, zone), unit, weekday)
    # Hours and less are those of the same pass, where the clock is put back.
    return epoch(local, zone) if unit in SECONDS else beginning(local, zone)


def snapped(local: datetime, unit: str, weekday: int = 0) -> datetime:
    """Return the beginning of the unit that `local` lies in; weeks begin on `weekday`, 0 Sunday."""
    if unit == "s":
        return local.replace(microsecond=0)
    if unit == "m":
        return local.replace(second=0, microsecond=0)
    if unit == "h":
        return local.replace(minute=0, second=0, microsecond=0)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "w":
        return day - timedelta(days=(day.isoweekday() - weekday) % 7)
    if unit in MONTHS:
        return day.replace(day=1, month=(day.month - 1) // MONTHS[unit] * MONTHS[unit] + 1)
    return day


def plus_months(local: datetime, count: int) -> datetime:
    """Return the same day `count` months later, or the last of a month that is shorter."""
    months = local.year * 12 + local.month - 1 + count
    first = date(months // 12, months % 12 + 1, 1)
    following = date((months + 1) // 12, (months + 1) % 12 + 1, 1) if first.year < 9999 else None
    days = (following - first).days if following else 28
    return local.replace(year=first.year, month=first.month, day=min(local.day, days))


def _fixed(text: str, zone: tzinfo | None) -> float | None:
    if _SECONDS.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC).timestamp()
    read = _read(text)
    if read is None:
        return None
    return read.timestamp() if read.tzinfo else epoch(read, zone)


def _read(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, _splunk_time):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _splunk_time(text: str) -> datetime:
    return datetime.strptime(text, _SPLUNK)  # noqa: DTZ007 - local time is meant


def wall(moment: float, zone: tzinfo | None) -> datetime:
    """Return the local date and time of `moment`, without its zone; `fold` tells the second of two.

    Moments before year 1 and after 9999 are taken as its first and last.
    """
    try:
        return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return datetime.max if moment > 0 else datetime.min  # noqa: DTZ901 - local, as all here


def epoch(local: datetime, zone: tzinfo | None) -> float:
    """Return the moment of a local date and time."""
    try:
        return local.replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError, OSError):
        return local.replace(tzinfo=UTC).timestamp()


def beginning(local: datetime, zone: tzinfo | None) -> float:
    """Return the first moment at which local time is `local`, or later: where the clock is put
    forward over it that of the change, where it is put back the first of two.
    """
    found = epoch(local.replace(fold=0), zone)
    if wall(found, zone) == local.replace(fold=0):
        return found
    before = epoch(local.replace(fold=1), zone)
    return change(math.floor(before), math.floor(found), zone) if before < found else found


def change(before: int, after: int, zone: tzinfo | None) -> int:
    """Return the first second behind `before` that has the offset of `after`."""
    offset = offset_of(after, zone)
    while before + 1 < after:
        middle = (before + after) // 2
        if offset_of(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after


def offset_of(moment: float, zone: tzinfo | None) -> float:
    """Return by how many seconds local time is before UTC at `moment`."""
    try:
        aware = datetime.fromtimestamp(moment, zone)
        offset = aware.utcoffset() if zone else aware.astimezone().utcoffset()
    except (ValueError, OverflowError, OSError):
        return 0.0
    return offset.total_seconds() if offset else 0.0
