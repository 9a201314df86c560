"""What went wrong, as one line on standard error and an exit status; never a traceback."""

from __future__ import annotations

import os
import sys

from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.exceptions import ConfigurationError, GatewaylogError
from gatewaylog.notices import notice

WRONG = 2
FAULT = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # as shells tell it: 128 and SIGINT's number

_SHOW_FAULTS = "GATEWAYLOG_TRACEBACK"

# The extra that brings what a verb needs: of some modules it is known, else of the verb.
_EXTRA_OF_MODULE = {
    "alembic": "database",
    "duckdb": "analytics",
    "psycopg": "database",
    "rich": "reading",
    "zstandard": "zstd",
}
_EXTRA_OF_VERB = {"dashboard": "dashboard", "tokens": "database"}


def tell(error: BaseException, *, verb: str) -> int:
    """Tell the user of an error that ended a verb; return the exit status."""
    match error:
        case SystemExit():  # argparse has printed what was asked for
            return error.code if isinstance(error.code, int) else 0
        case KeyboardInterrupt():
            return INTERRUPTED
        case BrokenPipeError():  # the reader, `head` say, has all that it wanted
            return 0
        case ConfigurationError():
            for problem in error.problems:
                print(printable(problem), file=sys.stderr)
            return WRONG
        case GatewaylogError() if _shows_its_place(error):
            print(error, file=sys.stderr)  # of several lines, all printable
            return WRONG
        case _:
            text, status = _told(error, verb)
            notice(printable(text))
            return status


def _shows_its_place(error: BaseException) -> bool:
    from gatewaylog.search import QueryError

    return isinstance(error, QueryError)


def _told(error: BaseException, verb: str) -> tuple[str, int]:
    match error:
        case WrongCall() | GatewaylogError():
            return str(error), WRONG
        case ModuleNotFoundError() if not (error.name or "").startswith("gatewaylog"):
            module = (error.name or "").partition(".")[0]
            extra = _EXTRA_OF_MODULE.get(module) or _EXTRA_OF_VERB.get(verb, "gateway")
            return (
                f"{verb} needs {error.name}, which is not installed:"
                f" pip install 'gatewaylog[{extra}]'"
            ), WRONG
        case OSError():
            where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
            return f"{where}{error.strerror or error}", WRONG
    if os.environ.get(_SHOW_FAULTS):
        raise error
    return (
        f"a fault of gatewaylog's own, {type(error).__name__}: {error};"
        f" with {_SHOW_FAULTS}=1 it shows where, please report it"
    ), FAULT
