"""What a QUERY may go on with, for a shell that completes it: fields, commands, functions, APIs.

Asked at each Tab, so that nothing heavy is loaded: the names are written down here once more,
and a test holds them to the language's own tables, whose loading takes longer than a Tab may.

What a log or a configuration calls an API was chosen by others, and ends on a command line: only
names of letters, digits and such marks as mean nothing to any shell are offered.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.errors import AUTH, FAULT, MAIN
from gatewaylog.events import LAYOUTS
from gatewaylog.gateway.labels import api_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

COMMANDS = (
    *("bin", "bucket", "chart", "dedup", "eval", "fields", "fillnull", "head", "rare", "rename"),
    *("rex", "search", "sort", "stats", "table", "tail", "timechart", "top", "transaction"),
    "where",
)
FUNCTIONS = (
    *(
        "case",
        "coalesce",
        "false",
        "if",
        "isnotnull",
        "isnull",
        "len",
        "like",
        "lower",
        "match",
        "mvindex",
    ),
    *("now", "null", "replace", "round", "split", "strftime", "strptime", "substr", "tonumber"),
    *("tostring", "true", "upper"),
)
AGGREGATORS = (
    *("avg", "count", "dc", "earliest", "first", "last", "latest", "list", "max", "median", "min"),
    *("p95", "stdev", "sum", "values"),
)
FIELDS = sorted({field.key for layout in LAYOUTS for field in layout.fields} | {"Event"})

_SPLIT = ("limit", "useother", "usenull", "otherstr", "nullstr")
OPTIONS = {
    "bin": ("span", "bins"),
    "bucket": ("span", "bins"),
    "chart": (*_SPLIT, "span"),
    "fillnull": ("value",),
    "head": ("limit", "null", "keeplast"),
    "rare": ("limit", "countfield", "percentfield", "showcount", "showperc"),
    "rex": ("field", "max_match", "mode"),
    "timechart": (*_SPLIT, "span", "bins"),
    "top": ("limit", "countfield", "percentfield", "showcount", "showperc", "useother"),
    "transaction": ("maxspan", "startswith", "endswith", "keepevicted"),
}

_VALUES = {
    "Event": [layout.name for layout in LAYOUTS],
    "ErrorSource": [MAIN, AUTH, FAULT],
    "Outcome": [
        *("complete", "client_abort", "upstream_abort", "timeout", "shutdown", "app_exception"),
    ],
}
_VALUE = re.compile(
    r'(?:\A|[\s(|])(\w+)\s*(?:!?==?|IN\s*\((?:[^()"]|"[^"]*")*?(?<=[\s,(]))\s*("?)([^\s"|(),]*)\Z'
)
_EXPRESSIONS = ("eval", "where")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z|\Z")
_AFTER_VALUE = re.compile(r'[=<>"*]\s*\Z')
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]{0,99}")
_API = re.compile(
    rb'(?:\A|[\s,{])"?API"?[=:] ?(?P<mark>"?)([A-Za-z0-9_.:/@+-]{1,100})(?P=mark)(?=[\s,}]|\Z)'
)
_LOOK = 256 * 1024  # bytes at a log's end that are searched for APIs
_MOST = 200  # APIs
_USUAL = ("logs/api-access.log", "api-access.log")


def query_words(text: str, apis: Callable[[], Iterable[str]]) -> list[str]:
    """Return what `text`, the query up to the cursor, may become; `apis` tells names of APIs."""
    expression = _command_of(text) in _EXPRESSIONS
    value = _VALUE.search(text)
    if value and (value[2] or not expression):  # a bare word of an expression is a field
        known = apis() if value[1] == "API" else _VALUES.get(value[1], ())
        return _continued(text, value.start(3), known)
    found = _WORD.search(text)
    start = found.start() if found else len(text)
    head = text[:start]
    if head.count('"') % 2 or (_AFTER_VALUE.search(head) and not expression):
        return []
    return _continued(text, start, _words_behind(head))


def _continued(text: str, start: int, words: Iterable[str]) -> list[str]:
    typed = text[start:]
    return [text[:start] + word for word in words if word.startswith(typed)]


def _command_of(text: str) -> str:
    """Return the command that a query's end is of; empty where its name comes next."""
    *before, command = text.split("|")
    return next(iter(command.split()), "") if before else "search"


def _words_behind(head: str) -> Iterable[str]:
    name = _command_of(head)
    options = [f"{option}=" for option in OPTIONS.get(name, ())]
    match name:
        case "":
            return COMMANDS
        case "search":
            return [*(f"{field}=" for field in FIELDS), "AND", "NOT", "OR"]
        case "eval" | "where":
            return [*(f"{function}(" for function in FUNCTIONS), *FIELDS]
        case "stats" | "chart" | "timechart":
            return [*AGGREGATORS, "by", *options, *FIELDS]
    return [*options, *FIELDS, "by"]


def apis_of(words: Iterable[str]) -> list[str]:
    """Return the names of APIs that the configuration and the logs' ends tell; never fails.

    `words` are those of the command line: the files among them, and what --config says.
    """
    given = list(words)
    found: dict[str, None] = {}
    for names in (_configured(given), _logged(given)):
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError, AttributeError):
            found |= dict.fromkeys(islice(filter(_SAFE.fullmatch, names), _MOST))
    return sorted(found)


def _configured(words: list[str]) -> Iterator[str]:
    tables = tomllib.loads(Path(_configuration(words)).read_text("utf-8-sig"))
    for api in tables.get("api", ()):
        yield api_label(
            str(api["name"]) if "name" in api else "",
            provider=str(api.get("provider", "")),
            version=str(api.get("version", "")),
            default_version=api.get("default_version") is True,
        )


def _configuration(words: list[str]) -> str:
    for before, word in zip(["", *words], words, strict=False):
        if before == "--config":
            return word
        if word.startswith("--config="):
            return word.partition("=")[2]
    return "gateway.toml"


def _logged(words: list[str]) -> Iterator[str]:
    """Yield the APIs at the ends of the logs that are named, else of the usual one."""
    given = [path for word in words if (path := Path(word)).exists() and word]
    for path in islice(given or map(Path, _logs_usual(words)), 4):
        log = _newest_in(path) if path.is_dir() else path
        if log is not None and log.is_file():
            yield from (name.decode() for _, name in reversed(_API.findall(_end_of(log))))


def _logs_usual(words: list[str]) -> list[str]:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        tables = tomllib.loads(Path(_configuration(words)).read_text("utf-8-sig"))
        return [str(tables.get("log", {}).get("path", _USUAL[0]))]
    return list(_USUAL)


def _newest_in(folder: Path) -> Path | None:
    logs = [path for path in folder.glob("*.log") if path.is_file()]
    return max(logs, key=lambda path: path.stat().st_mtime, default=None)


def _end_of(log: Path) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LOOK))
        return file.read(_LOOK)
