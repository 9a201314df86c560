"""What the functions of expressions do to texts and numbers."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from gatewaylog.search.dates import unknown_directive
from gatewaylog.search.tree import Literal
from gatewaylog.search.values import normal, number_of_text, text_of, texts_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.search.scanner import Scanner
    from gatewaylog.search.tree import Call
    from gatewaylog.search.values import Number, Value

_NAMED_GROUP = re.compile(r"(\\.)|\(\?<(?=[A-Za-z_])", re.DOTALL)
_REFERENCE = re.compile(r"\\(\\|[0-9]{1,2})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FORMS = ("commas", "hex", "duration")


@lru_cache(256)
def regex(pattern: str) -> re.Pattern[str] | None:
    """Return the compiled expression, PCRE's `(?<name>` understood; None where it is none."""
    python = _NAMED_GROUP.sub(lambda found: found[1] or "(?P<", pattern)
    try:
        return re.compile(python)
    except (re.error, OverflowError, RecursionError):
        return None


def regex_problem(pattern: str) -> str:
    """Return why `pattern` is no expression."""
    python = _NAMED_GROUP.sub(lambda found: found[1] or "(?P<", pattern)
    try:
        re.compile(python)
    except (re.error, OverflowError, RecursionError) as problem:
        return str(problem)
    return ""


def check_literals(scan: Scanner, call: Call) -> None:
    """Fail where a pattern or a form that is written in the query can't be read."""
    written = [part if isinstance(part, Literal) else None for part in call.arguments]
    pattern = written[1] if len(written) > 1 else None
    if pattern is None or not isinstance(pattern.value, str):
        if call.function == "tostring" and len(call.arguments) > 1:
            scan.fail("the form has to be one of these texts", call.place, _FORMS)
        return
    if call.function in {"match", "replace"} and regex(pattern.value) is None:
        problem = regex_problem(pattern.value)
        scan.fail(f"this is no regular expression: {problem}", pattern.place)
    if call.function == "tostring" and pattern.value not in _FORMS:
        scan.fail("this form is not known", pattern.place, _FORMS)
    unknown = None
    if call.function in {"strftime", "strptime"}:
        unknown = unknown_directive(pattern.value, reading=call.function == "strptime")
    if unknown:
        scan.fail(f"{unknown[0]} is not known in a time", pattern.place, unknown[1])


def matching(pattern: str) -> Callable[[str], bool] | None:
    """Return the test whether `pattern` is found in a text."""
    found = regex(pattern)
    return None if found is None else lambda text: found.search(text) is not None


@lru_cache(256)
def like(pattern: str) -> Callable[[str], bool]:
    """Return the test of SQL's LIKE: `%` for anything, `_` for one character."""
    parts = [{"%": ".*", "_": "."}.get(sign) or re.escape(sign) for sign in pattern]
    found = re.compile(re.sub(r"(\.\*)+", ".*", "".join(parts)), re.DOTALL)
    return lambda text: found.fullmatch(text) is not None


def replaced(text: str, pattern: str, new: str) -> str | None:
    r"""Return `text` with what `pattern` finds replaced; `\1` in `new` is the first group."""
    found = regex(pattern)
    return None if found is None else found.sub(lambda match: expanded(match, new), text)


def expanded(match: re.Match[str], new: str) -> str:
    r"""Return `new` with `\1` and the like as what the groups of `match` hold."""

    def part(reference: re.Match[str]) -> str:
        if reference[1] == "\\":
            return "\\"
        group = int(reference[1])
        return (match[group] or "") if group <= match.re.groups else ""

    return _REFERENCE.sub(part, new)


def substring(text: str, start: int, length: int | None = None) -> str:
    """Return a part of `text` as SQLite's substr has it: from 1, negative ones from the end."""
    begin = start - 1 if start > 0 else len(text) + start if start < 0 else -1
    if length is None:
        return text[max(begin, 0) :]
    if length < 0:
        begin, length = begin + length, -length
    return text[max(begin, 0) : max(begin + length, 0)]


def split(text: str, between: str) -> tuple[str, ...]:
    """Return the parts of `text`; each character where nothing stands between them."""
    return tuple(text.split(between)) if between else tuple(text)


def index(value: Value, first: int, last: int | None = None) -> Value | None:
    """Return the values from `first` to `last`, from 0, negative ones from the end."""
    found = texts_of(value)
    count = len(found)
    begin = first + count if first < 0 else first
    end = begin if last is None else last + count if last < 0 else last
    if not 0 <= begin < count or end < begin:
        return None
    if not isinstance(value, tuple):
        return value
    return value_of(found[begin : end + 1])


def number_in_base(text: str, base: int) -> Number | None:
    """Return the number that `text` writes in `base`, 2 to 36."""
    digits = text.lower()
    if base == 10:
        return number_of_text(text)
    if not 2 <= base <= 36 or not digits or len(digits) > 64:
        return None
    if not set(digits) <= set(_DIGITS[:base]):
        return None
    return normal(int(digits, base))


def shown(number: Number, form: str) -> str:
    """Return `number` with commas (two decimals at most), in hexadecimal, or as [d+]hh:mm:ss."""
    if form == "commas":
        return f"{number:,}" if isinstance(number, int) else f"{number:,.2f}"
    if form == "hex":
        whole = int(number)
        return f"{'-' if whole < 0 else ''}0x{abs(whole):X}"
    days, seconds = divmod(abs(int(number)), 86400)
    minutes, second = divmod(seconds, 60)
    sign = "-" if number < 0 else ""
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    return f"{sign}{days}+{clock}" if days else f"{sign}{clock}"


def rounded(number: Number, digits: int) -> Number | None:
    """Return `number` with so many decimals, halves away from zero, as its digits are written."""
    if not -30 <= digits <= 30:
        return number if digits > 0 else 0
    exact = Decimal(text_of(number))
    if exact.adjusted() + digits > 25:
        return number
    return normal(float(exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)))
